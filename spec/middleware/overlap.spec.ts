import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "@jest/globals";
import {
  around,
  CommandBus,
  DispatchDepthExceededError,
  EventBus,
  QueryBus,
  when,
  type Delivery,
  type HandlerContext,
  type BusOptions,
} from "cqrx";
import {
  BusyError,
  overlap,
  QueueFullError,
  SelfDeadlockError,
  SupersededError,
  timeLimit,
  type OverlapOptions,
} from "cqrx/middleware";
import { delivery, marbles, sequentialIds } from "cqrx/testing";
import fc from "fast-check";
import { EMPTY, map, NEVER, Observable, of, pipe, Subject, take, tap, timer, mergeMap } from "rxjs";
import { deferred, microtasks, reasonOf, watch, type Deferred } from "../conformance/support.js";
import { canaries, macrotask, withTraps } from "../support/traps.js";

class Work {
  readonly n: number;
  readonly key: string;

  constructor(n = 0, key = "") {
    this.n = n;
    this.key = key;
  }
}
class Other extends Work {}

const concat = (options: Partial<OverlapOptions<Work>> = {}) =>
  overlap<Work>({ strategy: "concat", ...options });

/** Returns a bus whose handlers end when the test ends them. */
function rig(...middleware: NonNullable<BusOptions["middleware"]>) {
  const bus = new CommandBus({ middleware, ids: sequentialIds() });
  const started: number[] = [];
  const contexts = new Map<number, HandlerContext>();
  const ends = new Map<number, Deferred<void>>();
  bus.register(Work, ({ n }, context) => {
    started.push(n);
    contexts.set(n, context);
    const end = deferred();
    ends.set(n, end);
    return end.promise;
  });
  return {
    bus,
    started,
    contexts,
    send: (n: number, key?: string, options?: object) => watch(bus.dispatch(new Work(n, key), options)),
    end: async (n: number) => {
      ends.get(n)!.resolve();
      await microtasks();
    },
    fail: async (n: number) => {
      ends.get(n)!.reject(new Error(`no ${n}`));
      await microtasks();
    },
  };
}

/** The two places in a bus: in the inner one overlap gets forks. */
const inner = around((_, next) => next());

// Properties, and ten thousand messages, on a machine that may be busy.

