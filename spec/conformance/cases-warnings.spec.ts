// Every other spec is watched, too: see spec/support/warnings.ts.
import { getEventListeners } from "node:events";
import { runInThisContext } from "node:vm";
import { describe, expect, it } from "@jest/globals";
import { CommandBus, DomainEvent, EventBus, QueryBus, saga, shared, type Middleware } from "cqrx";
import {
  batching,
  caching,
  coalescing,
  idempotency,
  overlap,
  retrying,
  timeLimit,
  type Store,
} from "cqrx/middleware";
import { map, NEVER, Subject } from "rxjs";
import config from "../../jest.config.js";
import { canaries, escapedFrom, freshCanaries, macrotask, withTraps } from "../support/traps.js";
import { deferred, watch, type Watched } from "./support.js";

class Work {
  readonly n: number;

  constructor(n = 0) {
    this.n = n;
  }
}
class Happened extends DomainEvent {}

const never = (): Promise<never> => new Promise(() => undefined);
const fail = (): never => {
  throw new Error("no");
};

/** A message whose handler waits until the test ends it. */
type Wait = (ms: number) => { readonly sent: Watched; readonly stop: () => void };

const through =
  (middleware: (ms: number) => Middleware, handler: () => unknown): Wait =>
  (ms) => {
    const bus = new CommandBus({ middleware: [middleware(ms)] });
    bus.faults$.subscribe();
    bus.register(Work, handler);
    const controller = new AbortController();
    const sent = watch(bus.dispatch(new Work(), { signal: controller.signal }));
    return { sent, stop: () => controller.abort() };
  };
const asking =
  (middleware: (ms: number) => Middleware, handler: () => unknown): Wait =>
  (ms) => {
    const bus = new QueryBus({ middleware: [middleware(ms)] });
    bus.faults$.subscribe();
    bus.register(Work, handler);
    const controller = new AbortController();
    const sent = watch(bus.ask(new Work(), { signal: controller.signal }));
    // A batch waits for its window even when all have left; close ends that.
    return { sent, stop: () => (controller.abort(), void bus.close({ timeoutMs: 0 })) };
  };
/** A store that answers when the test says so. */
function slow(middleware: (store: Store) => Middleware): ReturnType<Wait> {
  const answer = deferred<undefined>();
  const call = (): Promise<undefined> => answer.promise;
  const { sent } = asking(() => middleware({ get: call, set: call, delete: call }), () => 1)(0); // prettier-ignore
  return { sent, stop: () => answer.resolve(undefined) };
}

const waits: readonly [string, Wait][] = [
  ["timeLimit", through((ms) => timeLimit(ms), never)],
  ["retrying", through((ms) => retrying({ count: 1, delayMs: ms, maxDelayMs: ms, jitter: false }), fail)],
  ["shared", through((ms) => shared(() => NEVER, { holdTimeoutMs: ms }), never)],
  ["the store of idempotency", (ms) => slow((store) => idempotency({ key: () => "key", store, scope: "process", ttlMs: ms, storeTimeoutMs: ms }))], // prettier-ignore
  ["the store of caching", (ms) => slow((store) => caching({ store, scope: "process", ttlMs: ms, staleWhileRevalidateMs: ms, storeTimeoutMs: ms }))], // prettier-ignore
  ["batching", asking((ms) => batching({ windowMs: ms, load: never }), never)],
  [
    "close",
    (ms) => {
      const bus = new CommandBus();
      bus.register(Work, never);
      void bus.dispatch(new Work()).catch(() => undefined);
      return { sent: watch(bus.close({ timeoutMs: ms })), stop: () => void bus.close({ timeoutMs: 0 }) };
    },
  ],
  [
    "watch",
    (ms) => {
      const bus = new QueryBus();
      const refreshOn = new Subject<void>();
      let runs = 0;
      bus.register(Work, () => (runs++ === 0 ? 1 : never()));
      let refused: unknown;
      const watcher = bus
        .watch(new Work(), { refreshOn, coalesceMs: ms })
        .subscribe({ error: (error: unknown) => (refused = error) });
      if (refused !== undefined) throw refused;
      refreshOn.next();
      expect(runs).toBe(1);
      return { sent: watch(never()), stop: () => watcher.unsubscribe() };
    },
  ],
  [
    "saga",
    (ms) => {
      const [eventBus, commandBus] = [new EventBus(), new CommandBus()];
      eventBus.faults$.subscribe();
      let lives = 0;
      const process = saga(
        eventBus,
        commandBus,
        (events$) => {
          lives++;
          return events$.pipe(map(fail));
        },
        { restart: { count: 5, delayMs: ms, maxDelayMs: ms } },
      );
      for (let n = 0; n < 3; n++) void eventBus.publish(new Happened());
      expect(process.state).toBe("restarting");
      expect(lives).toBe(2);
      return { sent: watch(never()), stop: () => process.unsubscribe() };
    },
  ],
  [
    "enqueue",
    (ms) => {
      const bus = new CommandBus({ background: { retry: { count: 1, delayMs: ms, maxDelayMs: ms } } });
      bus.register(Work, fail);
      const controller = new AbortController();
      bus.enqueue(new Work(), { signal: controller.signal });
      const drained = watch(bus.drain());
      return { sent: drained, stop: () => controller.abort() };
    },
  ],
];

