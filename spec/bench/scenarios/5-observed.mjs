import { commandBus } from "../contenders/cqrx.mjs";
import { handlers, Ping } from "../contenders/message.mjs";

async function observed(observe, options) {
  const { asyncHandler, handled } = handlers();
  const bus = await commandBus(asyncHandler, options);
  observe(bus);
  return { send: (i) => bus.dispatch(new Ping(i)), handled };
}

function assertEqual(actual, expected) {
  if (actual !== expected) throw new Error(`observed ${actual} instead of ${expected}`);
}

const messages = (bus) => bus.messages$.subscribe(({ payload }) => assertEqual(payload.constructor, Ping));
const outcomes = (bus) => bus.outcomes$.subscribe(({ status }) => assertEqual(status, "fulfilled"));
const both = (bus) => (messages(bus), outcomes(bus));
/** Reads a message as an audit log does, so that the bus makes its id, its time and the rest. */
const metadata = (bus) => bus.messages$.subscribe(({ meta }) => assertEqual(meta.name, "Ping"));

/** A clock that costs nothing, because two readings of a real one are most of the cost of observing, and differ by machine. */
const freeClock = { now: () => 0, monotonicNow: () => 0 };

export default {
  title: "messages$ and outcomes$ observed",
  subject: "both observed",
  bars: { unobserved: { atMost: 1.6 } },
  counted: { subject: "both observed, with a clock that costs nothing", bars: { unobserved: 1.5 } },
  contenders: {
    "both observed": () => observed(both),
    unobserved: () => observed(() => undefined),
    "messages$ observed": () => observed(messages),
    "outcomes$ observed": () => observed(outcomes),
    "both observed, metadata read": () => observed((bus) => (metadata(bus), outcomes(bus))),
    "both observed, with a clock that costs nothing": () => observed(both, { clock: freeClock }),
  },
};
