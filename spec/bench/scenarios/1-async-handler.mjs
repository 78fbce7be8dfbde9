import { commandBus } from "../contenders/cqrx.mjs";
import { FloorBus } from "../contenders/floor.mjs";
import { mediator } from "../contenders/mediatr.mjs";
import { handlers, Ping } from "../contenders/message.mjs";
import { NaiveBus } from "../contenders/naive-rxjs.mjs";
import { commandBus as nestCommandBus } from "../contenders/nest.mjs";

export default {
  title: "async handler, no middleware",
  subject: "cqrx",
  bars: { direct: { atMost: 3 }, "@nestjs/cqrs": { atMost: 1, aim: 0.7 } },
  counted: { bars: { floor: 1.3, "@nestjs/cqrs": 0.9 }, beside: ["direct"] },
  contenders: {
    async cqrx() {
      const { asyncHandler, handled } = handlers();
      const bus = await commandBus(asyncHandler);
      return { send: (i) => bus.dispatch(new Ping(i)), handled };
    },
    direct() {
      const { asyncHandler, handled } = handlers();
      return { send: (i) => asyncHandler(new Ping(i)), handled };
    },
    floor() {
      const { asyncHandler, handled } = handlers();
      const bus = new FloorBus();
      bus.register(Ping, asyncHandler);
      return { send: (i) => bus.dispatch(new Ping(i)), handled };
    },
    async "@nestjs/cqrs"() {
      const { asyncHandler, handled } = handlers();
      const bus = await nestCommandBus(asyncHandler);
      return { send: (i) => bus.execute(new Ping(i)), handled };
    },
    async "mediatr-ts"() {
      const { asyncHandler, handled } = handlers();
      return { ...(await mediator(asyncHandler)), handled };
    },
    "naive RxJS bus"() {
      const { asyncHandler, handled } = handlers();
      const bus = new NaiveBus();
      bus.register(Ping, asyncHandler);
      return { send: (i) => bus.dispatch(new Ping(i)), handled };
    },
  },
};
