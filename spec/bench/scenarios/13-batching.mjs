import assert from "node:assert/strict";
import { load, queryBus } from "../contenders/cqrx.mjs";
import { Get } from "../contenders/message.mjs";

const TOGETHER = 100;

/** `makeAsk` gets a function that loads all the ids it is given, which must be those of all queries that were asked together. */
async function batched(makeAsk) {
  let loads = 0;
  const ask = await makeAsk(async (ids) => {
    loads++;
    return ids.map((id) => id + 1);
  });
  let id = 0;
  return {
    size: 10_000,
    async batch(count) {
      for (let sent = 0; sent < count; sent += TOGETHER) {
        const first = id;
        const results = await Promise.all(Array.from({ length: TOGETHER }, () => ask(new Get(id++))));
        for (let i = 0; i < TOGETHER; i++) if (results[i] !== first + i + 1) assert.fail("a wrong result");
      }
    },
    handled: () => loads * TOGETHER,
  };
}

export default {
  title: "batching, 100 queries per load",
  subject: "cqrx",
  contenders: {
    cqrx: () =>
      batched(async (loadAll) => {
        const { batching } = await load();
        const loader = batching({ load: (queries) => loadAll(queries.map(({ id }) => id)) });
        const bus = await queryBus(Get, () => assert.fail("not batched"), { middleware: [loader] });
        return (query) => bus.ask(query);
      }),
    // Its cache would be another matter.
    "dataloader, no cache": () =>
      batched(async (loadAll) => {
        const { default: DataLoader } = await import("dataloader");
        const loader = new DataLoader(loadAll, { cache: false });
        return ({ id }) => loader.load(id);
      }),
    "dataloader, no cache, in a microtask": () =>
      batched(async (loadAll) => {
        const { default: DataLoader } = await import("dataloader");
        const loader = new DataLoader(loadAll, { cache: false, batchScheduleFn: queueMicrotask });
        return ({ id }) => loader.load(id);
      }),
  },
};
