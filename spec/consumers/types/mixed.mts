// Compiled, not run: the types of both formats are one, as the values are.
import { CommandBus, type Middleware } from "cqrx";
import { commandBus, middleware } from "./dependency.cjs";

export const own: CommandBus = commandBus;
export const shared: readonly Middleware[] = middleware;
export const another = new CommandBus({ middleware });
