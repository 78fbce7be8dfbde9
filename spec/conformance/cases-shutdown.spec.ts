import { afterEach, describe, expect, it, jest } from "@jest/globals";
import {
  BusClosedError,
  CommandBus,
  defaultCommandBus,
  EventBus,
  QueryBus,
  shared,
  type Delivery,
  type HandlerContext,
  type Outcome,
} from "cqrx";
import { concatMap, debounceTime, delay, mergeMap, NEVER, Observable, of } from "rxjs";
import { canaries, freshCanaries, macrotask, withTraps } from "../support/traps.js";
import { deferred, microtasks, reasonOf, watch } from "./support.js";

class Work {
  readonly n: number;

  constructor(n = 0) {
    this.n = n;
  }
}
class Child {
  readonly n: number;

  constructor(n = 0) {
    this.n = n;
  }
}

const never = (): Promise<never> => new Promise(() => undefined);

afterEach(async () => {
  jest.useRealTimers();
  // The buses of these cases are closed, so the canaries go through new ones.
  await freshCanaries();
});

describe("shutdown", () => {
  it("50 close refuses new messages, lets 10 running and 10 queued finish, and ends the streams after the last outcome", () =>
    withTraps(async () => {
      const gate = deferred();
      const bus = new CommandBus({
        middleware: [
          shared(
            concatMap(async (delivery: Delivery) => {
              if ((delivery.message as Work).n >= 10) await gate.promise;
              return delivery;
            }),
          ),
        ],
      });
      bus.register(Work, () => gate.promise);
      const log: string[] = [];
      bus.outcomes$.subscribe({
        next: ({ status }) => log.push(status),
        complete: () => log.push("complete"),
      });
      bus.messages$.subscribe({ complete: () => log.push("complete") });
      bus.faults$.subscribe({ complete: () => log.push("complete") });
      const all = Array.from({ length: 20 }, (_, n) => watch(bus.dispatch(new Work(n))));
      await microtasks();
      const closing = bus.close();
      expect(await reasonOf(bus.dispatch(new Work()))).toBeInstanceOf(BusClosedError);
      gate.resolve();
      expect(await closing).toEqual({ finished: 20, aborted: [], abandoned: [] });
      expect(all.every(({ status }) => status === "fulfilled")).toBe(true);
      expect(log).toEqual([...Array.from({ length: 20 }, () => "fulfilled"), ...Array(3).fill("complete")]);
      expect(bus.inFlight).toBe(0);
    }));

  it("50 while closing, messages in flight may dispatch what they need, and no other caller may", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const gate = deferred();
      const results: unknown[] = [];
      bus.register(Work, async (_, context) => {
        await gate.promise;
        results.push(await bus.dispatch(new Child(), { causedBy: context }));
        results.push(await reasonOf(bus.dispatch(new Child())));
        results.push(await reasonOf(bus.dispatch(new Child(), { causedBy: context.envelope })));
      });
      bus.register(Child, () => macrotask());
      const sent = watch(bus.dispatch(new Work()));
      const closing = bus.close();
      gate.resolve();
      expect(await closing).toEqual({ finished: 2, aborted: [], abandoned: [] });
      expect(sent.status).toBe("fulfilled");
      expect(results).toEqual([undefined, expect.any(BusClosedError), expect.any(BusClosedError)]);
    }));

  it("50 a query from a message in flight on another bus is answered or refused, and never left pending", () =>
    withTraps(async () => {
      const commandBus = new CommandBus();
      const queryBus = new QueryBus();
      const gate = deferred();
      let second: ReturnType<typeof watch> | undefined;
      queryBus.register(Work, ({ n }) => (n === 0 ? gate.promise : never()));
      commandBus.register(Work, async (_, context) => {
        await queryBus.ask(new Work(0), { causedBy: context });
        const asked = queryBus.ask(new Work(1), { causedBy: context });
        second = watch(asked);
        await asked;
      });
      const sent = watch(commandBus.dispatch(new Work()));
      const closing = queryBus.close({ timeoutMs: 5 });
      gate.resolve();
      await closing;
      await macrotask();
      expect(second?.status).toBe("rejected");
      expect(sent.status).toBe("rejected");
      expect(queryBus.inFlight).toBe(0);
    }));

  it("50 a message accepted while others are being aborted is aborted, too", () =>
    withTraps(async () => {
      const [closing, other] = [new CommandBus(), new CommandBus()];
      let context: HandlerContext | undefined;
      let late: ReturnType<typeof watch> | undefined;
      other.register(Work, (_, given) => {
        context = given;
        return never();
      });
      closing.register(Work, ({ n }, { signal }) => {
        signal.addEventListener("abort", () => {
          if (n === 0) late = watch(closing.dispatch(new Work(1), { causedBy: context }));
        });
        return never();
      });
      void other.dispatch(new Work()).catch(() => undefined);
      const sent = watch(closing.dispatch(new Work(0)));
      await closing.close({ timeoutMs: 0 });
      await microtasks();
      expect(sent.status).toBe("rejected");
      expect(late?.reason).toBeInstanceOf(BusClosedError);
      expect(closing.inFlight).toBe(0);
      await other.close({ timeoutMs: 0 });
    }));

  it("51 at the deadline the remaining messages are aborted, and the report says which finished, were aborted and did not stop", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      let ids = 0;
      const bus = new CommandBus({ ids: () => `id ${ids++}` });
      const gates = Array.from({ length: 4 }, () => deferred());
      const signals: AbortSignal[] = [];
      bus.messages$.subscribe(({ meta }) => meta.id);
      bus.register(Work, ({ n }, { signal }) => {
        signals.push(signal);
        signal.addEventListener("abort", () => n === 2 && gates[n]!.reject(signal.reason));
        return gates[n]!.promise;
      });
      const outcomes: Outcome[] = [];
      bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
      const all = [0, 1, 2, 3].map((n) => watch(bus.dispatch(new Work(n))));
      const closing = watch(bus.close({ timeoutMs: 1_000 }));
      gates[0]!.resolve();
      gates[1]!.reject(new Error("fails while closing"));
      await jest.advanceTimersByTimeAsync(999);
      expect(closing.status).toBe("pending");
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, false, false]);
      await jest.advanceTimersByTimeAsync(5);
      expect(closing.value).toEqual({ finished: 2, aborted: ["id 2", "id 3"], abandoned: ["id 3"] });
      expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "rejected"]);
      expect(outcomes).toHaveLength(4);
      expect(all[3]!.reason).toMatchObject({ code: "BUS_CLOSED", messageType: "Work" });
      expect(bus.inFlight).toBe(0);
      expect(jest.getTimerCount()).toBe(0);
    }));

  it("51 at the deadline every message settles, even if a teardown throws", () =>
    withTraps(async () => {
      const bus = new QueryBus();
      bus.faults$.subscribe();
      bus.register(
        Work,
        () =>
          new Observable(() => () => {
            throw new Error("teardown");
          }),
      );
      bus.register(Child, never);
      const all = [new Work(), new Child(), new Work()].map((query) => watch(bus.ask(query)));
      expect(await bus.close({ timeoutMs: 0 })).toMatchObject({
        finished: 0,
        abandoned: [expect.any(String)],
      });
      await microtasks();
      expect(all.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
      expect(bus.inFlight).toBe(0);
    }));

  it.each([NaN, -1])("51 a timeoutMs of %s does not make close wait for ever", (timeoutMs) =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(Work, never);
      const sent = watch(bus.dispatch(new Work()));
      const closing = watch(bus.close({ timeoutMs }));
      for (let turn = 0; turn < 5; turn++) await macrotask();
      expect([sent.status, closing.status === "pending"]).toEqual(["rejected", false]);
    }),
  );

  it("54 closing twice, during a close and after it is one shutdown with one report", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const gate = deferred();
      let completed = 0;
      bus.outcomes$.subscribe({ complete: () => completed++ });
      bus.register(Work, () => gate.promise);
      const sent = bus.dispatch(new Work());
      const [first, second] = [bus.close(), bus.close({ timeoutMs: 0 })];
      gate.resolve();
      await sent;
      const disposed = bus[Symbol.asyncDispose]();
      const report = await first;
      expect(await second).toBe(report);
      expect(await bus.close()).toBe(report);
      expect(await disposed).toBeUndefined();
      expect(report).toEqual({ finished: 1, aborted: [], abandoned: [] });
      expect(completed).toBe(1);
    }));

  it("54 a handler that closes its own bus finishes, and is waited for", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      let closing: Promise<unknown> | undefined;
      bus.register(Work, async () => {
        closing = bus.close();
        await macrotask();
      });
      await bus.dispatch(new Work());
      expect(await closing).toEqual({ finished: 1, aborted: [], abandoned: [] });
    }));

  it("54 a default bus that is reset while it closes is open afterwards", () =>
    withTraps(async () => {
      defaultCommandBus.register(Work, () => undefined);
      const closing = defaultCommandBus.close();
      defaultCommandBus.reset();
      await closing;
      await canaries(defaultCommandBus);
      defaultCommandBus.reset();
    }));

  it("55 after close every way to send rejects with BusClosedError", () =>
    withTraps(async () => {
      const [commandBus, queryBus, eventBus] = [new CommandBus(), new QueryBus(), new EventBus()];
      commandBus.register(Work, () => undefined);
      queryBus.register(Work, () => 1);
      await Promise.all([commandBus.close(), queryBus.close(), eventBus.close()]);
      const cold = (stream: Observable<unknown>): Promise<unknown> =>
        new Promise((resolve) => stream.subscribe({ error: resolve }));
      for (const reason of [
        await reasonOf(commandBus.dispatch(new Work())),
        await reasonOf(queryBus.ask(new Work())),
        await reasonOf(eventBus.publish(new Work())),
        await cold(commandBus.dispatch$(new Work())),
        await cold(queryBus.ask$(new Work())),
        await reasonOf(commandBus.dispatch(new Child())),
        await reasonOf(commandBus.dispatch(new Work(), { signal: AbortSignal.abort() })),
      ]) {
        expect(reason).toBeInstanceOf(BusClosedError);
        expect(reason).toMatchObject({ code: "BUS_CLOSED" });
      }
      let completed = 0;
      commandBus.messages$.subscribe({ complete: () => completed++ });
      commandBus.outcomes$.subscribe({ complete: () => completed++ });
      expect(completed).toBe(2);
      expect(commandBus.describe()).toMatchObject({ closed: true, inFlight: 0 });
    }));

  it("57 a handler that fails while closing is recorded as failed", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const gate = deferred();
      const boom = new Error("boom");
      bus.register(Work, () => gate.promise);
      const outcomes: Outcome[] = [];
      bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
      const sent = reasonOf(bus.dispatch(new Work()));
      const closing = bus.close();
      gate.reject(boom);
      expect(await sent).toBe(boom);
      expect(await closing).toEqual({ finished: 1, aborted: [], abandoned: [] });
      expect(outcomes).toMatchObject([{ status: "rejected", reason: boom }]);
    }));

  it("61 a message that a shared operator holds at close is released or rejected, and no timer outlives the bus", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const bus = new CommandBus({ middleware: [shared(debounceTime(60_000))] });
      const handled: number[] = [];
      bus.register(Work, ({ n }) => void handled.push(n));
      const all = [0, 1].map((n) => watch(bus.dispatch(new Work(n))));
      const closing = watch(bus.close());
      await jest.advanceTimersByTimeAsync(1);
      // The operator gives up the last one on completion; the one that it swallowed is refused.
      expect(all.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
      expect(all[0]!.reason).toBeInstanceOf(BusClosedError);
      expect(handled).toEqual([1]);
      expect(closing.status).toBe("fulfilled");
      expect(jest.getTimerCount()).toBe(0);
    }));

  it("61 a shared operator that never ends is left at the deadline, and no timer outlives the bus", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const bus = new CommandBus({
        middleware: [
          shared(
            (source) =>
              new Observable((subscriber) => {
                const timer = setInterval(() => undefined, 10);
                source.subscribe({
                  next: (delivery) => (delivery.message as Work).n === 0 && subscriber.next(delivery),
                });
                return () => clearInterval(timer);
              }),
          ),
        ],
      });
      bus.register(Work, () => undefined);
      const all = [0, 1].map((n) => watch(bus.dispatch(new Work(n))));
      const closing = watch(bus.close({ timeoutMs: 100 }));
      await jest.advanceTimersByTimeAsync(200);
      expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
      expect(closing.status).toBe("fulfilled");
      expect(jest.getTimerCount()).toBe(0);
    }));

  it("61 an effect of a message in flight passes a shared operator that is emptying itself", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const bus = new CommandBus({
        middleware: [
          shared(mergeMap((delivery: Delivery) => of(delivery).pipe(delay((delivery.message as Work).n)))),
        ],
      });
      const gate = deferred();
      bus.register(Work, async (_, context) => {
        await gate.promise;
        await bus.dispatch(new Child(), { causedBy: context });
      });
      bus.register(Child, () => undefined);
      const parent = watch(bus.dispatch(new Work(0)));
      await jest.advanceTimersByTimeAsync(1);
      const held = watch(bus.dispatch(new Child(50)));
      const closing = watch(bus.close());
      gate.resolve();
      await jest.advanceTimersByTimeAsync(100);
      expect([parent.status, held.status]).toEqual(["fulfilled", "fulfilled"]);
      expect(closing.value).toEqual({ finished: 3, aborted: [], abandoned: [] });
    }));

  it("61 deliveries() completes when the bus is closed", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      let completed = 0;
      bus.deliveries(Work).subscribe({ next: (delivery) => delivery.resolve(), complete: () => completed++ });
      await bus.dispatch(new Work());
      await bus.close();
      expect(completed).toBe(1);
    }));

  it("61 a message that was aborted at close reaches no handler afterwards", () =>
    withTraps(async () => {
      const gate = deferred();
      let handled = 0;
      const bus = new CommandBus({
        middleware: [
          concatMap(async (delivery: Delivery) => {
            await gate.promise;
            return delivery;
          }),
        ],
      });
      bus.register(Work, () => void handled++);
      bus.register(Child, () => NEVER);
      const sent = watch(bus.dispatch(new Work()));
      const report = await bus.close({ timeoutMs: 0 });
      expect(report.aborted).toHaveLength(1);
      gate.resolve();
      await macrotask();
      expect(handled).toBe(0);
      expect(sent).toMatchObject({ status: "rejected", settlements: 1 });
    }));
});
