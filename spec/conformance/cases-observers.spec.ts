import { afterEach, describe, expect, it, jest } from "@jest/globals";
import {
  around,
  CommandBus,
  DispatchDepthExceededError,
  Envelope,
  EventBus,
  QueryBus,
  type Delivery,
  type Fault,
  type HandlerContext,
  type Outcome,
} from "cqrx";
import fc from "fast-check";
import {
  filter,
  map,
  mergeMap,
  ReplaySubject,
  Subscriber,
  tap,
  type Observable,
  type Subscription,
} from "rxjs";
import { canaries, macrotask, withTraps } from "../support/traps.js";
import { deferred, reasonOf, watch, type Watched } from "./support.js";

class Ping {
  readonly n: number;

  constructor(n = 0) {
    this.n = n;
  }
}

const HOWS = ["value", "later", "throws", "rejects", "around", "operator", "dropped"] as const;
type How = (typeof HOWS)[number];
type Tree = [how: How, children: Tree[]];

const raise = (): never => {
  throw new Error("observer");
};

/** An async observer: the type of `subscribe` does not allow for it, and applications write it. */
const asynchronous = (observer: () => Promise<unknown>): (() => void) => observer;

afterEach(() => {
  jest.restoreAllMocks();
  jest.useRealTimers();
});

