// Compiled, not run: messages from schemas of three libraries. Their declarations are not checked, only ours.
import { type } from "arktype";
import { CommandBus, defineCommand, defineEvent, defineQuery, QueryBus } from "cqrx";
import * as v from "valibot";
import { z } from "zod";

const address = z.object({ city: z.string() });
export class OfZod extends defineCommand(
  "zod",
  z.object({ userId: z.string(), age: z.string().transform(Number), address }),
) {
  get city(): string {
    return this.address.city;
  }
}
export class OfValibot extends defineCommand(
  "valibot",
  v.object({
    userId: v.string(),
    age: v.pipe(v.string(), v.transform(Number)),
    address: v.object({ city: v.string() }),
  }),
) {}
export class OfArktype extends defineCommand(
  "arktype",
  type({ userId: "string", age: "string.numeric.parse", address: { city: "string" } }),
) {}
export class GetUser extends defineQuery<string | null>()("users.get", z.object({ userId: z.string() })) {}
export class ListUsers extends defineQuery<string[]>()(
  "users.list",
  z.object({ page: z.number().default(1) }),
) {}
export class UserCreated extends defineEvent("users.created", z.object({ userId: z.string() })) {}

export async function main(body: unknown): Promise<string | null> {
  const commandBus = new CommandBus();
  const queryBus = new QueryBus();
  for (const Type of [OfZod, OfValibot, OfArktype]) {
    const made = new Type({ userId: "u1", age: "36", address: { city: "London" } });
    const age: number = made.age;
    const city: string = made.address.city;
    // @ts-expect-error the constructor takes the input of the schema
    void new Type({ userId: "u1", age, address: { city } });
    // @ts-expect-error a field is missing
    void new Type({ userId: "u1", age: "36" });
    // @ts-expect-error fields do not change
    made.userId = "u2";
  }
  const page: number = new ListUsers().page + new ListUsers({ page: 2 }).page + ListUsers.parse(body).page;
  void page;
  commandBus.register(OfZod, (command) => void command.city);
  await commandBus.dispatch(OfZod.parse(body));
  // @ts-expect-error an event is not a command
  void commandBus.dispatch(new UserCreated({ userId: "u1" }));
  // @ts-expect-error a handler must return the type of the query
  queryBus.register(GetUser, () => 42);
  return queryBus.ask(new GetUser({ userId: "u1" }));
}
