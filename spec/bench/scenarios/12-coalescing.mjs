import assert from "node:assert/strict";
import { load, queryBus } from "../contenders/cqrx.mjs";
import { Get } from "../contenders/message.mjs";

const EQUAL = 1000;

/** Asks 1,000 times for the same; the handler must run once for `share` of them. */
async function equal(share, makeAsk) {
  let runs = 0;
  const { ask, begin = () => undefined } = await makeAsk(async (id) => {
    runs++;
    await undefined;
    return id;
  });
  let id = 0;
  return {
    size: 10 * EQUAL,
    async batch(count) {
      for (let sent = 0; sent < count; sent += EQUAL) {
        begin();
        id++;
        const results = await Promise.all(Array.from({ length: EQUAL }, () => ask(new Get(id))));
        assert.equal(results[EQUAL - 1], id);
      }
    },
    handled: () => runs * share,
  };
}

async function bus(handler, middleware) {
  const bus = await queryBus(Get, ({ id }) => handler(id), { middleware });
  return { ask: (query) => bus.ask(query) };
}

async function coalesced(handler, options) {
  const { coalescing } = await load();
  return bus(handler, [coalescing(options)]);
}

function mapOfPromises(handler) {
  const running = new Map();
  const ask = ({ id }) => {
    let run = running.get(id);
    if (run === undefined) {
      run = handler(id);
      running.set(id, run);
      const forget = () => running.delete(id);
      run.then(forget, forget);
    }
    return run;
  };
  return { ask };
}

async function lruCacheFetch(handler) {
  const { LRUCache } = await import("lru-cache");
  const cache = new LRUCache({ max: EQUAL, fetchMethod: handler });
  // It also caches its results, which is not compared here.
  return { ask: ({ id }) => cache.fetch(id), begin: () => cache.clear() };
}

export default {
  title: "coalescing, 1,000 equal asks at once",
  subject: "cqrx, key by id",
  contenders: {
    "cqrx, key by id": () => equal(EQUAL, (handler) => coalesced(handler, { key: ({ id }) => id })),
    "cqrx, default key": () => equal(EQUAL, (handler) => coalesced(handler)),
    "cqrx, not coalesced": () => equal(1, (handler) => bus(handler, [])),
    "lru-cache fetch": () => equal(EQUAL, lruCacheFetch),
    "Map of promises": () => equal(EQUAL, mapOfPromises),
  },
};
