// Handlers, stream handlers, observers, live queries and buses that come and go.
import { CommandBus, EventBus, HandlerRegistry, Query, QueryBus } from "cqrx";
import { Subject, type Observable } from "rxjs";
import { activeResources, growthOf, report } from "./heap.js";

class Work {}

const bus = new CommandBus();
const events = new EventBus();
let collected = 0;
const registry = new FinalizationRegistry(() => collected++);

const handlers = await growthOf(100_000, (n) => {
  const handler = { payload: `payload ${n}`, handle: () => undefined };
  if (n < 1_000) registry.register(handler, n);
  const registration = bus.register(Work, handler);
  const other = events.register(Work, handler);
  const sent = Promise.all([bus.dispatch(new Work()), events.publish(new Work())]);
  registration.unsubscribe();
  other.unsubscribe();
  return sent;
});
const lanes = await growthOf(100_000, () => {
  const lane = bus.deliveries(Work).subscribe((delivery) => delivery.resolve());
  const sent = bus.dispatch(new Work());
  lane.unsubscribe();
  return sent;
});
const observers = await growthOf(100_000, (n) => {
  const stream: Observable<unknown> = n % 2 === 0 ? bus.messages$ : bus.outcomes$;
  const observer = stream.subscribe();
  observer.unsubscribe();
});
const types = await growthOf(100_000, async () => {
  class OnTheFly {}
  const registration = bus.register(OnTheFly, () => undefined);
  await bus.dispatch(new OnTheFly());
  registration.unsubscribe();
});
class Count extends Query<number> {
  readonly of: number;

  constructor(of: number) {
    super();
    this.of = of;
  }
}
const queries = new QueryBus();
const change$ = new Subject<void>();
queries.register(Count, async ({ of }) => of);
const watchers = await growthOf(100_000, async (n) => {
  const watcher = queries.watch(new Count(n), { refreshOn: change$ }).subscribe();
  await Promise.resolve();
  if (n % 100 === 0) change$.next();
  watcher.unsubscribe();
});
const common = new HandlerRegistry();
common.register(Work, () => undefined);
const buses = await growthOf(100_000, async () => {
  const short = new CommandBus({ registry: common });
  await short.dispatch(new Work());
  await short.close();
});
const result = {
  handlers,
  lanes,
  observers,
  types,
  watchers,
  buses,
  collected,
  size: bus.describe().handlers.length,
  watched: change$.observed,
  asking: queries.inFlight,
  resources: activeResources(),
};
await report(result, bus);
