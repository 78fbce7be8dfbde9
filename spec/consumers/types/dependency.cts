// A CommonJS dependency with a bus in its interface.
import { CommandBus } from "cqrx";
import { timeLimit } from "cqrx/middleware";

export const commandBus = new CommandBus();
export const middleware = [timeLimit(1_000)];
