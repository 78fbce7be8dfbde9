import { load } from "../contenders/cqrx.mjs";
import { handlers, Ping } from "../contenders/message.mjs";
import { queryBus } from "../contenders/nest.mjs";

export default {
  title: "ask, async handler",
  subject: "cqrx",
  contenders: {
    async cqrx() {
      const { QueryBus } = await load();
      const { asyncHandler, handled } = handlers();
      const bus = new QueryBus();
      bus.register(Ping, asyncHandler);
      return { send: (i) => bus.ask(new Ping(i)), handled };
    },
    async "@nestjs/cqrs"() {
      const { asyncHandler, handled } = handlers();
      const bus = await queryBus(asyncHandler);
      return { send: (i) => bus.execute(new Ping(i)), handled };
    },
  },
};
