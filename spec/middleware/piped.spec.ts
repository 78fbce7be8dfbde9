// RxJS subscribes to a composed pipe() once for each message; middleware in it must still share state among messages.
import { describe, expect, it } from "@jest/globals";
import { Query, QueryBus, type Delivery, type Middleware } from "cqrx";
import { batching, caching, coalescing, idempotency, SelfDeadlockError } from "cqrx/middleware";
import { manualClock } from "cqrx/testing";
import { from, mergeMap, pipe, Subject, tap } from "rxjs";
import { deferred, microtasks, reasonOf, watch, type Deferred } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";
import { AsyncStore, faultsOf } from "./support.js";

class Find extends Query<number> {
  static readonly messageName = "Find";
  readonly id: number;

  constructor(id = 1) {
    super();
    this.id = id;
  }
}

const clock = manualClock(1_000);

/** Returns a bus whose runs end when the test ends them, with the number of the run. */
function setUp(middleware: Middleware<Find>): { bus: QueryBus; runs: Deferred<void>[]; ask: Ask } {
  const runs: Deferred<void>[] = [];
  const bus = new QueryBus({ middleware: [middleware], clock });
  bus.register(Find, () => {
    const run = deferred();
    const number = runs.push(run);
    return run.promise.then(() => number);
  });
  return { bus, runs, ask: (signal) => bus.ask(new Find(), { signal }) };
}
type Ask = (signal?: AbortSignal) => Promise<number>;

const byId = (message: object): string | undefined =>
  message instanceof Find ? String(message.id) : undefined;
const once = (store: Map<unknown, unknown> | AsyncStore = new Map()): Middleware<Find> =>
  idempotency<Find>({ key: byId, store });
const nothing = tap<Delivery<Find>>();
/** Hands on a microtask later. */
const later = mergeMap((out: Delivery<Find>) => from(Promise.resolve(out)));

describe.each<[string, (middleware: Middleware<Find>) => Middleware<Find>]>([
  ["by itself", (middleware) => middleware],
  ["behind an operator", (middleware) => pipe(nothing, middleware)],
  ["before an operator", (middleware) => pipe(middleware, nothing)],
  ["before one that waits", (middleware) => pipe(middleware, later)],
])("%s", (_, piped) => {
  it.each([
    ["coalescing", coalescing<Find>],
    ["idempotency", once],
    ["idempotency, asynchronous store", () => once(new AsyncStore())],
  ])("%s: a message sent ten times at once runs once, also when callers leave", (_, make) =>
    withTraps(async () => {
      const { bus, runs, ask } = setUp(piped(make()));
      const faults = faultsOf(bus);
      const first = new AbortController();
      const asked = Array.from({ length: 10 }, (_, index) =>
        watch(ask(index === 0 ? first.signal : undefined)),
      );
      first.abort();
      await microtasks();
      expect(runs).toHaveLength(1);
      runs[0]!.resolve();
      await microtasks();
      expect(asked.map(({ status, value }) => value ?? status)).toEqual([
        "rejected",
        ...Array<number>(9).fill(1),
      ]);
      expect([bus.inFlight, faults]).toEqual([0, []]);
      await canaries(bus);
    }),
  );

  it("batching: the queries of one turn are one load", () =>
    withTraps(async () => {
      const loads: number[] = [];
      const load = (queries: readonly Find[]): number[] => {
        loads.push(queries.length);
        return queries.map(({ id }) => id);
      };
      const { bus } = setUp(piped(batching<Find>({ load })));
      expect(await Promise.all([1, 2, 3].map((id) => bus.ask(new Find(id))))).toEqual([1, 2, 3]);
      expect(loads).toEqual([3]);
    }));

  it("batching: a gathered batch is loaded when the bus closes", () =>
    withTraps(async () => {
      const { bus, ask } = setUp(piped(batching<Find>({ windowMs: 60_000, load: () => [7] })));
      const asked = watch(ask());
      await bus.close();
      expect(asked.value).toBe(7);
    }));

  it("caching: gives no old result once refreshOn has emitted, and subscribes to it once, until the bus is closed", () =>
    withTraps(async () => {
      const changes = new Subject<void>();
      const { bus, runs, ask } = setUp(piped(caching<Find>({ store: new Map(), refreshOn: changes })));
      const next = async (): Promise<number | undefined> => {
        const asked = watch(ask());
        await microtasks();
        runs.at(-1)!.resolve();
        await microtasks();
        return asked.value;
      };
      expect([await next(), await next()]).toEqual([1, 1]);
      changes.next();
      expect([await next(), await next()]).toEqual([2, 2]);
      expect((changes as unknown as { observers: unknown[] }).observers).toHaveLength(1);
      await bus.close();
      expect(changes.observed).toBe(false);
    }));

  it("caching: fetches a new result behind an old one", () =>
    withTraps(async () => {
      const stale = caching<Find>({ store: new Map(), ttlMs: 5, staleWhileRevalidateMs: 1_000 });
      const { bus, runs, ask } = setUp(piped(stale));
      const faults = faultsOf(bus);
      const first = ask();
      await microtasks();
      runs[0]!.resolve();
      expect(await first).toBe(1);
      clock.advance(10);
      expect(await ask()).toBe(1);
      await microtasks();
      expect(runs).toHaveLength(2);
      runs[1]!.resolve();
      await microtasks();
      expect(await ask()).toBe(2);
      expect(faults).toEqual([]);
    }));
});

it.each([
  ["coalescing", coalescing<Find>()],
  ["idempotency", once()],
])("%s piped into itself is told that it waits for itself", (_, middleware) =>
  withTraps(async () => {
    const { ask } = setUp(pipe(middleware, middleware));
    expect(await reasonOf(ask())).toBeInstanceOf(SelfDeadlockError);
  }),
);

it("each bus has a state of its own", () =>
  withTraps(async () => {
    const one = pipe(nothing, coalescing<Find>());
    const [a, b] = [setUp(one), setUp(one)];
    const asked = [a.ask(), b.ask()];
    expect([a.runs.length, b.runs.length]).toEqual([1, 1]);
    for (const { runs } of [a, b]) runs[0]!.resolve();
    expect(await Promise.all(asked)).toEqual([1, 1]);
    await canaries(a.bus, b.bus);
  }));
