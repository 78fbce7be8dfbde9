import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import {
  BusClosedError,
  closeAll,
  CommandBus,
  EventBus,
  InvalidOptionsError,
  QueueFullError,
  saga,
  type Envelope,
  type EnqueueOptions,
  type Outcome,
} from "cqrx";
import { map } from "rxjs";
import { microtasks, watch } from "../conformance/support.js";
import { freshCanaries, withTraps } from "../support/traps.js";

class Remind {
  constructor(readonly n = 0) {}
}
class Order {
  constructor(readonly delayMs: number) {}
}

let log: string[];
let outcomes: Outcome[];

beforeEach(() => {
  jest.useFakeTimers({ now: 0 });
  log = [];
  outcomes = [];
});

afterEach(async () => {
  jest.useRealTimers();
  await freshCanaries();
});

const at = (what: unknown): void => void log.push(`${String(what)} at ${Date.now()}`);
const statuses = (): unknown[] =>
  outcomes.map((outcome) => {
    if (outcome.status === "fulfilled") return "fulfilled";
    const reason = outcome.reason as { code?: string };
    return reason.code ?? reason;
  });

/** Each bus that has an `enqueue`, with the options for its background. */
const buses = [
  ["CommandBus", (background?: object) => new CommandBus(background && { background })],
  ["EventBus", (background?: object) => new EventBus(background && { background })],
] as const;

function start<B extends CommandBus | EventBus>(bus: B): B {
  bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  (bus as CommandBus).register(Remind, ({ n }) => at(n));
  return bus;
}
const enqueue = (bus: CommandBus | EventBus, n: number, options?: EnqueueOptions): Envelope =>
  (bus as CommandBus).enqueue(new Remind(n), options);

