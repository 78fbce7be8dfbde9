// Compiled, not run: the types as users see them, with the oldest and the newest supported compiler.
import { Command, CommandBus, CqrsError, Query, QueryBus } from "cqrx";

class CreateUser extends Command {
  constructor(readonly userId: string) {
    super();
  }
}

class GetUserEmail extends Query<string | null> {
  constructor(readonly userId: string) {
    super();
  }
}

export async function main(): Promise<string> {
  const emails = new Map<string, string>();
  const commandBus = new CommandBus();
  const queryBus = new QueryBus();
  commandBus.register(CreateUser, (command, { signal }) => {
    signal.throwIfAborted();
    emails.set(command.userId, "x@y.com");
  });
  queryBus.register(GetUserEmail, async (query) => emails.get(query.userId) ?? null);
  commandBus.outcomes$.subscribe((outcome) => {
    if (outcome.status === "rejected" && outcome.reason instanceof CqrsError)
      console.log(outcome.reason.code);
  });

  // @ts-expect-error the declarations leave out internal members
  void commandBus.engine;
  const nothing: void = await commandBus.dispatch(new CreateUser("u1"));
  const email: string | null = await queryBus.ask(new GetUserEmail("u1"));
  // @ts-expect-error the result type comes from the query
  const wrong: number = await queryBus.ask(new GetUserEmail("u1"));
  // @ts-expect-error a query is not a command
  void commandBus.dispatch(new GetUserEmail("u1"));
  // @ts-expect-error a class is not an instance of it
  void commandBus.dispatch(CreateUser);
  // @ts-expect-error the method is called handle
  commandBus.register(CreateUser, { execute: () => undefined });
  // @ts-expect-error a handler must return the type of the query
  queryBus.register(GetUserEmail, () => 42);
  return `${email} ${String(wrong)} ${String(nothing)}`;
}
