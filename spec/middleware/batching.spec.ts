import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { around, InvalidOptionsError, Query, QueryBus, when, type Middleware } from "cqrx";
import { BatchResultError, batching, caching, coalescing, type BatchingOptions } from "cqrx/middleware";
import { delivery, marbles } from "cqrx/testing";
import { asyncScheduler, lastValueFrom, map, merge, toArray } from "rxjs";
import { deferred, microtasks, reasonOf, watch, type Deferred } from "../conformance/support.js";
import { canaries, macrotask, withTraps } from "../support/traps.js";
import { faultsOf } from "./support.js";

class GetUser extends Query<string> {
  readonly id: number;

  constructor(id: number) {
    super();
    this.id = id;
  }
}

type Options = Partial<BatchingOptions<GetUser, unknown>>;

interface Load {
  readonly ids: readonly number[];
  readonly signal: AbortSignal;
  readonly reply: Deferred<readonly unknown[]>;
}

/** Returns a bus whose loads end when the test ends them. */
function setUp(options: Options = {}, ...outer: Middleware[]): { bus: QueryBus; loads: Load[] } {
  const loads: Load[] = [];
  const load: BatchingOptions<GetUser, unknown>["load"] = (queries, { signal }) => {
    const entry = { ids: queries.map(({ id }) => id), signal, reply: deferred<readonly unknown[]>() };
    loads.push(entry);
    return entry.reply.promise;
  };
  const bus = new QueryBus({
    middleware: [...outer, when(GetUser, batching<GetUser, unknown>({ load, ...options }) as never)],
  });
  bus.register(GetUser, () => {
    throw new Error("not called");
  });
  return { bus, loads };
}

const ask = (bus: QueryBus, ...ids: number[]): Promise<string>[] => ids.map((id) => bus.ask(new GetUser(id)));

afterEach(() => void jest.useRealTimers());

