import { commandBus } from "../contenders/cqrx.mjs";
import { handlers, Ping } from "../contenders/message.mjs";

async function observed(observe) {
  const { asyncHandler, handled } = handlers();
  const bus = await commandBus(asyncHandler);
  observe(bus);
  return { send: (i) => bus.dispatch(new Ping(i)), handled };
}

function assertEqual(actual, expected) {
  if (actual !== expected) throw new Error(`observed ${actual} instead of ${expected}`);
}

const messages = (bus) => bus.messages$.subscribe(({ meta }) => assertEqual(meta.name, "Ping"));
const outcomes = (bus) => bus.outcomes$.subscribe(({ status }) => assertEqual(status, "fulfilled"));

export default {
  title: "messages$ and outcomes$ observed",
  subject: "both observed",
  bars: { unobserved: { atMost: 1.6 } },
  contenders: {
    "both observed": () => observed((bus) => (messages(bus), outcomes(bus))),
    unobserved: () => observed(() => undefined),
    "messages$ observed": () => observed(messages),
    "outcomes$ observed": () => observed(outcomes),
  },
};
