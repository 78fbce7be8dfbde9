import { expect, jest, test } from "@jest/globals";
import { Command, CommandBus, Query, QueryBus } from "cqrx";
import { timeLimit } from "cqrx/middleware";

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

test("the package runs a command and a query, and emits an outcome", async () => {
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

test("what was imported before jest.resetModules() is refused afterwards, with a cure", () => {
  jest.resetModules();
  const again: typeof import("cqrx") = require("cqrx");
  expect(again.CommandBus).not.toBe(CommandBus);
  expect(() => new again.CommandBus({ middleware: [timeLimit(1_000)] })).toThrow("two copies of cqrx");
  const middleware = [(require("cqrx/middleware") as typeof import("cqrx/middleware")).timeLimit(1_000)];
  expect(() => new again.CommandBus({ middleware })).not.toThrow();
});
