// Messages from schemas: fields by the schema's output, the constructor by its input, the same for every library.
/* eslint-disable @typescript-eslint/no-unused-vars -- values are here for their types */
import {
  defineCommand,
  defineEvent,
  defineQuery,
  Envelope,
  ofType,
  type CommandBus,
  type EventBus,
  type QueryBus,
} from "cqrx";
import { type } from "arktype";
import type { Observable } from "rxjs";
import * as v from "valibot";
import { z } from "zod";
import { holds, type Equal } from "./equal.js";

declare const commandBus: CommandBus;
declare const queryBus: QueryBus;
declare const eventBus: EventBus;
declare const body: unknown;

interface User {
  readonly name: string;
}

const zodSchema = z.object({
  userId: z.string(),
  age: z.string().transform(Number),
  address: z.object({ city: z.string(), zip: z.string().optional() }),
  tags: z.array(z.string()).default([]),
});
const valibotSchema = v.object({
  userId: v.string(),
  age: v.pipe(v.string(), v.transform(Number)),
  address: v.object({ city: v.string(), zip: v.optional(v.string()) }),
  tags: v.optional(v.array(v.string()), []),
});
const arktypeSchema = type({
  userId: "string",
  age: "string.numeric.parse",
  address: { city: "string", "zip?": "string" },
  tags: type("string[]").default(() => []),
});

class OfZod extends defineCommand("zod", zodSchema, { output: zodSchema.extend({ age: z.number() }) }) {
  readonly #secret = 1;
  static readonly version = 2;
  get city(): string {
    return this.address.city + String(this.#secret);
  }
}
class OfValibot extends defineCommand("valibot", valibotSchema) {}
class OfArktype extends defineCommand("arktype", arktypeSchema) {}
class GetUser extends defineQuery<User | null>()("users.get", z.object({ userId: z.string() })) {}
class UserCreated extends defineEvent("users.created", z.object({ userId: z.string() })) {}
class AdminCreated extends UserCreated {}

export function fields(): void {
  for (const Type of [OfZod, OfValibot, OfArktype] as const) {
    const made = new Type({ userId: "u1", age: "36", address: { city: "London" } });
    holds<Equal<typeof made.userId, string>>();
    holds<Equal<typeof made.age, number>>();
    const tags: string[] = made.tags;
    // @ts-expect-error tags are texts
    const numbers: number[] = tags;
    const { city }: { city: string; zip?: string | undefined } = made.address;
    // @ts-expect-error fields do not change
    made.userId = city;
    // @ts-expect-error the schema knows no such field
    void made.name;
    // @ts-expect-error the constructor takes the input of the schema
    void new Type({ userId: "u1", age: 36, address: { city: "London" } });
    // @ts-expect-error a field is missing
    void new Type({ userId: "u1", age: "36" });
    // @ts-expect-error an argument is needed
    void new Type();
  }
}

/** Where no field is required, neither is the argument. */
export function withoutRequired(): void {
  class ListUsers extends defineQuery<User[]>()(
    "users.list",
    z.object({ page: z.number().default(1), text: z.string().optional() }),
  ) {}
  class Reload extends defineCommand("reload", z.object({})) {}
  void new Reload();
  const { page, text } = new ListUsers();
  holds<Equal<typeof page, number>>();
  holds<Equal<typeof text, string | undefined>>();
  void new ListUsers({ page: 2 });
  // @ts-expect-error the schema wants a number
  void new ListUsers({ page: "2" });
  const read = ListUsers.parse(body);
  holds<Equal<typeof read, ListUsers>>();
  queryBus.register(ListUsers, (query) => [{ name: String(query.page) }]);
}

export function classes(): void {
  const made = OfZod.parse(body);
  holds<Equal<typeof made, OfZod>>();
  holds<Equal<typeof made.city, string>>();
  const below = AdminCreated.parse(body);
  holds<Equal<typeof below, AdminCreated>>();
  const read = Envelope.fromJSON("{}", OfZod);
  holds<Equal<typeof read.payload, OfZod>>();

  class Own extends UserCreated {
    constructor(first: string, second: string) {
      super({ userId: first + second });
    }
  }
  // @ts-expect-error the constructor of the class takes something else
  Own.parse(body);
  // @ts-expect-error a schema describes an object
  defineCommand("text", z.string());
  // @ts-expect-error the output is another
  defineCommand("other", z.object({ a: z.string() }), { output: z.object({ a: z.number() }) });
}

export function buses(): void {
  commandBus.register(OfZod, (message, context) => {
    holds<Equal<typeof message, OfZod>>();
    holds<Equal<typeof context.envelope, Envelope<OfZod>>>();
  });
  queryBus.register(GetUser, ({ userId }) => ({ name: userId }));
  // @ts-expect-error not the result of the query
  queryBus.register(GetUser, ({ userId }) => userId);
  const user = queryBus.ask(new GetUser({ userId: "u1" }));
  holds<Equal<typeof user, Promise<User | null>>>();
  eventBus.register(UserCreated, ({ userId }) => void userId.length);
  const created$ = eventBus.messages$.pipe(ofType(UserCreated));
  holds<Equal<typeof created$, Observable<Envelope<UserCreated>>>>();
  // @ts-expect-error an event is published
  commandBus.dispatch(new UserCreated({ userId: "u1" }));
  // @ts-expect-error a class is not an instance of it
  commandBus.dispatch(OfZod);
}
