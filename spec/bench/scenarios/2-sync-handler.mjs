import { commandBus } from "../contenders/cqrx.mjs";
import { FloorBus } from "../contenders/floor.mjs";
import { mediator } from "../contenders/mediatr.mjs";
import { handlers, Ping } from "../contenders/message.mjs";
import { commandBus as nestCommandBus } from "../contenders/nest.mjs";

export default {
  title: "synchronous handler, no middleware",
  subject: "cqrx",
  bars: { "@nestjs/cqrs": { atMost: 0.8 } },
  counted: { bars: { "@nestjs/cqrs": 0.55 }, beside: ["direct", "floor"] },
  contenders: {
    async cqrx() {
      const { syncHandler, handled } = handlers();
      const bus = await commandBus(syncHandler);
      return { send: (i) => bus.dispatch(new Ping(i)), handled };
    },
    direct() {
      const { syncHandler, handled } = handlers();
      return { send: (i) => syncHandler(new Ping(i)), handled };
    },
    floor() {
      const { syncHandler, handled } = handlers();
      const bus = new FloorBus();
      bus.register(Ping, syncHandler);
      return { send: (i) => bus.dispatch(new Ping(i)), handled };
    },
    async "@nestjs/cqrs"() {
      const { syncHandler, handled } = handlers();
      const bus = await nestCommandBus(syncHandler);
      return { send: (i) => bus.execute(new Ping(i)), handled };
    },
    async "mediatr-ts"() {
      const { syncHandler, handled } = handlers();
      return { ...(await mediator(syncHandler)), handled };
    },
  },
};
