import { expect, test } from "@jest/globals";
import { Command, CommandBus, Query, QueryBus } from "cqrx";

class CreateUser extends Command {
  constructor(
    readonly userId: string,
    readonly email: string,
  ) {
    super();
  }
}

class GetUserEmail extends Query<string | null> {
  constructor(readonly userId: string) {
    super();
  }
}

test("a command, a query and an outcome", async () => {
  const emails = new Map<string, string>();
  const statuses: string[] = [];
  const commandBus = new CommandBus();
  const queryBus = new QueryBus();
  commandBus.register(CreateUser, ({ userId, email }) => void emails.set(userId, email));
  queryBus.register(GetUserEmail, ({ userId }) => emails.get(userId) ?? null);
  commandBus.outcomes$.subscribe(({ status }) => statuses.push(status));

  const done = commandBus.dispatch(new CreateUser("u1", "x@y.com"));

  expect(emails.get("u1")).toBe("x@y.com");
  await expect(done).resolves.toBeUndefined();
  await expect(queryBus.ask(new GetUserEmail("u1"))).resolves.toBe("x@y.com");
  expect(statuses).toEqual(["fulfilled"]);
});
