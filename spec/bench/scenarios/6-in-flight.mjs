import { commandBus } from "../contenders/cqrx.mjs";
import { Ping } from "../contenders/message.mjs";

/** `makeDispatch` gets a handler that waits for a gate; the gate opens when `inFlight` messages wait. */
async function gated(inFlight, makeDispatch) {
  let runs = 0;
  let gate;
  const dispatch = await makeDispatch(async () => {
    runs++;
    await gate;
  });
  return {
    handled: () => runs,
    size: 100_000,
    async batch(count) {
      for (let sent = 0; sent < count; sent += inFlight) {
        let open;
        gate = new Promise((resolve) => (open = resolve));
        const dispatched = Array.from({ length: inFlight }, (_, i) => dispatch(new Ping(i)));
        open();
        await Promise.all(dispatched);
      }
    },
  };
}

async function cqrx(handler) {
  const bus = await commandBus(handler);
  return (message) => bus.dispatch(message);
}

const direct = (handler) => handler;

export default {
  title: "many in flight",
  subject: "cqrx, 100,000",
  // The young generation has to hold the messages in flight; with Node's 16 MiB the garbage collector's copying is measured,
  // and direct calls alone take seven times as long.
  nodeOptions: ["--max-semi-space-size=128"],
  bars: { "cqrx, 1,000": { atMost: 2 } },
  counted: false,
  contenders: {
    "cqrx, 100,000": () => gated(100_000, cqrx),
    "cqrx, 1,000": () => gated(1000, cqrx),
    "direct, 100,000": () => gated(100_000, direct),
    "direct, 1,000": () => gated(1000, direct),
  },
};
