import { load, queryBus } from "../contenders/cqrx.mjs";
import { Get } from "../contenders/message.mjs";

const QUERIES = 100;
const byId = ({ id }) => id;

/** `makeAsk` gets a handler that must run once for each query, and never again. */
async function cached(makeAsk) {
  let runs = 0;
  const ask = await makeAsk((id) => {
    runs++;
    return `result ${id}`;
  });
  for (let id = 0; id < QUERIES; id++) await ask(new Get(id));
  const { batch, handled } = asking(ask);
  return { batch, handled: () => (runs === QUERIES ? handled() : NaN) };
}

/** Counts the answers. */
function asking(ask) {
  let answers = 0;
  return {
    async batch(count) {
      for (let i = 0; i < count; i++) {
        const answer = await ask(new Get(i % QUERIES));
        if (answer.startsWith("result")) answers++;
      }
    },
    handled: () => answers,
  };
}

async function lruCache(options) {
  const { LRUCache } = await import("lru-cache");
  return new LRUCache({ max: 1000, ...options });
}

async function caching(handler, options) {
  const { caching } = await load();
  const store = await lruCache();
  const bus = await queryBus(Get, ({ id }) => handler(id), { middleware: [caching({ store, ...options })] });
  return (query) => bus.ask(query);
}

/** The share of the bus itself in the time. */
async function uncached() {
  const bus = await queryBus(Get, ({ id }) => `result ${id}`);
  return asking((query) => bus.ask(query));
}

export default {
  title: "caching, a hit",
  subject: "cqrx, key by id",
  bars: { "lru-cache get, resolved promise": { atMost: 1.5 } },
  contenders: {
    "cqrx, key by id": () => cached((handler) => caching(handler, { key: byId })),
    "lru-cache get, resolved promise": () =>
      cached(async (handler) => {
        const store = await lruCache();
        return ({ id }) => {
          let result = store.get(id);
          if (result === undefined) store.set(id, (result = handler(id)));
          return Promise.resolve(result);
        };
      }),
    "cqrx, default key": () => cached((handler) => caching(handler)),
    "cqrx, no cache, synchronous handler": uncached,
    "lru-cache fetch": () =>
      cached(async (handler) => {
        const store = await lruCache({ fetchMethod: async (id) => handler(id) });
        return ({ id }) => store.fetch(id);
      }),
  },
};
