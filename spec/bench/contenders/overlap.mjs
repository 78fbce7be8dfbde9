import { commandBus, load } from "./cqrx.mjs";
import { keyOf, limiterPerKey, onePerKey, promiseChain } from "./one-per-key.mjs";

async function overlap(handler) {
  const { overlap } = await load();
  const bus = await commandBus(handler, { middleware: [overlap({ strategy: "concat", key: keyOf })] });
  return (message) => bus.dispatch(message);
}

async function chainInAround(handler) {
  const { around } = await load();
  const chain = promiseChain();
  const chained = around((message, next) => chain(keyOf(message), next));
  const bus = await commandBus(handler, { middleware: [chained] });
  return (message) => bus.dispatch(message);
}

const queued = (queue) => (handler) => (message) => queue(keyOf(message), () => handler(message));

async function pLimit(handler) {
  const { default: limit } = await import("p-limit");
  return queued(limiterPerKey(() => limit(1)))(handler);
}

async function pQueue(handler) {
  const { default: Queue } = await import("p-queue");
  const makeLimiter = () => {
    const queue = new Queue({ concurrency: 1 });
    return (run) => queue.add(run);
  };
  return queued(limiterPerKey(makeLimiter))(handler);
}

/** One at a time per key, by all who can do that. */
export function onePerKeyContenders(inFlight) {
  return {
    cqrx: () => onePerKey(inFlight, overlap),
    "promise chain per key": () => onePerKey(inFlight, queued(promiseChain())),
    "cqrx, the chain in around()": () => onePerKey(inFlight, chainInAround),
    "p-limit per key": () => onePerKey(inFlight, pLimit),
    "p-queue per key": () => onePerKey(inFlight, pQueue),
  };
}
