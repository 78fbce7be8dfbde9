import { getEventListeners } from "node:events";
import { describe, expect, it } from "@jest/globals";
import {
  around,
  CommandBus,
  Envelope,
  EventBus,
  QueryBus,
  shared,
  type AroundFunction,
  type Delivery,
  type Fault,
  type HandlerContext,
  type Outcome,
} from "cqrx";
import fc from "fast-check";
import { concatMap } from "rxjs";
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

describe("cancellation", () => {
  it("39 with a signal that is aborted already, nothing starts and the reason comes back", () =>
    withTraps(async () => {
      const reason = new Error("changed my mind");
      const calls: string[] = [];
      const bus = new CommandBus({
        middleware: [
          around((_message, next) => {
            calls.push("middleware");
            return next();
          }),
        ],
      });
      bus.register(Work, () => void calls.push("handler"));
      const outcomes: Outcome[] = [];
      bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
      expect(await reasonOf(bus.dispatch(new Work(), { signal: AbortSignal.abort(reason) }))).toBe(reason);
      expect(calls).toEqual([]);
      expect(outcomes).toMatchObject([{ status: "rejected", reason }]);
      expect(bus.inFlight).toBe(0);
      await canaries(bus);
    }));

  it.each(["value", "error", "cancellation"] as const)(
    "40 abort while the handler runs rejects at once, fires its signal once, and its late %s changes nothing",
    (ending) =>
      withTraps(async () => {
        const bus = new QueryBus<number>();
        const gate = deferred<number>();
        let fired = 0;
        bus.register(Work, (_, { signal }) => {
          signal.addEventListener("abort", () => fired++);
          return gate.promise;
        });
        const faults: Fault[] = [];
        const outcomes: string[] = [];
        bus.faults$.subscribe((fault) => faults.push(fault));
        bus.outcomes$.subscribe(({ status }) => outcomes.push(status));
        const controller = new AbortController();
        const asked = watch(bus.ask(new Work(), { signal: controller.signal }));
        controller.abort();
        controller.abort();
        expect(bus.inFlight).toBe(0);
        await microtasks(3);
        expect(asked.reason).toBe(controller.signal.reason);
        expect(fired).toBe(1);
        if (ending === "value") gate.resolve(1);
        else gate.reject(ending === "error" ? new Error("late") : controller.signal.reason);
        await macrotask();
        expect(asked).toMatchObject({ status: "rejected", settlements: 1 });
        expect(outcomes).toEqual(["rejected"]);
        // A handler that stops at its signal is expected, and not reported.
        expect(faults.map(({ kind }) => kind)).toEqual(ending === "cancellation" ? [] : ["late"]);
        expect(faults.every(({ envelope }) => envelope?.payload instanceof Work)).toBe(true);
        await canaries(bus);
      }),
  );

  it("41 a message aborted while it waits never reaches its handler, and the others keep their order", () =>
    withTraps(async () => {
      await fc.assert(
        fc.asyncProperty(fc.uniqueArray(fc.nat(9), { maxLength: 9 }), async (aborted) => {
          const gate = deferred();
          const bus = new CommandBus({
            middleware: [
              shared(
                concatMap(async (delivery: Delivery) => {
                  await gate.promise;
                  return delivery;
                }),
              ),
            ],
          });
          const handled: number[] = [];
          bus.register(Work, ({ n }) => void handled.push(n));
          const controllers = Array.from({ length: 10 }, () => new AbortController());
          const all = controllers.map(({ signal }, n) => watch(bus.dispatch(new Work(n), { signal })));
          for (const n of aborted) controllers[n]!.abort(n);
          gate.resolve();
          await microtasks(200);
          const left = Array.from({ length: 10 }, (_, n) => n).filter((n) => !aborted.includes(n));
          expect(handled).toEqual(left);
          for (const [n, one] of all.entries())
            expect(one).toMatchObject(
              aborted.includes(n) ? { status: "rejected", reason: n } : { status: "fulfilled" },
            );
          expect(bus.inFlight).toBe(0);
          await canaries(bus);
        }),
        { numRuns: 30 },
      );
    }));

  it("42 when abort and success come in one turn there is one outcome, and it agrees with the promise", () =>
    withTraps(async () => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), fc.boolean(), async (scheduler, throws) => {
          const bus = new QueryBus<string>({ middleware: [around(async (_message, next) => next())] });
          bus.faults$.subscribe();
          const outcomes: Outcome[] = [];
          bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
          bus.register(Work, () =>
            scheduler.schedule(Promise.resolve("done")).then((value) => {
              if (throws) throw new Error("failed");
              return value;
            }),
          );
          const controller = new AbortController();
          const asked = watch(bus.ask(new Work(), { signal: controller.signal }));
          void scheduler.schedule(Promise.resolve()).then(() => controller.abort());
          await scheduler.waitIdle();
          await macrotask();
          expect(asked.settlements).toBe(1);
          expect(outcomes).toHaveLength(1);
          const { status, value, reason } = asked;
          expect(outcomes[0]).toMatchObject(status === "fulfilled" ? { status, value } : { status, reason });
          await canaries(bus);
        }),
        { numRuns: 100 },
      );
    }));

  it("44 aborting a cause aborts its effects, across buses, and leaves nothing behind", () =>
    withTraps(async () => {
      const commandBus = new CommandBus();
      const queryBus = new QueryBus();
      const eventBus = new EventBus();
      const signals: AbortSignal[] = [];
      commandBus.register(Work, async (_, context) => {
        signals.push(context.signal);
        await queryBus.ask(new Child(), { causedBy: context });
      });
      queryBus.register(Child, async (_, context) => {
        signals.push(context.signal);
        await eventBus.publish(new Work(), { causedBy: context });
      });
      eventBus.register(Work, (_, { signal }) => {
        signals.push(signal);
        return new Promise<void>((_resolve, reject) =>
          signal.addEventListener("abort", () => void reject(signal.reason)),
        );
      });
      const controller = new AbortController();
      const sent = watch(commandBus.dispatch(new Work(), { signal: controller.signal }));
      expect(signals).toHaveLength(3);
      const reason = new Error("stop");
      controller.abort(reason);
      expect(signals.map((signal) => signal.reason as unknown)).toEqual([reason, reason, reason]);
      expect([commandBus.inFlight, queryBus.inFlight, eventBus.inFlight]).toEqual([0, 0, 0]);
      await microtasks();
      expect(sent.reason).toBe(reason);
      expect(getEventListeners(controller.signal, "abort")).toHaveLength(0);
      await canaries(commandBus, queryBus, eventBus);
    }));

  it("44 an effect of an aborted cause is rejected, has an outcome, and does not start", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      let context: HandlerContext | undefined;
      let children = 0;
      bus.register(Work, (_, given) => {
        context = given;
        return never();
      });
      bus.register(Child, () => void children++);
      const messages: unknown[] = [];
      const outcomes: unknown[] = [];
      const controller = new AbortController();
      const cause = watch(bus.dispatch(new Work(), { signal: controller.signal }));
      controller.abort();
      bus.messages$.subscribe(({ payload }) => messages.push(payload));
      bus.outcomes$.subscribe(({ envelope }) => outcomes.push(envelope.payload));
      expect(await reasonOf(bus.dispatch(new Child(), { causedBy: context }))).toBe(controller.signal.reason);
      expect(cause.status).toBe("rejected");
      expect(children).toBe(0);
      expect(bus.inFlight).toBe(0);
      expect(outcomes).toEqual(messages);
      await canaries(bus);
      expect(await bus.close({ timeoutMs: 0 })).toEqual({ finished: 0, aborted: [], abandoned: [] });
    }));

  it("44 a cause from another copy of the library cancels, too, also when it is aborted already", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(Child, never);
      const controller = new AbortController();
      const foreign = { envelope: Envelope.of(new Work()), signal: controller.signal };
      const sent = watch(bus.dispatch(new Child(), { causedBy: foreign }));
      const reason = new Error("stop");
      controller.abort(reason);
      await microtasks();
      expect(sent.reason).toBe(reason);
      const late = watch(bus.dispatch(new Child(), { causedBy: foreign }));
      await microtasks();
      expect(late.reason).toBe(reason);
      await canaries(bus);
    }));

  it("44 with a signal and a cause, the first abort counts, and the other one is released", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      let context: HandlerContext | undefined;
      bus.register(Work, (_, given) => {
        context = given;
        return never();
      });
      bus.register(Child, never);
      for (const first of ["own", "cause"] as const) {
        const [own, cause] = [new AbortController(), new AbortController()];
        const parent = watch(bus.dispatch(new Work(), { signal: cause.signal }));
        const child = watch(bus.dispatch(new Child(), { signal: own.signal, causedBy: context }));
        const [one, other] = first === "own" ? [own, cause] : [cause, own];
        one.abort(first);
        other.abort("second");
        await microtasks();
        expect(child.reason).toBe(first);
        expect(parent.status).toBe("rejected");
        for (const { signal } of [own, cause]) expect(getEventListeners(signal, "abort")).toHaveLength(0);
      }
      await canaries(bus);
    }));

  it("45 a signal shared by many dispatches has one listener while they run and none afterwards", () =>
    withTraps(async () => {
      const { signal } = new AbortController();
      const bus = new CommandBus();
      const gate = deferred();
      bus.register(Work, () => gate.promise);
      const all = Array.from({ length: 1_000 }, () => bus.dispatch(new Work(), { signal }));
      expect(getEventListeners(signal, "abort")).toHaveLength(1);
      gate.resolve();
      await Promise.all(all);
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
      await canaries(bus);
    }));

  it("45 a listener of a handler's signal that dispatches, aborts or closes does not disturb the abort", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const controller = new AbortController();
      const more: Promise<unknown>[] = [];
      bus.register(Work, ({ n }, { signal }) => {
        signal.addEventListener("abort", () => {
          if (n === 0) more.push(reasonOf(bus.dispatch(new Work(9), { signal: controller.signal })));
          if (n === 1) controller.abort("again");
          if (n === 2) more.push(bus.close());
        });
        return never();
      });
      const all = [0, 1, 2, 3].map((n) => watch(bus.dispatch(new Work(n), { signal: controller.signal })));
      controller.abort("first");
      await microtasks();
      expect(all.map(({ reason }) => reason)).toEqual(["first", "first", "first", "first"]);
      expect(await Promise.all(more)).toEqual(
        ["first", { finished: 3, aborted: [], abandoned: [] }].map((expected) =>
          typeof expected === "string" ? expected : expect.objectContaining({ aborted: [] }),
        ),
      );
      expect(bus.inFlight).toBe(0);
      await freshCanaries();
    }));

  it("48 a handler that ignores its signal for ever does not keep its caller, and close counts it as abandoned", () =>
    withTraps(async () => {
      const bus = new CommandBus({ ids: () => "the id" });
      bus.register(Work, never);
      const controller = new AbortController();
      const sent = watch(bus.dispatch(new Work(), { signal: controller.signal }));
      controller.abort();
      await microtasks();
      expect(sent.status).toBe("rejected");
      await canaries(bus);
      const stuck = watch(bus.dispatch(new Work()));
      expect(await bus.close({ timeoutMs: 0 })).toEqual({
        finished: 0,
        aborted: ["the id"],
        abandoned: ["the id"],
      });
      expect(stuck.reason).toMatchObject({ code: "BUS_CLOSED", messageType: "Work" });
    }));

  it.each<[string, AroundFunction, "fulfilled" | "rejected"]>([
    ["async, next() not awaited", async (_message, next) => void next(), "fulfilled"],
    ["next() not returned", (_message, next) => void next(), "fulfilled"],
    [
      "throws after next()",
      (_message, next) => {
        void next();
        throw new Error("after");
      },
      "rejected",
    ],
    ["gives up waiting", (_message, next) => Promise.race([next(), Promise.resolve("answer")]), "fulfilled"],
  ])("49 what around() did not wait for fails later, and is reported: %s", (_, call, status) =>
    withTraps(async () => {
      for (const below of [[], [concatMap((delivery: Delivery) => [delivery])]]) {
        const gate = deferred();
        const bus = new CommandBus({ middleware: [around(call), ...below] });
        const faults: Fault[] = [];
        bus.faults$.subscribe((fault) => faults.push(fault));
        bus.register(Work, () => gate.promise);
        const sent = watch(bus.dispatch(new Work()));
        await microtasks();
        expect(sent.status).toBe(status);
        gate.reject(new Error("below"));
        await macrotask();
        expect(sent.settlements).toBe(1);
        expect(faults.map(({ kind }) => kind)).toEqual(["late"]);
        expect(bus.inFlight).toBe(0);
      }
    }),
  );

  it("49 a handler that rejects long after the abort is reported", () =>
    withTraps(async () => {
      for (const middleware of [
        [],
        [around(async (_message, next) => next())],
        [around((_message, next) => void next())],
        [shared(concatMap(async (delivery: Delivery) => delivery))],
        [concatMap(async (delivery: Delivery) => delivery), around(async (_message, next) => next())],
      ]) {
        const gate = deferred();
        const bus = new CommandBus({ middleware });
        const faults: Fault[] = [];
        bus.faults$.subscribe((fault) => faults.push(fault));
        bus.register(Work, () => gate.promise);
        const controller = new AbortController();
        const sent = watch(bus.dispatch(new Work(), { signal: controller.signal }));
        await microtasks();
        controller.abort();
        gate.reject(new Error("late"));
        await macrotask();
        expect(sent.settlements).toBe(1);
        expect(faults.map(({ kind }) => kind)).toEqual(["late"]);
        await canaries(bus);
      }
    }));
});
