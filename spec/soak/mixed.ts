// A million commands that succeed, fail, are aborted, are dropped and stream, with middleware of all three kinds and observers.
import { around, CommandBus, shared, type Delivery } from "cqrx";
import { filter, mergeMap, of, tap } from "rxjs";
import { activeResources, growthOf, report } from "./heap.js";

class Work {
  readonly n: number;
  readonly payload: string;

  constructor(n: number, payload: string) {
    this.n = n;
    this.payload = payload;
  }
}

const boom = new Error("boom");
const bus = new CommandBus({
  middleware: [
    around((_message, next) => next()),
    filter(({ message }: Delivery<Work>) => message.n % 10 !== 3),
    shared(tap()),
  ],
});
bus.faults$.subscribe();
let outcomes = 0;
bus.outcomes$.subscribe(({ envelope }) => {
  if (envelope.payload instanceof Work) outcomes++;
});
bus.register(Work, ({ n }, context) => {
  switch (n % 10) {
    case 0:
      throw boom;
    case 1:
      return Promise.reject(boom);
    case 2:
      return stopping(context.signal);
    case 4:
      return of(1, 2).pipe(mergeMap((value) => Promise.resolve(value)));
    case 5:
      return Promise.resolve();
    default:
      return undefined;
  }
});

function stopping(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

const settled = (): undefined => undefined;
const mixed = await growthOf(1_000_000, (n) => {
  const message = new Work(n, `payload ${n}`);
  if (n % 10 !== 2) return bus.dispatch(message).then(settled, settled);
  const controller = new AbortController();
  const sent = bus.dispatch(message, { signal: controller.signal }).then(settled, settled);
  controller.abort(boom);
  return sent;
});
report({ ...mixed, outcomes, inFlight: bus.inFlight, resources: activeResources() });
