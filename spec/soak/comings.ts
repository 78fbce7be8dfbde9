// Handlers, stream handlers, observers and buses that come and go.
import { CommandBus, EventBus, HandlerRegistry } from "cqrx";
import type { Observable } from "rxjs";
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
const common = new HandlerRegistry();
common.register(Work, () => undefined);
const buses = await growthOf(100_000, async () => {
  const short = new CommandBus({ registry: common });
  await short.dispatch(new Work());
  await short.close();
});
report({
  handlers,
  lanes,
  observers,
  types,
  buses,
  collected,
  size: bus.describe().handlers.length,
  resources: activeResources(),
});
