import { createRequire } from "node:module";
import { Command, CommandBus, Query, QueryBus } from "cqrx";
import { overlap } from "cqrx/middleware";
import { expect, test, vi } from "vitest";

class CreateUser extends Command {
  constructor(readonly userId: string) {
    super();
  }
}

class CountUsers extends Query<number> {}

test("the package runs a command and a query, and emits an outcome", async () => {
  const users: string[] = [];
  const statuses: string[] = [];
  const commandBus = new CommandBus({ middleware: [overlap({ strategy: "concat" })] });
  const queryBus = new QueryBus();
  commandBus.register(CreateUser, async ({ userId }) => void users.push(userId));
  queryBus.register(CountUsers, () => users.length);
  commandBus.outcomes$.subscribe(({ status }) => statuses.push(status));

  await expect(commandBus.dispatch(new CreateUser("u1"))).resolves.toBeUndefined();

  await expect(queryBus.ask(new CountUsers())).resolves.toBe(1);
  expect(statuses).toEqual(["fulfilled"]);
});

test("import and require load the same copy", async () => {
  const require = createRequire(import.meta.url);
  expect(require("cqrx").CommandBus).toBe(CommandBus);
  expect(require("cqrx/middleware").overlap).toBe(overlap);
});

test("vi.resetModules() keeps the packages, so that there is still one copy", async () => {
  vi.resetModules();
  const again = await import("cqrx");
  expect(again.CommandBus).toBe(CommandBus);
  expect(() => new again.CommandBus({ middleware: [overlap({ strategy: "concat" })] })).not.toThrow();
});
