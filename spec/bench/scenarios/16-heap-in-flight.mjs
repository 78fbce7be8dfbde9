import assert from "node:assert/strict";
import { commandBus } from "../contenders/cqrx.mjs";
import { FloorBus } from "../contenders/floor.mjs";
import { Ping } from "../contenders/message.mjs";

const IN_FLIGHT = 100_000;

function heapUsed() {
  for (let times = 0; times < 3; times++) globalThis.gc();
  return process.memoryUsage().heapUsed;
}

/** The heap that a message takes while its handler waits: the message, its promises, and the record of the bus. */
async function waiting(makeDispatch) {
  let runs = 0;
  let gate;
  const dispatch = await makeDispatch(async () => {
    runs++;
    await gate;
  });

  async function bytesPerMessage() {
    let open;
    gate = new Promise((resolve) => (open = resolve));
    const dispatched = new Array(IN_FLIGHT);
    const before = heapUsed();
    for (let i = 0; i < IN_FLIGHT; i++) dispatched[i] = dispatch(new Ping(i));
    const bytes = (heapUsed() - before) / IN_FLIGHT;
    open();
    await Promise.all(dispatched);
    return bytes;
  }

  return {
    async measure() {
      const samples = [];
      for (let round = 0; round < 5; round++) samples.push(await bytesPerMessage());
      assert.equal(runs, IN_FLIGHT * samples.length);
      const last = samples.at(-1);
      return { median: last, best: last, samples };
    },
  };
}

async function cqrx(handler) {
  const bus = await commandBus(handler);
  return (message) => bus.dispatch(message);
}

function floor(handler) {
  const bus = new FloorBus();
  bus.register(Ping, handler);
  return (message) => bus.dispatch(message);
}

const direct = (handler) => handler;

export default {
  title: "heap of a message in flight",
  subject: "cqrx",
  unit: "bytes",
  nodeOptions: ["--expose-gc"],
  counted: { bars: { direct: 700 } },
  contenders: {
    cqrx: () => waiting(cqrx),
    floor: () => waiting(floor),
    direct: () => waiting(direct),
  },
};
