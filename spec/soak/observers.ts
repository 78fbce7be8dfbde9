// A million messages of 1 kB past observers that never come to an end with any of them.
import { CommandBus, Query, QueryBus } from "cqrx";
import { filter, ReplaySubject } from "rxjs";
import { growthOf, report } from "./heap.js";

class Work {
  readonly text: Buffer;

  constructor(n: number) {
    this.text = Buffer.alloc(1_024, n % 256);
  }
}
class Count extends Query<number> {}

const never = (() => new Promise(() => undefined)) as () => void;
const bus = new CommandBus();
let handled = 0;
bus.register(Work, () => void handled++);
bus.messages$.subscribe(never);
bus.outcomes$.subscribe(never);
bus.faults$.subscribe(never);
// The last hundred, on request.
const last = new ReplaySubject<unknown>(100);
bus.outcomes$.subscribe(last);
// An iteration that takes one value, and no more.
const queries = new QueryBus();
queries.register(Count, () => handled);
const refreshOn = bus.outcomes$.pipe(filter(() => handled % 100 === 0));
const iterator = queries.watch(new Count(), { refreshOn })[Symbol.asyncIterator]();
const first = await iterator.next();

const observed = await growthOf(1_000_000, (n) => bus.dispatch(new Work(n)));
let replayed = 0;
last.subscribe(() => replayed++).unsubscribe();
const latest = await iterator.next();
await iterator.return?.();
await report({ ...observed, handled, replayed, read: [first.value, latest.value] }, bus);
