import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { EMPTY, exhaustMap, filter, mergeMap, switchMap, type Observable } from "rxjs";
import {
  CommandBus,
  EventBus,
  InvalidOptionsError,
  MessageHeldError,
  QueryBus,
  type Delivery,
  type Fault,
} from "cqrx";

class Work {
  constructor(readonly n = 0) {}
}

describe("deliveries(Type, { holdTimeoutMs })", () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const settleLater = async (delivery: Delivery<Work, void>): Promise<void> => {
    await Promise.resolve();
    delivery.resolve();
  };

  it.each<[string, (source: Observable<Delivery<Work, void>>) => Observable<unknown>]>([
    ["exhaustMap", (source) => source.pipe(exhaustMap(settleLater))],
    ["filter", (source) => source.pipe(filter(({ message }) => message.n === 0), mergeMap(settleLater))], // prettier-ignore
    ["switchMap", (source) => source.pipe(switchMap((delivery) => (delivery.message.n === 0 ? settleLater(delivery) : EMPTY)))], // prettier-ignore
  ])("rejects and reports what %s drops, and the others go on", async (_, handle) => {
    const bus = new CommandBus();
    const faults: Fault[] = [];
    bus.faults$.subscribe((fault) => faults.push(fault));
    handle(bus.deliveries(Work, { holdTimeoutMs: 100 })).subscribe();
    const kept = bus.dispatch(new Work(0));
    const dropped = expect(bus.dispatch(new Work(1))).rejects.toThrow(
      "deliveries(Work) neither forwarded nor settled Work within 100 ms",
    );
    await jest.advanceTimersByTimeAsync(100);
    await kept;
    await dropped;
    expect(faults).toMatchObject([
      { kind: "handler", source: "deliveries(Work)", error: { code: "MESSAGE_HELD" } },
    ]);
    expect(bus.inFlight).toBe(0);
    const canary = bus.dispatch(new Work(0));
    await jest.advanceTimersByTimeAsync(1);
    await canary;
    expect(jest.getTimerCount()).toBe(0);
  });

  it("is 30 seconds by default, on every bus, each delivery with its own deadline", async () => {
    const [queryBus, eventBus] = [new QueryBus<number>(), new EventBus()];
    for (const bus of [queryBus, eventBus]) bus.faults$.subscribe();
    queryBus.deliveries(Work).subscribe();
    eventBus.deliveries(Work).subscribe();
    const asked = expect(queryBus.ask(new Work())).rejects.toBeInstanceOf(MessageHeldError);
    await jest.advanceTimersByTimeAsync(10_000);
    const published = expect(eventBus.publish(new Work())).rejects.toMatchObject({
      errors: [{ code: "MESSAGE_HELD" }],
    });
    await jest.advanceTimersByTimeAsync(20_000);
    await asked;
    expect(eventBus.inFlight).toBe(1);
    await jest.advanceTimersByTimeAsync(10_000);
    await published;
  });

  it("reports a delivery once that another's expiry has rejected", async () => {
    const bus = new CommandBus();
    const faults: Fault[] = [];
    const handler = bus.deliveries(Work, { holdTimeoutMs: 100 }).subscribe();
    bus.faults$.subscribe((fault) => {
      faults.push(fault);
      handler.unsubscribe();
    });
    const dispatched = [0, 1].map((n) => bus.dispatch(new Work(n)));
    const settled = Promise.allSettled(dispatched);
    await jest.advanceTimersByTimeAsync(100);
    expect(await settled).toMatchObject([
      { reason: { code: "MESSAGE_HELD" } },
      { reason: { code: "HANDLER_STOPPED" } },
    ]);
    expect(faults).toMatchObject([
      { error: { code: "MESSAGE_HELD" } },
      { error: { code: "HANDLER_STOPPED" } },
    ]);
    bus.register(Work, () => undefined);
    await bus.dispatch(new Work());
  });

  it("may be Infinity, and keeps no timer for deliveries that settle at once", async () => {
    const bus = new CommandBus();
    const held: Delivery<Work, void>[] = [];
    bus.deliveries(Work, { holdTimeoutMs: Infinity }).subscribe((delivery) => held.push(delivery));
    const dispatched = bus.dispatch(new Work());
    expect(jest.getTimerCount()).toBe(0);
    await jest.advanceTimersByTimeAsync(1_000_000);
    held[0]!.resolve();
    await dispatched;

    const quick = new CommandBus();
    quick.deliveries(Work).subscribe((delivery) => delivery.resolve());
    await quick.dispatch(new Work());
    expect(jest.getTimerCount()).toBe(0);
  });

  it("lets a process exit that has nothing else to do", async () => {
    jest.useRealTimers();
    const timers = jest.spyOn(globalThis, "setTimeout");
    const bus = new CommandBus();
    const held: Delivery<Work, void>[] = [];
    bus.deliveries(Work).subscribe((delivery) => held.push(delivery));
    const dispatched = bus.dispatch(new Work());
    expect(timers.mock.results.map(({ value }) => (value as NodeJS.Timeout).hasRef())).toEqual([false]);
    timers.mockRestore();
    held[0]!.resolve();
    await dispatched;
  });

  it.each([0, -1, NaN, "5", null])("refuses %p", (holdTimeoutMs) => {
    const bus = new CommandBus();
    expect(() => bus.deliveries(Work, { holdTimeoutMs: holdTimeoutMs as number })).toThrow(
      InvalidOptionsError,
    );
    expect(() => bus.deliveries(Work, { hold: 5 } as never)).toThrow(InvalidOptionsError);
    bus.register(Work, () => undefined);
  });
});