describe.each([
  ["outermost", []],
  ["inside of a function", [inner]],
  ["inside of an operator", [tap<Delivery>()]],
])("overlap %s", (_, outer) => {
  it("concat runs one at a time, in order", () =>
    withTraps(async () => {
      const { bus, started, send, end, fail } = rig(...outer, concat());
      const [first, second, third] = [send(1), send(2), send(3)];
      expect(started).toEqual([1]);
      await end(1);
      expect([first.status, second.status, started]).toEqual(["fulfilled", "pending", [1, 2]]);
      await fail(2);
      expect([second.status, third.status, started]).toEqual(["rejected", "pending", [1, 2, 3]]);
      await end(3);
      expect(third.status).toBe("fulfilled");
      await canaries(bus);
    }));

  it("65 messages of one key run in order, and different keys overlap", () =>
    withTraps(async () => {
      const { bus, started, send, end } = rig(...outer, concat({ key: ({ key }) => key }));
      const all = [send(1, "a"), send(2, "a"), send(3, "b"), send(4, "b"), send(5, "c")];
      expect(started).toEqual([1, 3, 5]);
      for (const n of [3, 5, 1, 2, 4]) await end(n);
      expect(started).toEqual([1, 3, 5, 4, 2]);
      expect(all.every(({ status }) => status === "fulfilled")).toBe(true);
      await canaries(bus);
    }));

  it("65 events of one key are handled in the order of publishing, for any delays, and keys overlap", () =>
    withTraps(async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.array(fc.tuple(fc.constantFrom("a", "b", "c"), fc.constantFrom("later", "fails", "now")), {
            maxLength: 20,
          }),
          async (scheduler, published) => {
            const bus = new EventBus({
              middleware: [...outer, concat({ key: ({ key }) => key })] as never,
            });
            // The model: a queue for each key.
            const expected = new Map<string, number[]>();
            const began = new Map<string, number[]>();
            const running = new Map<string, number>();
            const push = (lists: Map<string, number[]>, key: string, n: number): void =>
              void lists.set(key, [...(lists.get(key) ?? []), n]);
            const together: number[] = [];
            bus.register(Work, async ({ n, key }) => {
              push(began, key, n);
              expect(running.get(key) ?? 0).toBe(0);
              running.set(key, 1);
              together.push([...running.values()].reduce((sum, one) => sum + one, 0));
              const how = published[n]![1];
              if (how !== "now") await scheduler.schedule(Promise.resolve());
              running.set(key, 0);
              if (how === "fails") throw new Error(`no ${n}`);
            });
            const all = published.map(([key], n) => {
              push(expected, key, n);
              return watch(bus.publish(new Work(n, key)));
            });
            // Before anything could end, the first of each key that has to wait is under way.
            const waiting = new Set(published.filter(([, how]) => how !== "now").map(([key]) => key));
            if (published.every(([, how]) => how !== "now")) expect(began.size).toBe(waiting.size);
            await scheduler.waitIdle();
            await microtasks();
            expect(began).toEqual(expected);
            if (published.every(([, how]) => how !== "now"))
              expect(Math.max(0, ...together)).toBe(waiting.size);
            for (const [n, { status }] of all.entries())
              expect(status).toBe(published[n]![1] === "fails" ? "rejected" : "fulfilled");
            await canaries(bus);
          },
        ),
        { numRuns: 100 },
      );
    }));

  it("merge runs as many at a time as its concurrency allows", () =>
    withTraps(async () => {
      const { bus, started, send, end } = rig(...outer, overlap({ strategy: "merge", concurrency: 2 }));
      for (const n of [1, 2, 3, 4]) send(n);
      expect(started).toEqual([1, 2]);
      await end(2);
      expect(started).toEqual([1, 2, 3]);
      for (const n of [1, 3, 4]) await end(n);
      expect(started).toEqual([1, 2, 3, 4]);
      await canaries(bus);
    }));

  it("switch aborts the older and runs the newer at once", () =>
    withTraps(async () => {
      const { bus, contexts, started, send, end } = rig(...outer, overlap({ strategy: "switch" }));
      const first = send(1);
      const { signal } = contexts.get(1)!;
      const second = send(2);
      expect([started, signal.aborted]).toEqual([[1, 2], true]);
      expect(signal.reason).toBeInstanceOf(SupersededError);
      await end(2);
      expect(first.reason).toBe(signal.reason);
      expect(second.status).toBe("fulfilled");
      await canaries(bus);
    }));

  it("exhaust refuses while it is busy", () =>
    withTraps(async () => {
      const { bus, started, send, end } = rig(...outer, overlap({ strategy: "exhaust" }));
      const first = send(1);
      const second = send(2);
      await microtasks();
      expect(second.reason).toBeInstanceOf(BusyError);
      expect(String(second.reason)).toContain("Work was refused while another message was running;");
      await end(1);
      send(3);
      expect([first.status, started]).toEqual(["fulfilled", [1, 3]]);
      await end(3);
      await canaries(bus);
    }));

  it("exhaust takes a concurrency", () =>
    withTraps(async () => {
      const { bus, started, send, end } = rig(...outer, overlap({ strategy: "exhaust", concurrency: 2 }));
      for (const n of [1, 2, 3]) send(n);
      expect(started).toEqual([1, 2]);
      await end(1);
      send(4);
      expect(started).toEqual([1, 2, 4]);
      for (const n of [2, 4]) await end(n);
      await canaries(bus);
    }));

  it("41 who is aborted while it waits leaves the queue; its handler is not called, and the order of the others is kept", () =>
    withTraps(async () => {
      const { bus, started, send, end } = rig(...outer, concat());
      const reason = new Error("changed my mind");
      const controller = new AbortController();
      send(1);
      const waiting = [2, 3, 4, 5].map((n) =>
        send(n, "", n === 3 ? { signal: controller.signal } : undefined),
      );
      controller.abort(reason);
      await microtasks();
      expect(waiting.map(({ status }) => status)).toEqual(["pending", "rejected", "pending", "pending"]);
      expect(waiting[1]!.reason).toBe(reason);
      for (const n of [1, 2, 4, 5]) await end(n);
      expect(started).toEqual([1, 2, 4, 5]);
      await canaries(bus);
    }));

  it("41 one signal that aborts the one that runs and those that wait for it starts none of them", () =>
    withTraps(async () => {
      const { bus, started, send, end } = rig(...outer, concat());
      const controller = new AbortController();
      for (const n of [1, 2, 3]) send(n, "", { signal: controller.signal });
      send(4);
      controller.abort();
      await end(1);
      expect(started).toEqual([1, 4]);
      await end(4);
      await canaries(bus);
    }));

  it("48 a handler that ignores its signal keeps its turn until its work has ended, and its caller is free at once", () =>
    withTraps(async () => {
      const { bus, started, send, end } = rig(...outer, concat());
      const controller = new AbortController();
      const stuck = send(1, "", { signal: controller.signal });
      const next = send(2);
      controller.abort();
      await microtasks();
      expect([stuck.status, started]).toEqual(["rejected", [1]]);
      await end(1);
      expect(started).toEqual([1, 2]);
      await end(2);
      expect(next.status).toBe("fulfilled");
      await canaries(bus);
    }));

  it("67 a handler that awaits a message of its own key gets an error with the chain of causes", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [...outer, concat()] as never, ids: sequentialIds() });
      const reached: unknown[] = [];
      bus.register(Work, ({ n }, context) =>
        n === 0 ? bus.dispatch(new Work(1), { causedBy: context }) : void reached.push(n),
      );
      const error = (await reasonOf(bus.dispatch(new Work()))) as SelfDeadlockError;
      expect(error).toBeInstanceOf(SelfDeadlockError);
      const [holder, refused] = error.chain;
      expect(error.chain).toHaveLength(2);
      expect(error.message).toContain(`Work (${holder!.id}) > Work (${refused!.id})`);
      expect(reached).toEqual([]);
      await canaries(bus);
    }));

  it("75 a full queue refuses at once", () =>
    withTraps(async () => {
      const { bus, started, send, end } = rig(...outer, concat({ maxQueued: 1 }));
      send(1);
      send(2);
      const third = send(3);
      await microtasks();
      expect(third.reason).toBeInstanceOf(QueueFullError);
      for (const n of [1, 2]) await end(n);
      expect(started).toEqual([1, 2]);
      await canaries(bus);
    }));

  it("77 10,000 that waited and all end synchronously overflow no stack", () =>
    withTraps(async () => {
      const gate = deferred();
      const bus = new CommandBus({ middleware: [...outer, concat()] as never });
      const handled: number[] = [];
      bus.register(Work, ({ n }) => (handled.push(n), n === 0 ? gate.promise : undefined));
      const all = Array.from({ length: 10_001 }, (_, n) => bus.dispatch(new Work(n)));
      gate.resolve();
      await Promise.all(all);
      expect(handled).toEqual(all.map((_, n) => n));
      await canaries(bus);
    }));

  it("is synchronous when the turn is free", () =>
    withTraps(async () => {
      for (const strategy of ["concat", "merge", "switch", "exhaust"] as const) {
        const bus = new CommandBus({
          middleware: [
            ...outer,
            overlap({ strategy, ...(strategy === "merge" && { concurrency: 1 }) }),
          ] as never,
        });
        const seen: number[] = [];
        bus.register(Work, ({ n }) => void seen.push(n));
        for (const n of [1, 2, 3]) bus.dispatch(new Work(n));
        expect(seen).toEqual([1, 2, 3]);
        await canaries(bus);
      }
    }));

  it("runs a waiting message in the async context of its own dispatch", () =>
    withTraps(async () => {
      const storage = new AsyncLocalStorage<number>();
      const bus = new CommandBus({ middleware: [...outer, concat()] as never });
      const seen: unknown[] = [];
      bus.register(Work, async () => {
        seen.push(storage.getStore());
        await macrotask();
        seen.push(storage.getStore());
      });
      await Promise.all([1, 2, 3].map((n) => storage.run(n, () => bus.dispatch(new Work(n)))));
      expect(seen).toEqual([1, 1, 2, 2, 3, 3]);
      await canaries(bus);
    }));

  it("74 every way to end gives the turn back once", () =>
    withTraps(async () => {
      const endings: Record<string, (context: HandlerContext) => unknown> = {
        value: () => 1,
        throws: () => {
          throw new Error("no");
        },
        promise: async () => 1,
        rejects: () => Promise.reject(new Error("no")),
        later: () => macrotask(),
        observable: () => of(1, 2),
        empty: () => EMPTY,
        fails: () => new Observable((subscriber) => subscriber.error(new Error("no"))),
        never: () => NEVER,
        resolves: (context) => (context as Delivery).resolve(),
        refuses: (context) => (context as Delivery).reject(new Error("no")),
        settlesTwice: (context) => {
          (context as Delivery).resolve();
          throw new Error("late");
        },
      };
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.constantFrom(...Object.keys(endings)), { minLength: 1, maxLength: 20 }),
          fc.integer({ min: 1, max: 3 }),
          async (names, concurrency) => {
            const bus = new CommandBus({
              middleware: [...outer, overlap({ strategy: "merge", concurrency }), timeLimit(1)] as never,
            });
            bus.faults$.subscribe();
            bus.register(Work, ({ n }, context) => endings[names[n]!]!(context) as never);
            await Promise.allSettled(names.map((_, n) => bus.dispatch(new Work(n))));
            // The work that the limit gave up ends.
            for (let turn = 0; turn < 5; turn++) await macrotask();
            // As many as before may run now, and not one more.
            const gate = deferred();
            let running = 0;
            bus.register(Other, () => (running++, gate.promise));
            const all = [0, 1, 2, 3].map((n) => bus.dispatch(new Other(n)));
            expect(running).toBe(concurrency);
            // The waiting messages run when the time limit of the others is over, or the gate opens.
            gate.resolve();
            await Promise.all(all);
            await canaries(bus);
          },
        ),
        { numRuns: 30 },
      );
    }));
});

