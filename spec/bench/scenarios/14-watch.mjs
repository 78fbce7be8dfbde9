import { distinctUntilChanged, shareReplay, startWith, Subject, switchMap } from "rxjs";
import { commandBus, load } from "../contenders/cqrx.mjs";
import { Get, Ping } from "../contenders/message.mjs";

const WATCHERS = 1000;

/**
 * One change after the other, each awaited until the last watcher has seen it. `make` gets a handler, which must run once for each
 * change, and returns how to make a change and how to watch.
 */
async function watched(make) {
  let value = 0;
  let runs = 0;
  let shown = 0;
  let allSaw;
  const read = async () => {
    runs++;
    return value;
  };
  const { change, watch } = await make(read);
  const first = new Promise((resolve) => (allSaw = resolve));
  for (let index = 1; index <= WATCHERS; index++) {
    watch().subscribe((result) => {
      shown++;
      if (index === WATCHERS && result === value) allSaw();
    });
  }
  await first;
  // Who joins with something new to listen to may have it read again.
  await new Promise((resolve) => setTimeout(resolve, 10));
  const before = { runs, shown };
  return {
    // With the batches that are measured at least 10,000 changes.
    size: 1000,
    warmUp: 5000,
    async send() {
      const seen = new Promise((resolve) => (allSaw = resolve));
      value++;
      void change();
      await seen;
    },
    handled: () => (shown - before.shown === (runs - before.runs) * WATCHERS ? runs - before.runs : NaN),
  };
}

async function buses(read, makeRefresh) {
  const { fulfilled, ofType, QueryBus } = await load();
  const commands = await commandBus(() => undefined);
  const queries = new QueryBus();
  const changes = () => commands.outcomes$.pipe(ofType(Ping), fulfilled());
  queries.register(Get, read, makeRefresh?.(changes));
  return { queries, changes, change: () => commands.dispatch(new Ping(0)) };
}

/** As one writes it without `watch`. */
function byHand(changes$, read) {
  return changes$.pipe(
    startWith(undefined),
    switchMap(() => read()),
    distinctUntilChanged(),
    shareReplay({ bufferSize: 1, refCount: true }),
  );
}

export default {
  title: "one change seen by 1,000 watchers of one query",
  subject: "cqrx, watch",
  warmUp: 3000,
  count: 1000,
  contenders: {
    "cqrx, watch": () =>
      watched(async (read) => {
        const { queries, change } = await buses(read, (changes) => ({ refreshOn: changes() }));
        return { change, watch: () => queries.watch(new Get(1)) };
      }),
    "cqrx, shareReplay and switchMap": () =>
      watched(async (read) => {
        const { queries, changes, change } = await buses(read);
        const live$ = byHand(changes(), () => queries.ask(new Get(1)));
        return { change, watch: () => live$ };
      }),
    "no bus, shareReplay and switchMap": () =>
      watched((read) => {
        const changes$ = new Subject();
        const live$ = byHand(changes$, read);
        return { change: () => changes$.next(), watch: () => live$ };
      }),
    "cqrx, watch, a refreshOn of its own for each": () =>
      watched(async (read) => {
        const { queries, changes, change } = await buses(read);
        return { change, watch: () => queries.watch(new Get(1), { refreshOn: changes() }) };
      }),
  },
};
