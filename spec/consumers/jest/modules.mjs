import { createRequire } from "node:module";
import { expect, test } from "@jest/globals";
import { Command, CommandBus } from "cqrx";
import { overlap } from "cqrx/middleware";

class CreateUser extends Command {}

test("both formats are one copy", async () => {
  const require = createRequire(import.meta.url);
  expect(require("cqrx").CommandBus).toBe(CommandBus);
  const commandBus = new CommandBus({
    middleware: [require("cqrx/middleware").overlap({ strategy: "concat" }), overlap({ strategy: "concat" })],
  });
  commandBus.register(CreateUser, async () => {
    throw new Error("must reach the caller");
  });
  await expect(commandBus.dispatch(new CreateUser())).rejects.toThrow("must reach the caller");
});