describe("overlap", () => {
  it("sets a bus free at the deadline of close, and starts nothing that waited", () =>
    withTraps(async () => {
      const { bus, started, send } = rig(concat());
      const all = [1, 2, 3].map((n) => send(n));
      const { aborted } = await bus.close({ timeoutMs: 1 });
      await microtasks();
      expect([started, aborted.length]).toEqual([[1], 3]);
      expect(all.every(({ status }) => status === "rejected")).toBe(true);
    }));

  it("lets waiting messages finish while the bus is closing", () =>
    withTraps(async () => {
      const { bus, started, send, end } = rig(concat());
      const all = [1, 2].map((n) => send(n));
      const closing = bus.close();
      for (const n of [1, 2]) await end(n);
      expect(await closing).toMatchObject({ finished: 2, aborted: [] });
      expect([started, all[1]!.status]).toEqual([[1, 2], "fulfilled"]);
    }));

  it("67 is detected through other types, buses and several slots, and not while another message can go on", () =>
    withTraps(async () => {
      const eventBus = new EventBus();
      const bus = new CommandBus({
        middleware: [when(Work, overlap({ strategy: "merge", concurrency: 2 }))],
      });
      bus.register(Work, ({ n }, context) =>
        n === 0 ? undefined : eventBus.publish(new Other(n), { causedBy: context }),
      );
      eventBus.register(Other, ({ n }, context) => bus.dispatch(new Work(n - 1), { causedBy: context }));
      await bus.dispatch(new Work(1));
      const failed = (await reasonOf(bus.dispatch(new Work(2)))) as AggregateError;
      const nested = (failed.errors[0] as AggregateError).errors[0] as SelfDeadlockError;
      expect(nested).toBeInstanceOf(SelfDeadlockError);
      expect(nested.chain.map(({ messageType }) => messageType)).toEqual([
        "Work",
        "Other",
        "Work",
        "Other",
        "Work",
      ]);
      // Another message holds the second slot: it will end, and then there is room.
      const gate = deferred();
      class Holds extends Work {}
      bus.register(Holds, () => gate.promise);
      await canaries(bus, eventBus);
    }));

  it("67 a message waits if the end of another one will let it run", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [overlap({ strategy: "merge", concurrency: 2 })] });
      const gate = deferred();
      const seen: number[] = [];
      bus.register(Work, ({ n }, context) => {
        seen.push(n);
        if (n === 1) return gate.promise;
        return n === 2 ? bus.dispatch(new Work(3), { causedBy: context }) : undefined;
      });
      const all = [1, 2].map((n) => bus.dispatch(new Work(n)));
      expect(seen).toEqual([1, 2]);
      gate.resolve();
      await Promise.all(all);
      expect(seen).toEqual([1, 2, 3]);
      await canaries(bus);
    }));

  it("67 a message that only its envelope links to a cause waits its turn", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [concat()] });
      const seen: number[] = [];
      const sent: Promise<void>[] = [];
      bus.register(Work, async ({ n }, { envelope }) => {
        if (n < 3) sent.push(bus.dispatch(new Work(n + 1), { causedBy: envelope }));
        await macrotask();
        seen.push(n);
      });
      await bus.dispatch(new Work(1));
      while (bus.inFlight > 0) await macrotask();
      await Promise.all(sent);
      expect(seen).toEqual([1, 2, 3]);
      await canaries(bus);
    }));

  it("67 switch refuses to abort the cause of the newer message", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [overlap({ strategy: "switch" })] });
      bus.register(Work, ({ n }, context) =>
        n === 0 ? bus.dispatch(new Work(1), { causedBy: context }) : undefined,
      );
      expect(await reasonOf(bus.dispatch(new Work()))).toBeInstanceOf(SelfDeadlockError);
      await canaries(bus);
    }));

  it("67 one overlap inside of itself is refused, and side by side it is one limit", () =>
    withTraps(async () => {
      const one = concat();
      const nested = new CommandBus({ middleware: [one, one] });
      nested.register(Work, () => undefined);
      expect(await reasonOf(nested.dispatch(new Work()))).toBeInstanceOf(SelfDeadlockError);

      class Unrelated {}
      const both = new CommandBus({ middleware: [when(Work, one), when(Unrelated, one)] });
      const gate = deferred();
      const seen: string[] = [];
      both.register(Work, () => (seen.push("work"), gate.promise));
      both.register(Unrelated, () => void seen.push("other"));
      const all = [both.dispatch(new Work()), both.dispatch(new Unrelated())];
      expect(seen).toEqual(["work"]);
      gate.resolve();
      await Promise.all(all);
      expect(seen).toEqual(["work", "other"]);
      await canaries(both);
    }));

  it("keeps its limit where it is piped with other operators", () =>
    withTraps(async () => {
      const { bus, started, send, end } = rig(pipe(tap<Delivery<Work>>(), concat(), tap()));
      for (const n of [1, 2]) send(n);
      expect(started).toEqual([1]);
      await end(1);
      expect(started).toEqual([1, 2]);
      await end(2);
      await canaries(bus);
    }));

  it("is a limit of its own on each bus", () =>
    withTraps(async () => {
      const one = concat();
      const [first, second] = [rig(one), rig(one)];
      first.send(1);
      second.send(2);
      expect([first.started, second.started]).toEqual([[1], [2]]);
      await first.end(1);
      await second.end(2);
      await canaries(first.bus, second.bus);
    }));

  it("counts two runs of one message in a function above as two", () =>
    withTraps(async () => {
      const log: string[] = [];
      const bus = new CommandBus({
        middleware: [around(async (_, next) => void (await Promise.all([next(), next()]))), concat()],
      });
      bus.register(Work, async () => {
        log.push("start");
        await macrotask();
        log.push("end");
      });
      await bus.dispatch(new Work());
      expect(log).toEqual(["start", "end", "start", "end"]);
      expect(bus.inFlight).toBe(0);
    }));

  it("sends in which an outcome is heard find the turn free", () =>
    withTraps(async () => {
      for (const strategy of ["concat", "switch", "exhaust"] as const) {
        const { bus, started, send, end } = rig(overlap({ strategy }));
        const heard: string[] = [];
        bus.outcomes$.subscribe(({ status }) => {
          heard.push(status);
          if (heard.length === 1) send(2);
        });
        send(1);
        await end(1);
        expect(started).toEqual([1, 2]);
        await end(2);
        expect(heard).toEqual(["fulfilled", "fulfilled"]);
        await canaries(bus);
      }
    }));

  it("switch lets the latest win, also if it is sent while an older one is aborted", () =>
    withTraps(async () => {
      const { bus, contexts, started, send, end } = rig(overlap({ strategy: "switch" }));
      send(1);
      contexts.get(1)!.signal.addEventListener("abort", () => send(3));
      const second = send(2);
      await microtasks();
      expect(second.reason).toBeInstanceOf(SupersededError);
      expect(started).toEqual([1, 3]);
      await end(3);
      await canaries(bus);
    }));

  it("switch aborts the effects of the older message", () =>
    withTraps(async () => {
      const queryBus = new QueryBus();
      const signals: AbortSignal[] = [];
      queryBus.register(Other, (_, { signal }) => (signals.push(signal), new Promise(() => {})));
      const bus = new CommandBus({ middleware: [overlap({ strategy: "switch" })] });
      bus.register(Work, async ({ n }, context) => {
        if (n === 1) await queryBus.ask(new Other(), { causedBy: context });
      });
      const first = watch(bus.dispatch(new Work(1)));
      await bus.dispatch(new Work(2));
      expect(signals[0]!.reason).toBe(first.reason);
      await canaries(bus, queryBus);
    }));

  it("a synchronous runaway by way of the queue reaches maxDepth", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [concat()], maxDepth: 50 });
      const sent: { readonly status: string; readonly reason?: unknown }[] = [];
      bus.register(Work, () => void sent.push(watch(bus.dispatch(new Work()))));
      await bus.dispatch(new Work());
      await macrotask();
      expect(sent).toHaveLength(50);
      expect(sent.at(-2)!.status).toBe("fulfilled");
      expect(sent.at(-1)!.reason).toBeInstanceOf(DispatchDepthExceededError);
      await canaries(bus);
    }));

  it("a key that throws, or is a promise, rejects its message only", () =>
    withTraps(async () => {
      const error = new Error("no key");
      const bus = new CommandBus({
        middleware: [
          concat({
            key: ({ n }) => {
              if (n === 1) throw error;
              return n === 2 ? Promise.resolve("a") : n;
            },
          }),
        ],
      });
      bus.register(Work, () => undefined);
      expect(await reasonOf(bus.dispatch(new Work(1)))).toBe(error);
      expect(await reasonOf(bus.dispatch(new Work(2)))).toMatchObject({ code: "INVALID_OPTIONS" });
      await bus.dispatch(new Work(3));
      await canaries(bus);
    }));

  describe.each([
    ["outermost", []],
    ["inside of a function", [inner]],
  ])("under ask$, %s", (_, outer) => {
    it("a turn lasts until the end of the stream", () =>
      withTraps(async () => {
        const bus = new QueryBus({ middleware: [...outer, concat()] });
        const streams = [new Subject<string>(), new Subject<string>()];
        const seen: string[] = [];
        bus.register(Work, ({ n }) => (seen.push(`asked ${n}`), streams[n]!));
        const asked = [0, 1].map((n) =>
          bus.ask$(new Work(n)).subscribe({
            next: (value) => seen.push(value as string),
            complete: () => seen.push("done"),
          }),
        );
        streams[0]!.next("a");
        await microtasks();
        expect(seen).toEqual(["asked 0", "a"]);
        streams[0]!.complete();
        await microtasks();
        streams[1]!.next("b");
        expect([...seen].sort()).toEqual(["a", "asked 0", "asked 1", "b", "done"]);
        asked[1]!.unsubscribe();
        expect(streams[1]!.observed).toBe(false);
        await microtasks();
        await canaries(bus);
      }));

    it("switch ends the older stream", () =>
      withTraps(async () => {
        const bus = new QueryBus({ middleware: [...outer, overlap({ strategy: "switch" })] });
        const streams = [new Subject<string>(), new Subject<string>()];
        bus.register(Work, ({ n }) => streams[n]!);
        const errors: unknown[] = [];
        bus.ask$(new Work(0)).subscribe({ error: (error: unknown) => errors.push(error) });
        const second = bus.ask$(new Work(1)).subscribe();
        expect([streams[0]!.observed, streams[1]!.observed]).toEqual([false, true]);
        expect(errors).toEqual([expect.any(SupersededError)]);
        second.unsubscribe();
        await microtasks();
        await canaries(bus);
      }));
  });

  it.each([
    [
      { strategy: "queue" },
      'strategy must be "concat" or "merge" or "switch" or "exhaust"; received "queue"',
    ],
    [{ strategy: "merge" }, 'concurrency must be given with strategy "merge"'],
    [{ strategy: "merge", concurrency: 0 }, "concurrency must be a whole number from 1; received 0"],
    [{ strategy: "merge", concurrency: 1.5 }, "received 1.5"],
    [{ strategy: "merge", concurrency: NaN }, "received NaN"],
    [{ strategy: "exhaust", concurrency: -1 }, "received -1"],
    [{ strategy: "concat", concurrency: 2 }, 'concurrency must be 1 with strategy "concat"'],
    [{ strategy: "switch", concurrency: 2 }, 'concurrency must be 1 with strategy "switch"'],
    [{ strategy: "concat", maxQueued: -1 }, "maxQueued must be a whole number from 0"],
    [{ strategy: "switch", maxQueued: 1 }, 'maxQueued must be left out with strategy "switch"'],
    [{ strategy: "concat", key: "id" }, "key must be a function"],
  ])("refuses %j", (options, text) => {
    expect(() => overlap(options as never)).toThrow(text);
  });

  it("has a name for describe()", () => {
    expect(new CommandBus({ middleware: [concat()] }).describe().middleware).toEqual(["overlap(concat)"]);
  });
});

