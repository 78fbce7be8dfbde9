import { commandBus, load } from "../contenders/cqrx.mjs";
import { handlers, Ping } from "../contenders/message.mjs";

/** Messages a second, of which 500 are kept: up to here the inspector looks at every message. */
const RATE = 10_000;
/** The first messages, which come so slowly that all are kept, because a process that has run for a while keeps them in hot code. */
const [FIRST, FIRST_RATE] = [30_000, 500];

/**
 * Under callgrind a process is much slower than any other, and the inspector keeps so many messages a second. So the clock goes by the
 * messages that were sent.
 */
function clockByMessages() {
  const { now } = Date;
  let nowMs = now();
  // The clock is read all the same, because reading it is a part of what the inspector costs.
  Date.now = () => (now(), nowMs);
  return (i) => void (nowMs += 1_000 / (i < FIRST ? FIRST_RATE : RATE));
}

export async function looked(look) {
  const { asyncHandler, handled } = handlers();
  const tick = clockByMessages();
  const bus = await commandBus(asyncHandler);
  let sent = 0;
  await look(bus, (await load()).inspect);
  return {
    send(i) {
      tick(sent++);
      return bus.dispatch(new Ping(i));
    },
    handled,
  };
}

export function twoObservers(bus) {
  bus.messages$.subscribe(() => undefined);
  bus.outcomes$.subscribe(() => undefined);
}

export default {
  title: `cqrx/inspector attached, ${RATE} messages a second`,
  subject: "attached",
  bars: { "two plain observers": { atMost: 1.5 } },
  counted: {
    bars: { "two plain observers": 1.5 },
    beside: ["attached, no message kept", "attached, every message kept"],
  },
  contenders: {
    attached: () => looked((bus, inspect) => inspect(bus)),
    "attached, no message kept": () => looked((bus, inspect) => inspect(bus, { maxPerSecond: 0 })),
    "attached, every message kept": () => looked((bus, inspect) => inspect(bus, { maxPerSecond: 1e6 })),
    "two plain observers": () => looked(twoObservers),
  },
};
