import assert from "node:assert/strict";
import { Ping } from "./message.mjs";

const KEYS = 100;

export const keyOf = ({ value }) => value % KEYS;

/**
 * `makeDispatch` gets an async handler that must run one at a time per key, and in order. Of `inFlight` messages, which are sent at once and
 * awaited together, each key gets its share.
 */
export async function onePerKey(inFlight, makeDispatch) {
  let runs = 0;
  const last = new Array(KEYS).fill(-1);
  const busy = new Array(KEYS).fill(false);
  const dispatch = await makeDispatch(async (message) => {
    const key = keyOf(message);
    if (busy[key] || message.value <= last[key])
      assert.fail("messages of a key overlap, or overtake each other");
    busy[key] = true;
    last[key] = message.value;
    runs++;
    await undefined;
    busy[key] = false;
  });
  let value = 0;
  return {
    handled: () => runs,
    size: 10_000,
    async batch(count) {
      for (let sent = 0; sent < count; sent += inFlight) {
        if (inFlight === 1) await dispatch(new Ping(value++));
        else await Promise.all(Array.from({ length: inFlight }, () => dispatch(new Ping(value++))));
      }
    },
  };
}

/** The queue that one writes by hand: a failure does not end it, and a key that is idle is forgotten. */
export function promiseChain() {
  const tails = new Map();
  return (key, run) => {
    const tail = tails.get(key);
    const ended = tail === undefined ? run() : tail.then(run, run);
    tails.set(key, ended);
    const forget = () => {
      if (tails.get(key) === ended) tails.delete(key);
    };
    ended.then(forget, forget);
    return ended;
  };
}

/** A limiter for each key, kept for good: these libraries know no keys. */
export function limiterPerKey(makeLimiter) {
  const limiters = new Map();
  return (key, run) => {
    let limiter = limiters.get(key);
    if (limiter === undefined) limiters.set(key, (limiter = makeLimiter()));
    return limiter(run);
  };
}
