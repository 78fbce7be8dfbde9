import { commandBus } from "../contenders/cqrx.mjs";
import { FloorBus } from "../contenders/floor.mjs";
import { Ping } from "../contenders/message.mjs";
import { commandBus as nestCommandBus } from "../contenders/nest.mjs";

/** `makeSend` gets an async handler that sends another message until `depth` of them wait for each other. Each one counts. */
async function nested(depth, makeSend) {
  let runs = 0;
  const send = await makeSend(async (message, context) => {
    runs++;
    if (message.value > 1) await send(new Ping(message.value - 1), context);
  });
  return {
    handled: () => runs,
    size: depth * 100,
    async batch(count) {
      for (let sent = 0; sent < count; sent += depth) await send(new Ping(depth));
    },
  };
}

async function cqrx(handler) {
  const bus = await commandBus(handler);
  return (message) => bus.dispatch(message);
}

async function causedBy(handler) {
  const bus = await commandBus(handler);
  return (message, context) => bus.dispatch(message, context && { causedBy: context });
}

function floor(handler) {
  const bus = new FloorBus();
  bus.register(Ping, handler);
  return (message) => bus.dispatch(message);
}

async function nest(handler) {
  const bus = await nestCommandBus(handler);
  return (message) => bus.execute(message);
}

const direct = (handler) => handler;

export default {
  title: "commands sent by handlers of commands",
  subject: "cqrx, 16 deep",
  contenders: {
    "cqrx, 16 deep": () => nested(16, cqrx),
    "cqrx, 64 deep": () => nested(64, cqrx),
    "cqrx, causedBy, 16 deep": () => nested(16, causedBy),
    "cqrx, causedBy, 64 deep": () => nested(64, causedBy),
    "direct, 16 deep": () => nested(16, direct),
    "direct, 64 deep": () => nested(64, direct),
    "floor, 16 deep": () => nested(16, floor),
    "@nestjs/cqrs, 16 deep": () => nested(16, nest),
  },
};
