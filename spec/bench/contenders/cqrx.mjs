import { Ping } from "./message.mjs";

/** Not a static import: only the processes that measure cqrx load it. */
export const load = () => import("../node_modules/.cqrx/index.mjs");

/** A command bus with one handler. */
export async function commandBus(handler, options) {
  const { CommandBus } = await load();
  const bus = new CommandBus(options);
  bus.register(Ping, handler);
  return bus;
}

/** A query bus with one handler. */
export async function queryBus(type, handler, options) {
  const { QueryBus } = await load();
  const bus = new QueryBus(options);
  bus.register(type, handler);
  return bus;
}
