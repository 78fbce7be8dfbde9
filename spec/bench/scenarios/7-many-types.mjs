import { load } from "../contenders/cqrx.mjs";
import { handlers } from "../contenders/message.mjs";

/** Distinct classes of one shape each, as in a program that has so many. */
function classes(count) {
  return Array.from(
    { length: count },
    () =>
      class {
        constructor(value) {
          this.value = value;
        }
      },
  );
}

/** Registers `registered` types and sends `used` of them, evenly spread, in turn. */
async function types(registered, used, makeBus) {
  const { asyncHandler, handled } = handlers();
  const bus = await makeBus();
  const all = classes(registered);
  // A handler each, as in a program.
  for (const type of all) bus.register(type, (message) => asyncHandler(message));
  const sent = all.filter((_, index) => index % (registered / used) === 0);
  return { send: (i) => bus.dispatch(new sent[i % used](i)), handled };
}

async function cqrx() {
  const { CommandBus } = await load();
  return new CommandBus();
}

/** The least cost of a look-up. */
function byHand() {
  const registered = new Map();
  return {
    register: (type, handler) => registered.set(type, handler),
    dispatch: (message) => registered.get(message.constructor)(message),
  };
}

export default {
  title: "10,000 registered types",
  subject: "cqrx, 10 of 10,000 types sent",
  bars: { "cqrx, 10 of 10 types sent": { atMost: 1.2, aim: 1 } },
  contenders: {
    "cqrx, 10 of 10,000 types sent": () => types(10_000, 10, cqrx),
    "cqrx, 10 of 10 types sent": () => types(10, 10, cqrx),
    "cqrx, all of 10,000 types sent": () => types(10_000, 10_000, cqrx),
    "Map, all of 10,000 types sent": () => types(10_000, 10_000, byHand),
  },
};
