import { describe, expect, it } from "@jest/globals";
import { of, take } from "rxjs";
import { CommandBus, QueryBus, type BusOptions, type HandlerContext, type Outcome } from "cqrx";
import { coalescing, overlap, retrying, timeLimit } from "cqrx/middleware";

class Work {
  constructor(readonly name = "") {}
}
class Child {}

/** Waits until it is aborted. */
const forever = (_: object, { signal }: HandlerContext): Promise<never> =>
  new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason as Error)));

function busWith(options: BusOptions = {}): { bus: CommandBus; ended: string[] } {
  const bus = new CommandBus(options);
  const ended: string[] = [];
  bus.outcomes$.subscribe((outcome) => ended.push(ending(outcome)));
  return { bus, ended };
}

function ending(outcome: Outcome): string {
  const { name } = outcome.envelope.meta;
  if (outcome.status === "fulfilled") return `${name} fulfilled`;
  return `${name} ${outcome.cancelled ? "cancelled" : "failed"}: ${(outcome.reason as Error).name}`;
}

const ignore = (promise: Promise<unknown>): void => void promise.catch(() => undefined);

describe("the outcome of a message", () => {
  it("is cancelled by the caller's signal, for any reason", async () => {
    const { bus, ended } = busWith();
    bus.register(Work, forever);
    const controller = new AbortController();
    ignore(bus.dispatch(new Work(), { signal: controller.signal }));
    ignore(bus.dispatch(new Work(), { signal: AbortSignal.abort(new TypeError("at once")) }));
    controller.abort(new RangeError("later"));
    expect(ended).toEqual(["Work cancelled: TypeError", "Work cancelled: RangeError"]);
    bus.register(Child, () => undefined);
    await bus.dispatch(new Child());
    expect(ended.at(-1)).toBe("Child fulfilled");
  });

  it.each([NaN, -0, null, "left", undefined])("is cancelled by the reason %p", async (reason) => {
    const bus = new CommandBus();
    const cancelled: boolean[] = [];
    bus.outcomes$.subscribe((outcome) => cancelled.push("cancelled" in outcome && outcome.cancelled));
    bus.register(Work, forever);
    const controller = new AbortController();
    ignore(bus.dispatch(new Work(), { signal: controller.signal }));
    controller.abort(reason);
    bus.register(Child, () => undefined);
    await bus.dispatch(new Child());
    expect(cancelled).toEqual([true, false]);
  });

  it("is cancelled by a subscriber that leaves, synchronously or later", () => {
    const { bus, ended } = busWith();
    bus.register(Work, forever);
    bus
      .dispatch$(new Work())
      .subscribe({ error: () => undefined })
      .unsubscribe();
    expect(ended).toEqual(["Work cancelled: AbortError"]);
    const queryBus = new QueryBus();
    queryBus.outcomes$.subscribe((outcome) => ended.push(ending(outcome)));
    queryBus.register(Work, () => of(1, 2, 3));
    queryBus.ask$(new Work()).pipe(take(1)).subscribe();
    expect(ended.at(-1)).toBe("Work cancelled: AbortError");
  });

  it("is cancelled by a cancelled cause, and by one that failed while its effect ran", async () => {
    const { bus, ended } = busWith();
    bus.register(Child, forever);
    bus.register(Work, async ({ name }, context) => {
      ignore(bus.dispatch(new Child(), { causedBy: context }));
      if (name === "fails") context.signal.addEventListener("abort", () => undefined);
      await forever({}, context);
    });
    const controller = new AbortController();
    const cancelled = bus.dispatch(new Work(), { signal: controller.signal });
    controller.abort();
    await cancelled.catch(() => undefined);
    expect(ended.splice(0)).toEqual(["Work cancelled: AbortError", "Child cancelled: AbortError"]);

    const limited = busWith({ middleware: [timeLimit(1)] });
    limited.bus.register(Work, async (_, context) => bus.dispatch(new Child(), { causedBy: context }));
    await limited.bus.dispatch(new Work()).catch(() => undefined);
    expect(limited.ended).toEqual(["Work failed: TimeLimitError"]);
    expect(ended).toEqual(["Child cancelled: TimeLimitError"]);
  });

  it.each([
    ["outermost", []],
    ["inside of other middleware", [retrying({ count: 1 })]],
  ])("is cancelled by a newer message: overlap with switch, %s", async (_, outer) => {
    const { bus, ended } = busWith({ middleware: [...outer, overlap({ strategy: "switch" })] });
    bus.register(Work, ({ name }, context) => (name === "last" ? undefined : forever({}, context)));
    const first = bus.dispatch(new Work());
    await Promise.allSettled([bus.dispatch(new Work("last")), first]);
    expect(ended.sort()).toEqual(["Work cancelled: SupersededError", "Work fulfilled"]);
  });

  it("is cancelled for every caller of a shared run that was superseded", async () => {
    const ended: string[] = [];
    const bus = new QueryBus({
      middleware: [coalescing({ key: ({ name }: Work) => name }), overlap({ strategy: "switch" })],
    });
    bus.outcomes$.subscribe((outcome) => ended.push(ending(outcome)));
    bus.register(Work, ({ name }, context) => (name === "last" ? 1 : forever({}, context)));
    const old = [bus.ask(new Work("a")), bus.ask(new Work("a"))];
    expect(await bus.ask(new Work("last"))).toBe(1);
    await Promise.allSettled(old);
    expect(ended.sort()).toEqual([
      "Work cancelled: SupersededError",
      "Work cancelled: SupersededError",
      "Work fulfilled",
    ]);
  });

  it("is cancelled by the end of the bus", async () => {
    const { bus, ended } = busWith();
    bus.register(Work, forever);
    ignore(bus.dispatch(new Work()));
    await bus.close({ timeoutMs: 0 });
    expect(ended).toEqual(["Work cancelled: BusClosedError"]);
  });

  it.each([
    ["a time limit", { middleware: [timeLimit(1)] }, "TimeLimitError"],
    ["a time limit of one attempt", { middleware: [retrying({ count: 0 }), timeLimit(1)] }, "TimeLimitError"],
    ["an error of its own", { middleware: [] }, "AbortError"],
  ])("is a failure after %s", async (_, options, name) => {
    const { bus, ended } = busWith(options);
    bus.register(Work, (work, context) => {
      if (name === "AbortError") throw new DOMException("of the handler's own", "AbortError");
      return forever(work, context);
    });
    await bus.dispatch(new Work()).catch(() => undefined);
    expect(ended).toEqual([`Work failed: ${name}`]);
  });

  it("is a failure after a busy key, a full queue, or delivery.reject()", async () => {
    const busy = busWith({ middleware: [overlap({ strategy: "exhaust" })] });
    busy.bus.register(Work, forever);
    ignore(busy.bus.dispatch(new Work()));
    await busy.bus.dispatch(new Work()).catch(() => undefined);
    expect(busy.ended).toEqual(["Work failed: BusyError"]);

    const full = busWith({ middleware: [overlap({ strategy: "concat", maxQueued: 0 })] });
    full.bus.register(Work, forever);
    ignore(full.bus.dispatch(new Work()));
    await full.bus.dispatch(new Work()).catch(() => undefined);
    expect(full.ended).toEqual(["Work failed: QueueFullError"]);

    const stream = busWith();
    stream.bus.deliveries(Work).subscribe((delivery) => delivery.reject(new Error("no")));
    await stream.bus.dispatch(new Work()).catch(() => undefined);
    expect(stream.ended).toEqual(["Work failed: Error"]);
  });

  it("is a failure after an error that comes after a superseded attempt", async () => {
    let attempts = 0;
    const { bus, ended } = busWith({
      middleware: [retrying({ count: 1, retryIf: () => true }), overlap({ strategy: "switch" })],
    });
    bus.register(Work, ({ name }, context) => {
      if (name === "last") return undefined;
      if (++attempts === 2) throw new TypeError("second attempt");
      return forever({}, context);
    });
    const first = bus.dispatch(new Work());
    await Promise.allSettled([bus.dispatch(new Work("last")), first]);
    expect(ended.sort()).toEqual(["Work failed: TypeError", "Work fulfilled"]);
  });
});