describe("overlap as an operator", () => {
  const works = () => ({ a: delivery(new Work(1)), b: delivery(new Work(2)), c: delivery(new Work(3)) });
  /** The rest of the pipeline: handles each delivery for so long, and shows when it began. */
  const handle = (ms: number) =>
    mergeMap((d: Delivery) => {
      timer(ms).subscribe(() => d.resolve());
      return of(d);
    });
  const settle = tap((d: Delivery) => d.resolve());

  it("never: stays silent", () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold("  -----");
      const unsub = "        ^---!";
      expectObservable(source.pipe(concat() as never), unsub).toBe("-----");
      expectSubscriptions(source.subscriptions).toBe("^---!");
    }));

  it("empty: completes", () =>
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold<Delivery<Work>>("--|").pipe(concat())).toBe("--|");
    }));

  it("one: passes at once, and completes with it", () =>
    marbles(({ cold, expectObservable }) => {
      const { a } = works();
      const source = cold<Delivery<Work>>(" -a|", { a });
      const expected = "                    -a---|";
      expectObservable(source.pipe(concat(), handle(4) as never)).toBe(expected, { a });
    }));

  it("many, concat: one at a time", () =>
    marbles(({ cold, expectObservable }) => {
      const values = works();
      const source = cold<Delivery<Work>>(" -abc|", values);
      const expected = "                    -a--b--c--|";
      expectObservable(source.pipe(concat(), handle(3) as never)).toBe(expected, values);
    }));

  it("many, merge: two at a time", () =>
    marbles(({ cold, expectObservable }) => {
      const values = works();
      const source = cold<Delivery<Work>>(" -abc|", values);
      const expected = "                    -ab-c--|";
      const two = overlap<Work>({ strategy: "merge", concurrency: 2 });
      expectObservable(source.pipe(two, handle(3) as never)).toBe(expected, values);
    }));

  it("many, switch: each at once", () =>
    marbles(({ cold, expectObservable, flush }) => {
      const values = works();
      const source = cold<Delivery<Work>>(" -abc|", values);
      const expected = "                    -abc--|";
      const latest = overlap<Work>({ strategy: "switch" });
      expectObservable(source.pipe(latest, handle(3) as never)).toBe(expected, values);
      flush();
      expect([values.a, values.b, values.c].map(({ settlement }) => settlement?.status)).toEqual([
        "rejected",
        "rejected",
        "fulfilled",
      ]);
    }));

  it("many, exhaust: the first", () =>
    marbles(({ cold, expectObservable, flush }) => {
      const values = works();
      const source = cold<Delivery<Work>>(" -ab--c|", values);
      const expected = "                    -a---c--|";
      const first = overlap<Work>({ strategy: "exhaust" });
      expectObservable(source.pipe(first, handle(3) as never)).toBe(expected, values);
      flush();
      expect(values.b.settlement).toMatchObject({ reason: expect.any(BusyError) });
    }));

  it("error: passes the source's on", () =>
    marbles(({ cold, expectObservable }) => {
      const { a } = works();
      expectObservable(cold<Delivery<Work>>("-a-#", { a }).pipe(concat())).toBe("-a-#", { a });
    }));

  it("throw: a key that throws rejects its delivery, and the others pass", () =>
    marbles(({ cold, expectObservable, flush }) => {
      const values = works();
      const error = new Error("no");
      const key = ({ n }: Work): number => {
        if (n === 1) throw error;
        return n;
      };
      const source = cold<Delivery<Work>>(" -ab|", values);
      const expected = "                    --b|";
      expectObservable(source.pipe(concat({ key }), settle as never)).toBe(expected, values);
      flush();
      expect(values.a.settlement).toEqual({ status: "rejected", reason: error });
    }));

  it("unsubscribe: leaves the source", () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const { a, b } = works();
      const source = cold<Delivery<Work>>(" -a-b", { a, b });
      const unsub = "                       ^-!";
      expectObservable(source.pipe(concat()), unsub).toBe("-a-", { a });
      expectSubscriptions(source.subscriptions).toBe(unsub);
    }));

  it("synchronous: all in one frame when each is settled at once", () =>
    marbles(({ cold, expectObservable }) => {
      const values = works();
      const source = cold<Delivery<Work>>(" (abc|)", values);
      const expected = "                    (abc|)";
      expectObservable(source.pipe(concat(), settle as never)).toBe(expected, values);
    }));

  it("re-entrant: a delivery that arrives while another is forwarded waits for it", () => {
    const { a, b } = works();
    const source = new Subject<Delivery<Work>>();
    const seen: unknown[] = [];
    source
      .pipe(
        concat(),
        map(({ message }) => message.n),
      )
      .subscribe((n) => {
        seen.push(n);
        if (n === 1) source.next(b);
      });
    source.next(a);
    expect(seen).toEqual([1]);
    a.resolve();
    expect(seen).toEqual([1, 2]);
  });

  it("a value that is not a delivery is an error", () => {
    let error: unknown;
    of(new Work())
      .pipe(concat() as never)
      .subscribe({ error: (reason: unknown) => (error = reason) });
    expect(error).toMatchObject({ code: "MIDDLEWARE_CRASHED" });
  });
});

describe("an observer of outcomes that sends the next message", () => {
  it.each([
    ["synchronous", 0, () => undefined],
    ["asynchronous", 1, () => Promise.resolve()],
  ])("finds the turn of the message that has ended free (%s)", (_, maxQueued, work) =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [concat({ maxQueued })] });
      const ran: number[] = [];
      bus.register(Work, ({ n }) => {
        ran.push(n);
        return work();
      });
      const sent: Promise<void>[] = [];
      bus.outcomes$.pipe(take(1)).subscribe(() => sent.push(bus.dispatch(new Work(3))));
      for (let n = 1; n <= 1 + maxQueued; n++) sent.push(bus.dispatch(new Work(n)));
      await microtasks();
      await Promise.all(sent);
      expect(ran).toEqual(maxQueued === 0 ? [1, 3] : [1, 2, 3]);
      await canaries(bus);
    }),
  );
});