describe("warnings of the process", () => {
  it("176 are heard in every spec, and by the traps of each case", async () => {
    const emit = runInThisContext("process.emitWarning.bind(process)") as typeof process.emitWarning;
    const { warnings } = await escapedFrom(() => emit("old", "DeprecationWarning"));
    expect(warnings).toMatchObject([{ name: "DeprecationWarning", message: "old" }]);
    for (const project of config.projects as { readonly setupFilesAfterEnv?: unknown }[])
      expect(project.setupFilesAfterEnv).toContain("<rootDir>/spec/support/warnings.ts");
    await freshCanaries();
  });

  it.each(waits)("176 the longest waits of %s overflow no timer: none is over at once", (_, wait) =>
    withTraps(async () => {
      for (const ms of [2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, Infinity]) {
        let waiting: ReturnType<Wait>;
        try {
          waiting = wait(ms);
        } catch (error) {
          // A wait that is longer than a timer allows may be refused with an error.
          expect(error).toHaveProperty("code");
          continue;
        }
        // Node fires a timer that overflows after a millisecond.
        for (let turn = 0; turn < 3; turn++) await macrotask();
        expect([ms, waiting.sent.status]).toEqual([ms, "pending"]);
        waiting.stop();
        await macrotask();
      }
      await freshCanaries();
    }),
  );

  it("176 thousands of messages with one signal, and hundreds with one cause, are not too many listeners", () =>
    withTraps(async () => {
      const { signal } = new AbortController();
      const gate = deferred();
      const middleware = [coalescing(), retrying({ count: 1 }), timeLimit(60_000), overlap({ strategy: "merge", concurrency: 5_000 })]; // prettier-ignore
      const buses = Array.from({ length: 50 }, () => new QueryBus({ middleware: middleware }));
      const eventBus = new EventBus();
      for (let n = 0; n < 10; n++) eventBus.register(Happened, () => gate.promise);
      for (const bus of buses) {
        for (let n = 0; n < 100; n++) bus.outcomes$.subscribe();
        bus.register(Work, async ({ n }, context) => {
          const events = Array.from({ length: n === 0 ? 100 : 1 }, () => new Happened());
          await Promise.all(events.map((event) => eventBus.publish(event, { causedBy: context, signal })));
        });
      }
      const all = buses.flatMap((bus) =>
        Array.from({ length: 100 }, (_, n) => bus.ask(new Work(n), { signal })),
      );
      expect(eventBus.inFlight).toBe(50 * 199);
      gate.resolve();
      await Promise.all(all);
      expect(getEventListeners(signal, "abort")).toHaveLength(0);
      await canaries(...buses, eventBus);
    }));
});
