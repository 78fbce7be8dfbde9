import { load } from "../contenders/cqrx.mjs";
import { handlers, Ping } from "../contenders/message.mjs";
import { eventBus } from "../contenders/nest.mjs";

export default {
  title: "publish to three async handlers",
  subject: "cqrx",
  contenders: {
    async cqrx() {
      const { EventBus } = await load();
      const { asyncHandler, handled } = handlers();
      const bus = new EventBus();
      for (let count = 0; count < 3; count++) bus.register(Ping, (event) => asyncHandler(event));
      return { send: (i) => bus.publish(new Ping(i)), handled, handlers: 3 };
    },
    "Promise.all by hand"() {
      const { asyncHandler, handled } = handlers();
      const all = [0, 1, 2].map(() => (event) => asyncHandler(event));
      return {
        send(i) {
          const event = new Ping(i);
          return Promise.all(all.map((handler) => handler(event)));
        },
        handled,
        handlers: 3,
      };
    },
    // Its publish() does not tell when the handlers have ended.
    async "@nestjs/cqrs, not awaiting the handlers"() {
      const { asyncHandler, handled } = handlers();
      const bus = await eventBus([0, 1, 2].map(() => (event) => asyncHandler(event)));
      return { send: (i) => bus.publish(new Ping(i)), handled, handlers: 3 };
    },
  },
};
