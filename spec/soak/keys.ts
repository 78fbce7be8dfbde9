// Messages under a million different keys, each waited for by a second one, half of which are aborted.
import { CommandBus } from "cqrx";
import { overlap } from "cqrx/middleware";
import { growthOf, report } from "./heap.js";

class Work {
  readonly key: string;

  constructor(key: string) {
    this.key = key;
  }
}

const bus = new CommandBus({ middleware: [overlap({ strategy: "concat", key: ({ key }: Work) => key })] });
bus.register(Work, () => Promise.resolve());

const keys = await growthOf(1_000_000, (n) => {
  const controller = new AbortController();
  const all = [
    bus.dispatch(new Work(`key ${n}`)),
    bus.dispatch(new Work(`key ${n}`), { signal: controller.signal }),
  ];
  if (n % 2 === 0) controller.abort();
  return Promise.allSettled(all);
});
await report(keys, bus);