describe("observers", () => {
  it("28 an observer that throws for every message is reported; results, order and others are as without it", () =>
    withTraps(async () => {
      const bus = new QueryBus<number>();
      bus.register(Ping, ({ n }) => n);
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      const seen: number[] = [];
      bus.messages$.subscribe(raise);
      bus.messages$.pipe(map((envelope) => envelope)).subscribe({ next: raise });
      bus.outcomes$.subscribe(raise);
      bus.messages$.subscribe(({ payload }) => seen.push((payload as Ping).n));
      for (let n = 0; n < 10; n++) expect(await bus.ask(new Ping(n))).toBe(n);
      expect(seen).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
      expect(faults).toHaveLength(30);
      expect(new Set(faults.map(({ kind, source }) => `${kind} ${source}`))).toEqual(
        new Set(["observer messages$", "observer outcomes$"]),
      );
      await canaries(bus);
      expect(seen).toHaveLength(11);
    }));

  it("28 an operator on an observable that throws ends that subscription only, and is reported", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(Ping, () => undefined);
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      let seen = 0;
      bus.messages$.pipe(map(raise)).subscribe();
      bus.messages$.pipe(mergeMap(() => Promise.reject(new Error("later")))).subscribe();
      bus.messages$.subscribe(() => seen++);
      for (let n = 0; n < 3; n++) await bus.dispatch(new Ping());
      await macrotask();
      expect(seen).toBe(3);
      expect(faults).toHaveLength(2);
      await canaries(bus);
    }));

  it("28 a Subscriber whose own next throws does not reach the sender", () =>
    withTraps(async () => {
      class Bad extends Subscriber<unknown> {
        override next(): void {
          raise();
        }
      }
      const bus = new CommandBus({ maxDepth: 4 });
      bus.register(Ping, () => undefined);
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      bus.messages$.subscribe(new Bad());
      bus.outcomes$.subscribe(new Bad());
      for (let n = 0; n < 10; n++) await bus.dispatch(new Ping());
      expect(faults).toHaveLength(20);
      await canaries(bus);
    }));

  it("29 an async observer that rejects is reported", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(Ping, () => undefined);
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      bus.messages$.subscribe(asynchronous(async () => raise()));
      bus.outcomes$.subscribe({ next: asynchronous(() => Promise.reject(new Error("outcome"))) });
      await bus.dispatch(new Ping());
      await macrotask();
      expect(faults.map(({ source }) => source).sort()).toEqual(["messages$", "outcomes$"]);
      await canaries(bus);
    }));

  it("30 observers that never finish delay no dispatch, and get every message", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      let handled = 0;
      bus.register(Ping, () => void handled++);
      const gate = deferred();
      let [started, finished] = [0, 0];
      bus.messages$.subscribe(
        asynchronous(async () => {
          started++;
          await gate.promise;
          finished++;
        }),
      );
      for (let n = 1; n <= 1_000; n++) {
        bus.dispatch(new Ping());
        expect(handled).toBe(n);
      }
      expect([started, finished, bus.inFlight]).toEqual([1_000, 0, 0]);
      gate.resolve();
      await macrotask();
      expect(finished).toBe(1_000);
      await canaries(bus);
    }));

  it.each(["messages$", "outcomes$"] as const)(
    "32 an observer of %s that dispatches for each message is stopped by maxDepth, and says so",
    (stream) =>
      withTraps(async () => {
        const bus = new CommandBus({ maxDepth: 32 });
        let handled = 0;
        bus.register(Ping, () => void handled++);
        const refused: unknown[] = [];
        const dispatching = (bus[stream] as Observable<unknown>).subscribe(
          () => void bus.dispatch(new Ping()).catch((error) => refused.push(error)),
        );
        await bus.dispatch(new Ping());
        await macrotask();
        expect(handled).toBeGreaterThan(16);
        expect(handled).toBeLessThanOrEqual(32);
        expect(refused).toHaveLength(1);
        expect(refused[0]).toBeInstanceOf(DispatchDepthExceededError);
        expect(String(refused[0])).toMatch(/Ping.*maxDepth/);
        // The next message succeeds, although its observer is refused again, and all do when that has gone.
        await bus.dispatch(new Ping());
        await macrotask();
        expect(refused).toHaveLength(2);
        dispatching.unsubscribe();
        await canaries(bus, new EventBus({ maxDepth: 2 }), new QueryBus({ maxDepth: 2 }));
      }),
  );

  it("34 a steady observer misses nothing and sees nothing twice while 10,000 others come and go", () =>
    withTraps(async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(3), { minLength: 2_000, maxLength: 2_000 }), async (steps) => {
          const bus = new CommandBus();
          bus.register(Ping, () => undefined);
          const seen: number[] = [];
          bus.messages$.subscribe(({ payload }) => seen.push((payload as Ping).n));
          const others: Subscription[] = [];
          let sent = 0;
          for (const step of steps) {
            if (step === 0) others.shift()?.unsubscribe();
            else if (step === 1) bus.dispatch(new Ping(sent++));
            else others.push(bus.messages$.subscribe());
          }
          for (const other of others) other.unsubscribe();
          expect(seen).toEqual(Array.from({ length: sent }, (_, n) => n));
        }),
        { numRuns: 10 },
      );
    }));

  it("34 when the last observer has left, envelopes are no longer made", () =>
    withTraps(async () => {
      let ids = 0;
      const bus = new CommandBus({ ids: () => String(++ids) });
      bus.register(Ping, () => undefined);
      const all = Array.from({ length: 100 }, () => bus.messages$.subscribe(({ meta }) => meta.id));
      await bus.dispatch(new Ping());
      expect(ids).toBe(1);
      for (const one of all) one.unsubscribe();
      await bus.dispatch(new Ping());
      expect(ids).toBe(1);
      await canaries(bus);
    }));

  it("36 a late observer sees only what comes after it", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(Ping, () => undefined);
      bus.outcomes$.subscribe();
      await bus.dispatch(new Ping(1));
      const seen: unknown[] = [];
      bus.messages$.subscribe(({ payload }) => seen.push(payload));
      bus.outcomes$.subscribe(({ envelope }) => seen.push(envelope.payload));
      expect(seen).toEqual([]);
      await bus.dispatch(new Ping(2));
      expect(seen).toEqual([new Ping(2), new Ping(2)]);
      await canaries(bus);
    }));

  it("36 an observer that subscribes between a message and its outcome gets the outcome, without a duration", () =>
    withTraps(async () => {
      const gate = deferred();
      const bus = new CommandBus();
      bus.register(Ping, () => gate.promise);
      const sent = bus.dispatch(new Ping());
      const durations: number[] = [];
      bus.outcomes$.subscribe(({ durationMs }) => durations.push(durationMs));
      gate.resolve();
      await sent;
      expect(durations).toEqual([NaN]);
      await canaries(bus);
    }));

  it("38 an observer of faults$ that throws writes one line a second to the console", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      jest.advanceTimersByTime(60_000);
      const lines = jest.spyOn(console, "error").mockImplementation(() => undefined);
      const bus = new CommandBus();
      bus.register(Ping, () => undefined);
      bus.messages$.subscribe(raise);
      bus.faults$.subscribe(raise);
      for (let n = 0; n < 100; n++) await bus.dispatch(new Ping());
      expect(lines).toHaveBeenCalledTimes(1);
      jest.advanceTimersByTime(1_001);
      await bus.dispatch(new Ping());
      expect(lines).toHaveBeenCalledTimes(2);
      await canaries(bus);
    }));

  it("38 faults without an observer write one line a second to the console", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      jest.advanceTimersByTime(120_000);
      const lines = jest.spyOn(console, "error").mockImplementation(() => undefined);
      const bus = new CommandBus({ name: "orders" });
      bus.register(Ping, () => undefined);
      bus.outcomes$.subscribe(raise);
      for (let n = 0; n < 100; n++) await bus.dispatch(new Ping());
      expect(lines).toHaveBeenCalledTimes(1);
      expect(String(lines.mock.calls[0]![0])).toContain("orders");
      await canaries(bus);
    }));

  it("38 faults with an observer write nothing to the console", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      jest.advanceTimersByTime(240_000);
      const lines = jest.spyOn(console, "error").mockImplementation(() => undefined);
      const bus = new CommandBus();
      const faults: unknown[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      bus.register(Ping, () => undefined);
      bus.outcomes$.subscribe(raise);
      await bus.dispatch(new Ping());
      expect(faults).toHaveLength(1);
      expect(lines).not.toHaveBeenCalled();
      await canaries(bus);
    }));

  it("35 the record of random commands that fail is complete: one end each, which agrees with the promise, and causes that form a forest", () =>
    withTraps(async () => {
      class Step extends Ping {
        readonly how: How;
        readonly children: readonly Step[];

        constructor(n: number, how: How, children: readonly Step[]) {
          super(n);
          this.how = how;
          this.children = children;
        }
      }
      const node = (depth: number): fc.Arbitrary<Tree> =>
        fc.tuple(
          fc.constantFrom(...HOWS),
          depth === 0 ? fc.constant([]) : fc.array(node(depth - 1), { maxLength: 3 }),
        );
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.array(node(2), { minLength: 1, maxLength: 5 }),
          fc.uniqueArray(fc.nat(40)),
          async (scheduler, roots, aborted) => {
            let [count, now] = [0, 0];
            const build = ([how, children]: Tree): Step => new Step(count++, how, children.map(build));
            const bus = new CommandBus({
              clock: { now: () => ++now },
              middleware: [
                around<Step>((message, next) => {
                  if (message.how === "around") throw new Error("around");
                  return next();
                }),
                filter(({ message }: Delivery<Step>) => message.how !== "dropped"),
                tap(({ message }: Delivery<Step>) => {
                  if (message.how === "operator") throw new Error("operator");
                }),
              ],
            });
            bus.faults$.subscribe();
            bus.messages$.subscribe(raise);
            const sent = new Map<number, Watched>();
            const controllers = new Map<number, AbortController>();
            const send = (step: Step, causedBy?: HandlerContext): Promise<unknown> => {
              const controller = new AbortController();
              controllers.set(step.n, controller);
              const sending = bus.dispatch(step, { signal: controller.signal, causedBy });
              sent.set(step.n, watch(sending));
              return sending;
            };
            bus.register(Step, async ({ how, children }, context) => {
              if (how === "throws") raise();
              if (how === "later") await scheduler.schedule(Promise.resolve());
              const all = children.map((child) => send(child, context));
              // Some handlers await their effects and fail with them, others do not.
              await (how === "value" ? Promise.allSettled(all) : Promise.all(all));
              if (how === "rejects") throw new Error("rejects");
            });
            const messages: Envelope[] = [];
            const outcomes: Outcome[] = [];
            bus.messages$.subscribe((envelope) => messages.push(envelope));
            bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));

            for (const root of roots.map(build)) send(root).catch(() => undefined);
            for (const n of aborted)
              void scheduler
                .schedule(Promise.resolve())
                .then(() => controllers.get(n)?.abort(new Error("aborted")));
            await scheduler.waitIdle();
            expect(bus.inFlight).toBe(0);
            await macrotask();

            const numberOf = ({ payload }: Envelope): number => (payload as Step).n;
            const ascending = (a: number, b: number): number => a - b;
            expect(messages.map(numberOf).sort(ascending)).toEqual([...sent.keys()].sort(ascending));
            expect(outcomes).toHaveLength(messages.length);
            const ends = new Map(outcomes.map((outcome) => [outcome.envelope.meta.id, outcome]));
            const times = new Map(messages.map(({ meta }) => [meta.id, meta.time]));
            expect([ends.size, times.size]).toEqual([messages.length, messages.length]);
            const seen = new Set<string>();
            for (const { meta, payload } of messages) {
              const { status, settlements, ...result } = sent.get((payload as Step).n)!;
              expect(settlements).toBe(1);
              expect(ends.get(meta.id)).toMatchObject({ status, ...result });
              expect(ends.get(meta.id)!.durationMs).toBeGreaterThanOrEqual(0);
              // A forest: each cause was sent before its effect, so that no chain of causes is a circle.
              if (meta.causationId === undefined) expect(meta.correlationId).toBe(meta.id);
              else {
                expect(seen).toContain(meta.causationId);
                expect(meta.time).toBeGreaterThanOrEqual(times.get(meta.causationId)!);
              }
              seen.add(meta.id);
            }
            await canaries(bus);
          },
        ),
        { numRuns: 100 },
      );
    }));

  it("35 an envelope that is sent with options takes them on, and its effects are of one chain with it", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const seen = new Map<number, Envelope<Ping>["meta"]>();
      bus.messages$.subscribe(({ payload, meta }) => seen.set((payload as Ping).n, meta));
      bus.register(Ping, ({ n }, context) =>
        n === 2 ? bus.dispatch(new Ping(3), { causedBy: context }) : undefined,
      );
      const cause = Envelope.of(new Ping(1), { correlationId: "chain" });
      const sent = Envelope.of(new Ping(2), { id: "own", time: 7, headers: { own: "1", both: "own" } });
      await bus.dispatch(sent, { causedBy: cause, headers: { both: "given", given: "2" } });
      const { id: causationId, correlationId } = cause.meta;
      expect(seen.get(2)).toEqual({
        ...sent.meta,
        causationId,
        correlationId,
        headers: { own: "1", both: "given", given: "2" },
      });
      expect(seen.get(3)).toMatchObject({ causationId: "own", correlationId: "chain" });
      // Without options the envelope stays as it is.
      expect(sent.meta).toMatchObject({ correlationId: "own", headers: { own: "1", both: "own" } });
      await bus.dispatch(sent);
      expect(seen.get(2)).toBe(sent.meta);
      await canaries(bus);
    }));

  it("35 subjects, promises and iteration may observe, and each outcome agrees with its promise", () =>
    withTraps(async () => {
      const bus = new QueryBus<number>();
      const boom = new Error("boom");
      bus.register(Ping, ({ n }) => {
        if (n % 3 === 0) throw boom;
        return n % 3 === 1 ? n : Promise.resolve(n);
      });
      const outcomes = new ReplaySubject<unknown>(20);
      const recording = bus.outcomes$.subscribe(outcomes);
      const settled = await Promise.allSettled(Array.from({ length: 9 }, (_, n) => bus.ask(new Ping(n))));
      recording.unsubscribe();
      const seen: { n: number; status: string }[] = [];
      outcomes.subscribe((outcome) => {
        const { envelope, durationMs, attempts, ...result } = outcome as never as {
          envelope: { payload: Ping };
          durationMs: number;
          attempts: number;
        };
        expect(attempts).toBe(1);
        expect(result).toMatchObject(settled[envelope.payload.n]!);
        expect(durationMs).toBeGreaterThanOrEqual(0);
        seen.push({ n: envelope.payload.n, status: settled[envelope.payload.n]!.status });
      });
      expect(seen.map(({ n }) => n).sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
      await canaries(bus);
    }));

  it("35 time does not go backwards from a message to its effects, and causes are named", () =>
    withTraps(async () => {
      class Child extends Ping {}
      const bus = new CommandBus();
      bus.register(Ping, (_, context) => bus.dispatch(new Child(), { causedBy: context }));
      bus.register(Child, () => undefined);
      const metas: { id: string; time: number; correlationId: string; causationId?: string | undefined }[] =
        [];
      bus.messages$.subscribe(({ meta }) => metas.push({ ...meta }));
      for (let n = 0; n < 20; n++) await bus.dispatch(new Ping());
      for (let at = 0; at < metas.length; at += 2) {
        const [parent, child] = [metas[at]!, metas[at + 1]!];
        expect(child).toMatchObject({ causationId: parent.id, correlationId: parent.id });
        expect(parent).toMatchObject({ causationId: undefined, correlationId: parent.id });
        expect(child.time).toBeGreaterThanOrEqual(parent.time);
      }
      expect(new Set(metas.map(({ id }) => id)).size).toBe(40);
      expect(watch(reasonOf(bus.dispatch(new (class Unknown {})()))).settlements).toBe(0);
      await canaries(bus);
    }));
});
