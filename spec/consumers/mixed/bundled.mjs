// Bundled by esbuild, which takes the ES modules for both.
import { CommandBus } from "cqrx";
import { overlap } from "cqrx/middleware";

const cjs = require("cqrx");
if (cjs.CommandBus !== CommandBus) throw new Error("two copies in one bundle");

class CreateUser {}
const commandBus = new cjs.CommandBus({ middleware: [overlap({ strategy: "concat" })] });
commandBus.register(CreateUser, async () => {
  throw new Error("must reach the caller");
});
const error = await commandBus.dispatch(new CreateUser()).catch((reason) => reason);
if (error?.message !== "must reach the caller") throw new Error("the error of the handler is lost");
console.log("done");
