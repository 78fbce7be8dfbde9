import { koaCompose, plainCompose } from "./compose.mjs";
import { commandBus, load } from "./cqrx.mjs";
import { handlers, Ping } from "./message.mjs";

/** Three times the same middleware over an async handler; `makeMiddleware` returns a new function each time. */
export function threeAround(makeMiddleware) {
  const three = () => [makeMiddleware(), makeMiddleware(), makeMiddleware()];
  return {
    async cqrx() {
      const { around } = await load();
      const { asyncHandler, handled } = handlers();
      const bus = await commandBus(asyncHandler, { middleware: three().map((call) => around(call)) });
      return { send: (i) => bus.dispatch(new Ping(i)), handled };
    },
    "koa-style compose"() {
      const { asyncHandler, handled } = handlers();
      const run = koaCompose(three());
      return { send: (i) => run(new Ping(i), asyncHandler), handled };
    },
    "closures, no guard"() {
      const { asyncHandler, handled } = handlers();
      const run = plainCompose(three(), asyncHandler);
      return { send: (i) => run(new Ping(i)), handled };
    },
  };
}
