// A million messages of all three buses that succeed, fail, are aborted, time out, are dropped and stream, with middleware of all kinds and observers.
import { around, CommandBus, EventBus, QueryBus, shared, when, type Delivery, type Middleware } from "cqrx";
import { timeLimit } from "cqrx/middleware";
import { filter, mergeMap, of, tap } from "rxjs";
import { activeResources, growthOf, report, timersFromNow } from "./heap.js";

class Work {
  readonly n: number;
  readonly payload: string;

  constructor(n: number) {
    this.n = n;
    this.payload = `payload ${n}`;
  }
}
class Slow extends Work {}

const timers = timersFromNow();
const boom = new Error("boom");
const middleware: Middleware[] = [
  around((_message, next) => next()),
  when(
    Work,
    filter(({ message }: Delivery<Work>) => message.n % 10 !== 3),
  ),
  when(Slow, timeLimit(1)),
  shared(tap()),
];
const commandBus = new CommandBus({ middleware });
const queryBus = new QueryBus<unknown>({ middleware });
const eventBus = new EventBus({ middleware });
const outcomes = { fulfilled: 0, rejected: 0 };
for (const bus of [commandBus, queryBus, eventBus]) {
  bus.faults$.subscribe();
  bus.messages$.subscribe();
  bus.outcomes$.subscribe(({ status }) => outcomes[status]++);
}
commandBus.register(Work, ({ n }, { signal }) => {
  switch (n % 10) {
    case 0:
      throw boom;
    case 1:
      return Promise.reject(boom);
    case 2:
      return stopping(signal);
    case 4:
      return of(1, 2).pipe(mergeMap((value) => Promise.resolve(value)));
    default:
      return undefined;
  }
});
commandBus.register(Slow, (_, { signal }) => stopping(signal));
queryBus.register(Work, ({ n }) => (n % 20 < 10 ? n : Promise.resolve(n)));
eventBus.register(Work, () => Promise.resolve());
eventBus.register(Work, () => undefined);

function stopping(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

function send(n: number): Promise<unknown> {
  switch (n % 10) {
    case 2: {
      const controller = new AbortController();
      const sent = commandBus.dispatch(new Work(n), { signal: controller.signal });
      controller.abort(boom);
      return sent;
    }
    case 5:
      return commandBus.dispatch(new Slow(n));
    case 6:
      return queryBus.ask(new Work(n));
    case 7:
      return eventBus.publish(new Work(n));
    default:
      return commandBus.dispatch(new Work(n));
  }
}

// The timers of cqrx keep no process alive.
const alive = setInterval(() => undefined, 1_000);
const settled = (): undefined => undefined;
const mixed = await growthOf(1_000_000, (n) => send(n).then(settled, settled));
clearInterval(alive);
const left = { timers: timers.size, resources: activeResources() };
await report({ ...mixed, ...left, outcomes: { ...outcomes } }, commandBus);
