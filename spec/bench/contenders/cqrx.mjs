import { Ping } from "./message.mjs";

let loaded = false;

/** Not a static import, because only the processes that measure cqrx may load it. */
export function load() {
  loaded = true;
  return import(process.env.CQRX_BUNDLE ?? "../node_modules/.cqrx/index.mjs");
}

/** Tells whether the contender of this process uses cqrx. */
export const usesCqrx = () => loaded;

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