describe.each(buses)("delayMs of %s.enqueue()", (_, make) => {
  it("runs a message after that time, without a place of the others, and accepts it at once", () =>
    withTraps(async () => {
      const bus = start(make({ concurrency: 1 }));
      const accepted: Envelope[] = [];
      bus.messages$.subscribe((envelope) => accepted.push(envelope));
      const later = enqueue(bus, 1, { delayMs: 1_000, headers: { a: "b" } });
      const sooner = enqueue(bus, 2, { delayMs: 10 });
      const now = enqueue(bus, 3, { delayMs: 0 });
      expect(accepted).toEqual([later, sooner, now]);
      expect([later.meta.time, later.meta.headers]).toEqual([0, { a: "b" }]);
      expect(bus.inFlight).toBe(3);
      await jest.advanceTimersByTimeAsync(999);
      expect(log).toEqual(["3 at 0", "2 at 10"]);
      await jest.advanceTimersByTimeAsync(1);
      expect(log).toEqual(["3 at 0", "2 at 10", "1 at 1000"]);
      expect([bus.inFlight, jest.getTimerCount(), statuses()]).toEqual([0, 0, Array(3).fill("fulfilled")]);
    }));

  it("begins when the cause has succeeded", () =>
    withTraps(async () => {
      const bus = start(make());
      const orders = new CommandBus();
      orders.register(Order, async ({ delayMs }, context) => {
        enqueue(bus, 1, { causedBy: context, delayMs });
        await new Promise((resolve) => setTimeout(resolve, 500));
        if (delayMs > 5_000) throw new Error("sold out");
      });
      const placed = orders.dispatch(new Order(300));
      orders.dispatch(new Order(6_000)).catch(() => at("failed"));
      await jest.advanceTimersByTimeAsync(10_000);
      await placed;
      expect(log).toEqual(["failed at 500", "1 at 800"]);
      expect(statuses().sort()).toEqual(["MESSAGE_DROPPED", "fulfilled"]);
      expect(jest.getTimerCount()).toBe(0);
    }));

  it("ends with the abort of the signal, and leaves no timer", () =>
    withTraps(async () => {
      const bus = start(make());
      const controller = new AbortController();
      enqueue(bus, 1, { delayMs: 1_000, signal: controller.signal });
      await microtasks();
      const reason = new Error("never mind");
      controller.abort(reason);
      expect(statuses()).toEqual([reason]);
      expect(outcomes).toMatchObject([{ cancelled: true }]);
      expect([bus.inFlight, jest.getTimerCount()]).toEqual([0, 0]);
      await bus.drain();
      expect(log).toEqual([]);
    }));

  it("counts for maxQueued, and drain() waits for it", () =>
    withTraps(async () => {
      const bus = start(make({ maxQueued: 2 }));
      for (let n = 0; n < 2; n++) enqueue(bus, n, { delayMs: 100 });
      expect(() => enqueue(bus, 2)).toThrow(QueueFullError);
      const drained = watch(bus.drain());
      await jest.advanceTimersByTimeAsync(99);
      expect(drained.status).toBe("pending");
      await jest.advanceTimersByTimeAsync(1);
      expect(drained.status).toBe("fulfilled");
      enqueue(bus, 3);
      await bus.drain();
      expect(log.at(-1)).toBe("3 at 100");
    }));

  it("is waited for by close() if it ends before the deadline", () =>
    withTraps(async () => {
      const bus = start(make());
      enqueue(bus, 1, { delayMs: 900 });
      const closing = bus.close({ timeoutMs: 1_000 });
      await jest.advanceTimersByTimeAsync(900);
      expect(await closing).toEqual({ finished: 1, aborted: [], abandoned: [] });
      expect(log).toEqual(["1 at 900"]);
      expect(jest.getTimerCount()).toBe(0);
    }));

  it("does not hold up close() if it ends later: the message is aborted once nothing else is in flight", () =>
    withTraps(async () => {
      const bus = start(make());
      const { meta } = enqueue(bus, 1, { delayMs: 1_001 });
      enqueue(bus, 2, { delayMs: 300 });
      const closing = watch(bus.close({ timeoutMs: 1_000 }));
      await jest.advanceTimersByTimeAsync(299);
      expect(closing.status).toBe("pending");
      await jest.advanceTimersByTimeAsync(1);
      expect(closing.value).toEqual({ finished: 1, aborted: [meta.id], abandoned: [] });
      expect(statuses()).toEqual(["fulfilled", BusClosedError.code]);
      expect([log, jest.getTimerCount()]).toEqual([["2 at 300"], 0]);
    }));

  it("does not hold up closeAll(), either, nor the sagas", () =>
    withTraps(async () => {
      const bus = start(make());
      const other = bus instanceof CommandBus ? new EventBus() : new CommandBus();
      const sagaBus = new EventBus();
      const sagaCommands = new CommandBus();
      sagaCommands.register(Order, () => at("ordered"));
      saga(sagaBus, sagaCommands, (events$) => events$.pipe(map(() => new Order(1))));
      await sagaBus.publish(new Remind());
      enqueue(bus, 1, { delayMs: 60_000 });
      const closing = watch(closeAll([bus, other, sagaBus, sagaCommands], { timeoutMs: 1_000 }));
      await microtasks(100);
      expect(closing.value).toMatchObject({ finished: 0, aborted: [expect.any(String)] });
      expect(log).toEqual(["ordered at 0"]);
    }));

  it("waits in close() without a deadline, however long", () =>
    withTraps(async () => {
      const bus = start(make());
      enqueue(bus, 1, { delayMs: 86_400_000 });
      const closing = bus.close({ timeoutMs: Infinity });
      await jest.advanceTimersByTimeAsync(86_400_000);
      expect(await closing).toMatchObject({ finished: 1 });
    }));

  it("keeps the async context of the caller", () =>
    withTraps(async () => {
      const storage = new AsyncLocalStorage<string>();
      const bus = make();
      (bus as CommandBus).register(Order, () => at(storage.getStore()));
      storage.run("mine", () => (bus as CommandBus).enqueue(new Order(0), { delayMs: 5 }));
      await jest.advanceTimersByTimeAsync(5);
      expect(log).toEqual(["mine at 5"]);
    }));

  it.each([-1, NaN, Infinity, 2 ** 31, "5", null])("refuses %p before the message is accepted", (delayMs) => {
    const bus = start(make());
    expect(() => enqueue(bus, 1, { delayMs: delayMs as number })).toThrow(
      expect.objectContaining({ code: InvalidOptionsError.code, option: "delayMs" }),
    );
    expect([bus.inFlight, outcomes]).toEqual([0, []]);
  });

  it("is not an option of dispatch and publish", async () => {
    const commandBus = new CommandBus();
    commandBus.register(Remind, () => undefined);
    const options = { delayMs: 5 } as object;
    await expect(commandBus.dispatch(new Remind(), options)).rejects.toBeInstanceOf(InvalidOptionsError);
    await expect(new EventBus().publish(new Remind(), options)).rejects.toBeInstanceOf(InvalidOptionsError);
  });
});