describe("batching", () => {
  it.each([
    ["outermost", []],
    ["inside", [around((message, next) => next(message))]],
  ])("loads once for all queries of one microtask, each gets its own (%s)", (_, outer) =>
    withTraps(async () => {
      const { bus, loads } = setUp({}, ...outer);
      const asked = ask(bus, 3, 1, 2, 1);
      expect(loads).toHaveLength(0);
      await Promise.resolve();
      expect(loads.map(({ ids }) => ids)).toEqual([[3, 1, 2, 1]]);
      const later = ask(bus, 4);
      loads[0]!.reply.resolve(["c", "a", "b", undefined]);
      expect(await Promise.all(asked)).toEqual(["c", "a", "b", undefined]);
      expect(loads[1]!.ids).toEqual([4]);
      loads[1]!.reply.resolve([null]);
      expect(await later[0]).toBeNull();
      await canaries(bus);
    }),
  );

  it("an Error among the results rejects its query only", () =>
    withTraps(async () => {
      const { bus, loads } = setUp();
      const asked = ask(bus, 1, 2, 3);
      await microtasks();
      const missing = new TypeError("no such user");
      loads[0]!.reply.resolve(["a", missing, "c"]);
      expect(await asked[0]).toBe("a");
      expect(await reasonOf(asked[1]!)).toBe(missing);
      expect(await asked[2]).toBe("c");
      await canaries(bus);
    }));

  it("an error of load reaches all of its queries, and no other batch", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      let times = 0;
      const failures = [
        () => {
          throw boom;
        },
        () => Promise.reject(boom),
      ];
      const { bus } = setUp({
        load: (queries) => failures[times++]?.() ?? queries.map(({ id }) => String(id)),
      });
      for (let time = 0; time < 2; time++) {
        const reasons = await Promise.all(ask(bus, 1, 2, 3).map(reasonOf));
        expect(reasons).toEqual([boom, boom, boom]);
        for (const reason of reasons) expect(reason).toBe(boom);
      }
      expect(await Promise.all(ask(bus, 1, 2))).toEqual(["1", "2"]);
      await canaries(bus);
    }));

  it.each([
    [[1], "1 results for 2 queries"],
    [[1, 2, 3], "3 results for 2 queries"],
    [undefined, "something that is not an array for 2 queries"],
    [new Map(), "something that is not an array for 2 queries"],
  ])("results %p that do not fit the queries reject them all", (results, problem) =>
    withTraps(async () => {
      const { bus } = setUp({ load: async () => results as never });
      for (const error of await Promise.all(ask(bus, 1, 2).map(reasonOf))) {
        expect(error).toBeInstanceOf(BatchResultError);
        expect(error).toMatchObject({ code: "BATCH_RESULT", messageType: "GetUser" });
        expect((error as Error).message).toContain(problem);
      }
      await canaries(bus);
    }),
  );

  const promised = (queries: readonly GetUser[]): unknown[] =>
    queries.map(({ id }) => (id === 2 ? "2" : Promise.reject(new Error(`no ${id}`))));
  it.each<[string, Options["load"]]>([
    ["synchronous", promised],
    ["asynchronous", async (queries: readonly GetUser[]) => promised(queries)],
    ["one too many", (queries: readonly GetUser[]) => [...promised(queries), 1]],
  ])("results that are promises reject all queries alike, also after callers have left: %s", (_, load) =>
    withTraps(async () => {
      const { bus } = setUp({ load: load! });
      const faults = faultsOf(bus);
      const outcomes: unknown[] = [];
      bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
      const controller = new AbortController();
      const asked = ask(bus, 1, 2)
        .concat(bus.ask(new GetUser(3), { signal: controller.signal }))
        .map(watch);
      await Promise.resolve().then(() => controller.abort("left"));
      await microtasks();
      for (const { reason } of asked.slice(0, 2)) expect(reason).toBeInstanceOf(BatchResultError);
      expect(outcomes).toHaveLength(3);
      expect(outcomes).toEqual(
        expect.arrayContaining(
          asked.map(({ reason }) => expect.objectContaining({ status: "rejected", reason })),
        ),
      );
      expect(faults).toEqual([]);
      await canaries(bus);
    }),
  );

  it("says that promises are to be awaited in load", async () => {
    const { bus } = setUp({ load: promised });
    expect(String(await reasonOf(ask(bus, 1)[0]!))).toContain("await them in load: Promise.all");
  });

  it("loads a full batch at once", () =>
    withTraps(async () => {
      const { bus, loads } = setUp({ maxSize: 2 });
      const asked = ask(bus, 1, 2, 3, 4, 5);
      expect(loads.map(({ ids }) => ids)).toEqual([
        [1, 2],
        [3, 4],
      ]);
      await microtasks();
      expect(loads[2]!.ids).toEqual([5]);
      for (const { ids, reply } of loads) reply.resolve(ids.map(String));
      expect(await Promise.all(asked)).toEqual(["1", "2", "3", "4", "5"]);
      await canaries(bus);
    }));

  it("gathers for windowMs from the first query on, and a full batch does not shorten the next", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const { bus, loads } = setUp({ windowMs: 20, maxSize: 3 });
      ask(bus, 1).map(watch);
      await jest.advanceTimersByTimeAsync(15);
      ask(bus, 2).map(watch);
      await jest.advanceTimersByTimeAsync(4);
      expect(loads).toHaveLength(0);
      await jest.advanceTimersByTimeAsync(1);
      expect(loads[0]!.ids).toEqual([1, 2]);

      ask(bus, 3, 4, 5, 6).map(watch);
      expect(loads[1]!.ids).toEqual([3, 4, 5]);
      await jest.advanceTimersByTimeAsync(19);
      expect(loads).toHaveLength(2);
      await jest.advanceTimersByTimeAsync(1);
      expect(loads[2]!.ids).toEqual([6]);
      for (const { ids, reply } of loads) reply.resolve(ids);
      await microtasks();
      expect(bus.inFlight).toBe(0);
      expect(jest.getTimerCount()).toBe(0);
      jest.useRealTimers();
      await canaries(bus);
    }));

  it("a query that is aborted in time is not loaded", () =>
    withTraps(async () => {
      const { bus, loads } = setUp();
      const controller = new AbortController();
      const gone = reasonOf(bus.ask(new GetUser(1), { signal: controller.signal }));
      const kept = ask(bus, 2);
      controller.abort();
      await gone;
      expect(loads.map(({ ids }) => ids)).toEqual([[2]]);
      loads[0]!.reply.resolve(["b"]);
      expect(await kept[0]).toBe("b");

      const all = new AbortController();
      const last = reasonOf(bus.ask(new GetUser(3), { signal: all.signal }));
      all.abort();
      await last;
      await microtasks();
      expect(loads).toHaveLength(1);
      await canaries(bus);
    }));

  it("a query that is aborted later does not affect the others; when all have left, the load is aborted", () =>
    withTraps(async () => {
      const { bus, loads } = setUp();
      const faults = faultsOf(bus);
      const controllers = [new AbortController(), new AbortController()];
      const asked = controllers.map(({ signal }, id) => watch(bus.ask(new GetUser(id), { signal })));
      await microtasks();
      controllers[0]!.abort();
      expect(loads[0]!.signal.aborted).toBe(false);
      await microtasks();
      expect(asked.map(({ status }) => status)).toEqual(["rejected", "pending"]);
      controllers[1]!.abort();
      expect(loads[0]!.signal.aborted).toBe(true);
      loads[0]!.reply.reject(loads[0]!.signal.reason);
      await microtasks();
      expect(faults).toEqual([]);

      const late = new AbortController();
      watch(bus.ask(new GetUser(5), { signal: late.signal }));
      await microtasks();
      late.abort();
      const boom = new Error("boom");
      loads[1]!.reply.reject(boom);
      await microtasks();
      expect(faults).toMatchObject([{ kind: "late", error: boom }]);

      const fine = ask(bus, 6);
      await microtasks();
      loads[2]!.reply.resolve(["f"]);
      expect(await fine[0]).toBe("f");
      expect(loads[2]!.signal.aborted).toBe(false);
      await canaries(bus);
    }));

  it("a gathered batch is loaded when the bus closes", () =>
    withTraps(async () => {
      const { bus } = setUp({
        windowMs: 10_000,
        load: (queries) => Promise.resolve(queries.map(({ id }) => String(id))),
      });
      const asked = ask(bus, 1, 2);
      const closing = bus.close();
      expect(await Promise.all(asked)).toEqual(["1", "2"]);
      expect(await closing).toMatchObject({ finished: 2, aborted: [] });
    }));

  it("every promise settles when the bus is closed and the load hangs", () =>
    withTraps(async () => {
      const { bus, loads } = setUp({ windowMs: 10_000 });
      const asked = ask(bus, 1).map(reasonOf);
      await bus.close({ timeoutMs: 0 });
      expect(await asked[0]).toMatchObject({ code: "BUS_CLOSED" });
      expect(loads[0]!.signal.aborted).toBe(true);
    }));

  it("serves ask$, coalescing and caching", () =>
    withTraps(async () => {
      const store = new Map();
      const { bus, loads } = setUp({}, when(GetUser, caching({ store })), coalescing());
      const asked = ask(bus, 1, 1, 2);
      const streamed = lastValueFrom(bus.ask$(new GetUser(3)).pipe(toArray()), { defaultValue: [] });
      await microtasks();
      expect(loads.map(({ ids }) => ids)).toEqual([[1, 2, 3]]);
      loads[0]!.reply.resolve(["a", "b", "c"]);
      expect(await Promise.all(asked)).toEqual(["a", "a", "b"]);
      expect(await streamed).toEqual(["c"]);
      expect(await Promise.all(ask(bus, 1, 2))).toEqual(["a", "b"]);
      expect(loads).toHaveLength(1);
      await canaries(bus);
    }));

  it("loads in the async context of the first query; each goes on in its own", () =>
    withTraps(async () => {
      const storage = new AsyncLocalStorage<number>();
      const seen: unknown[] = [];
      const { bus } = setUp({
        maxSize: 2,
        load: async (queries) => {
          seen.push(storage.getStore());
          await macrotask();
          return queries.map(({ id }) => String(id));
        },
      });
      await Promise.all(
        [1, 2].map((id) => storage.run(id, () => ask(bus, id)[0]!.then(() => seen.push(storage.getStore())))),
      );
      expect(seen).toEqual([1, 1, 2]);
      await canaries(bus);
    }));

  it("is an operator in virtual time: it forwards nothing, and answers", () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const users = [1, 2, 3].map((id) => delivery<GetUser, string>(new GetUser(id)));
      const operator = batching<GetUser>({
        windowMs: 3,
        load: (queries) => queries.map(({ id }) => (id === 2 ? new Error("no 2") : `user ${id}`)),
        scheduler: asyncScheduler,
      });
      const source = cold("-a-b----c-|", { a: users[0]!, b: users[1]!, c: users[2]! });
      expectObservable(source.pipe(operator)).toBe("-----------|");
      expectSubscriptions(source.subscriptions).toBe("^---------!");
      expectObservable(
        merge(...users.map(({ settled$ }) => settled$)).pipe(
          map((end) => (end.status === "fulfilled" ? end.value : String(end.reason))),
        ),
      ).toBe("----(ab)---(c|)", { a: "user 1", b: "Error: no 2", c: "user 3" });
      expectObservable(cold("-").pipe(operator as never)).toBe("-");
      expectObservable(cold("--#").pipe(operator as never)).toBe("--#");
    }));

  it("keeps no timer when all have left", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const bus = new QueryBus({
        middleware: [when(GetUser, batching<GetUser>({ windowMs: 60_000, load: () => [] }))],
      });
      bus.register(GetUser, () => "unused");
      const controller = new AbortController();
      const asked = watch(bus.ask(new GetUser(1), { signal: controller.signal }));

      controller.abort(new Error("left"));
      await microtasks();

      expect(asked.reason).toMatchObject({ message: "left" });
      expect(jest.getTimerCount()).toBe(0);
      await canaries(bus);
    }));

  it.each([
    [{}, "load must be a function"],
    [{ load: () => [], maxSize: 0 }, "maxSize must be a whole number from 1"],
    [{ load: () => [], maxSize: 1.5 }, "maxSize"],
    [{ load: () => [], windowMs: -1 }, "windowMs"],
    [{ load: () => [], windowMs: Infinity }, "windowMs"],
  ])("refuses %p", (options, problem) => {
    expect(() => batching(options as never)).toThrow(InvalidOptionsError);
    expect(() => batching(options as never)).toThrow(problem);
  });
});

describe("an observer of outcomes that asks after the outcome of an aborted query", () => {
  it("does not have the aborted query loaded, even if its own fills the batch", () =>
    withTraps(async () => {
      const { bus, loads } = setUp({ maxSize: 2 });
      const leaving = new AbortController();
      let asked: Promise<string> | undefined;
      bus.outcomes$.subscribe(() => void (asked ??= bus.ask(new GetUser(2))));
      const left = reasonOf(bus.ask(new GetUser(1), { signal: leaving.signal }));
      leaving.abort("left");
      expect(await left).toBe("left");
      expect(loads.map(({ ids }) => ids)).toEqual([[2]]);
      loads[0]!.reply.resolve(["two"]);
      expect(await asked).toBe("two");
      await canaries(bus);
    }));
});
