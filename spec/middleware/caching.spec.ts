import { afterEach, describe, expect, it, jest } from "@jest/globals";
import {
  around,
  CommandBus,
  fulfilled,
  InvalidMiddlewareError,
  InvalidOptionsError,
  ofType,
  Query,
  QueryBus,
  when,
  type Middleware,
} from "cqrx";
import { caching, coalescing, messageKey, StoreFailedError, type CacheEntry } from "cqrx/middleware";
import { delivery, manualClock, marbles } from "cqrx/testing";
import { LRUCache } from "lru-cache";
import { finalize, map, NEVER, of, pipe, Subject, tap, throwError, timer } from "rxjs";
import { deferred, microtasks, reasonOf, watch } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";
import { AsyncStore, brokenStore, faultsOf } from "./support.js";

class GetUser extends Query<unknown> {
  static readonly messageName: string = "GetUser";
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}
class GetOrder extends GetUser {
  static override readonly messageName: string = "GetOrder";
}
class RenameUser {}

interface SetUp {
  readonly bus: QueryBus;
  readonly clock: ReturnType<typeof manualClock>;
  /** The next result of the handler, thrown if it is an Error; counted up unless a test sets it. */
  results: unknown[];
  runs: number;
}

function setUp(...middleware: Middleware<GetUser>[]): SetUp {
  const clock = manualClock(1_000);
  const bus = new QueryBus({ clock, middleware: middleware });
  const state: SetUp = { bus, clock, results: [], runs: 0 };
  const handler = ({ userId }: GetUser): unknown => {
    state.runs++;
    if (state.results.length === 0) return `${userId} ${state.runs}`;
    const result = state.results.shift();
    if (result instanceof Error) throw result;
    return result;
  };
  bus.register(GetUser, handler);
  bus.register(GetOrder, handler);
  return state;
}

const ask = ({ bus }: SetUp, userId = "u1"): Promise<unknown> => bus.ask(new GetUser(userId));
/** For canaries: their type is not cached, and the store is not theirs. */
const cached = (options: Parameters<typeof caching<GetUser>>[0]): Middleware<GetUser> =>
  when([GetUser, GetOrder], caching(options)) as Middleware<GetUser>;

afterEach(() => void jest.useRealTimers());

describe("caching", () => {
  it.each([
    ["a Map", () => new Map()],
    ["lru-cache", () => new LRUCache<string, CacheEntry>({ max: 10 })],
  ])("answers from the store, synchronously, with %s", (_, store) =>
    withTraps(async () => {
      let above: unknown;
      const seen = around((message, next) => (above = next(message)));
      const s = setUp(seen as Middleware<GetUser>, cached({ store: store() }));

      expect(await ask(s)).toBe("u1 1");
      expect(await ask(s, "u2")).toBe("u2 2");
      void ask(s);
      expect(above).toBe("u1 1");
      expect(s.runs).toBe(2);
      await canaries(s.bus);
    }),
  );

  it("answers from an asynchronous store that keeps plain data", () =>
    withTraps(async () => {
      const store = new AsyncStore();
      const s = setUp(cached({ store, ttlMs: 100.5 }));
      expect(await ask(s)).toBe("u1 1");
      await microtasks();
      expect(await ask(s)).toBe("u1 1");
      expect(s.runs).toBe(1);
      expect(store.options).toEqual([{ ttl: 101 }]);
      expect([...store.texts.keys()]).toEqual([messageKey(new GetUser("u1"))]);
      await canaries(s.bus);
    }));

  it("85 runs the handler once for 1,000 equal asks on a miss, with coalescing", () =>
    withTraps(async () => {
      const s = setUp(coalescing(), cached({ store: new Map() }));
      s.results = [timer(0).pipe(map(() => "Ada"))];
      const asked = Array.from({ length: 1_000 }, () => ask(s));
      expect(new Set(await Promise.all(asked))).toEqual(new Set(["Ada"]));
      expect(await ask(s)).toBe("Ada");
      expect(s.runs).toBe(1);
      await canaries(s.bus);
    }));

  it("86 a run that fails stores nothing: all waiting callers fail, and the next ask runs again", () =>
    withTraps(async () => {
      const store = new Map();
      const s = setUp(coalescing(), cached({ store }));
      const boom = new Error("boom");
      s.results = [throwError(() => boom), boom, Promise.reject(boom)];
      for (let time = 0; time < 3; time++) {
        const reasons = await Promise.all([ask(s), ask(s)].map(reasonOf));
        expect(reasons[0]).toBe(boom);
        expect(store.size).toBe(0);
        if (s.results.length === 0) break;
      }
      expect(s.runs).toBeGreaterThanOrEqual(3);
      expect(await ask(s)).toMatch(/^u1/);
      expect(store.size).toBe(1);
      await canaries(s.bus);
    }));

  it("86 a refresh in the background that fails is a fault, not an unhandled rejection, and the old result stays", () =>
    withTraps(async () => {
      const s = setUp(cached({ store: new Map(), ttlMs: 100, staleWhileRevalidateMs: 900 }));
      const faults = faultsOf(s.bus);
      const boom = new Error("boom");
      expect(await ask(s)).toBe("u1 1");
      for (const failure of [boom, Promise.reject(boom), throwError(() => boom)]) {
        s.clock.advance(150);
        s.results = [failure];
        expect(await ask(s)).toBe("u1 1");
        await microtasks();
      }
      expect(s.runs).toBe(4);
      expect(faults).toHaveLength(3);
      expect(faults[0]).toMatchObject({ kind: "middleware", source: "caching", error: boom });
      expect(faults[0]!.envelope!.payload).toEqual(new GetUser("u1"));

      expect(await ask(s)).toBe("u1 1");
      await microtasks();
      expect(await ask(s)).toBe("u1 5");
      expect(faults).toHaveLength(3);
      await canaries(s.bus);
    }));

  it("91 with 100,000 distinct keys the store stays at its cap, and a query evicted in flight gets its result", () =>
    withTraps(async () => {
      const store = new LRUCache<string, CacheEntry>({ max: 100 });
      const s = setUp(cached({ store }));
      const held = deferred<string>();
      s.results = [held.promise];
      const first = ask(s, "held");
      for (let n = 0; n < 100_000; n++) void s.bus.ask(new GetUser(String(n)));
      expect(store.size).toBe(100);
      held.resolve("at last");
      expect(await first).toBe("at last");

      const evicted = deferred<string>();
      const small = setUp(cached({ store: brokenStore({ get: () => undefined }) }));
      small.results = [evicted.promise];
      const second = ask(small);
      evicted.resolve("still there");
      expect(await second).toBe("still there");
      await canaries(s.bus, small.bus);
    }));

  it.each([undefined, null, 0, "", false, NaN])("92 keeps %p as a value", (value) =>
    withTraps(async () => {
      for (const store of [new Map(), new LRUCache<string, CacheEntry>({ max: 10 })]) {
        const s = setUp(cached({ store }));
        s.results = [value];
        expect(await ask(s)).toBe(value);
        expect(await ask(s)).toBe(value);
        expect(s.runs).toBe(1);
        await canaries(s.bus);
      }
    }),
  );

  it("92 keeps undefined and null in a store that keeps text", () =>
    withTraps(async () => {
      const s = setUp(cached({ store: new AsyncStore() }));
      s.results = [undefined, null];
      for (const [userId, value] of [
        ["u", undefined],
        ["n", null],
      ] as const) {
        for (let time = 0; time < 2; time++) {
          expect(await ask(s, userId)).toBe(value);
          await microtasks();
        }
      }
      expect(s.runs).toBe(2);
      await canaries(s.bus);
    }));

  describe("93 with a store that fails", () => {
    const boom = new Error("store is down");
    const throwing = (): never => {
      throw boom;
    };
    it.each([
      ["throws", throwing],
      ["rejects", () => Promise.reject(boom)],
    ])("%s: every ask reaches the handler, with one report until it works again", (_, fail) =>
      withTraps(async () => {
        const store = brokenStore({ get: fail, set: fail });
        const s = setUp(cached({ store }));
        const faults = faultsOf(s.bus);
        for (let n = 1; n <= 5; n++) expect(await ask(s)).toBe(`u1 ${n}`);
        await microtasks();
        expect(faults).toHaveLength(1);
        expect(faults[0]).toMatchObject({ kind: "middleware", source: "caching" });
        expect(faults[0]!.error).toBeInstanceOf(StoreFailedError);
        expect(faults[0]!.error).toMatchObject({
          code: "STORE_FAILED",
          operation: "get",
          cause: boom,
          message: "get of the store of caching failed; check the store.",
        });

        const healthy = brokenStore({});
        Object.assign(store, { get: healthy.get, set: healthy.set });
        expect(await ask(s)).toBe("u1 6");
        expect(await ask(s)).toBe("u1 6");
        Object.assign(store, { get: fail });
        expect(await ask(s)).toBe("u1 7");
        expect(faults).toHaveLength(2);
        await canaries(s.bus);
      }),
    );

    it.each([
      ["throws", throwing],
      ["rejects", () => Promise.reject(boom)],
    ])("%s only when it is written: the result arrives, with one report", (_, set) =>
      withTraps(async () => {
        const s = setUp(cached({ store: brokenStore({ set }) }));
        const faults = faultsOf(s.bus);
        for (let n = 1; n <= 3; n++) {
          expect(await ask(s)).toBe(`u1 ${n}`);
          await microtasks();
        }
        expect(faults.map(({ error }) => (error as StoreFailedError).operation)).toEqual(["set"]);
        await canaries(s.bus);
      }),
    );

    it("hangs: after storeTimeoutMs the ask reaches the handler", () =>
      withTraps(async () => {
        jest.useFakeTimers();
        const s = setUp(
          cached({ store: brokenStore({ get: () => new Promise(() => undefined) }), storeTimeoutMs: 50 }),
        );
        const faults = faultsOf(s.bus);
        const asked = [watch(ask(s)), watch(ask(s))];
        await jest.advanceTimersByTimeAsync(49);
        expect(asked.map(({ status }) => status)).toEqual(["pending", "pending"]);
        await jest.advanceTimersByTimeAsync(1);
        expect(asked.map(({ value }) => value)).toEqual(["u1 1", "u1 2"]);
        expect(faults.map(({ error }) => (error as Error).message)).toEqual([
          "get of the store of caching did not answer within 50 ms; check the store.",
        ]);
        expect(jest.getTimerCount()).toBe(0);
        jest.useRealTimers();
        await canaries(s.bus);
      }));

    it("hangs: the time limit keeps a process alive that has nothing else to do", async () => {
      const timers = jest.spyOn(globalThis, "setTimeout");
      const answer = deferred<unknown>();
      const s = setUp(cached({ store: brokenStore({ get: () => answer.promise }) }));
      const asked = ask(s);
      expect(timers.mock.results.map(({ value }) => (value as NodeJS.Timeout).hasRef())).toEqual([true]);
      timers.mockRestore();
      answer.resolve(undefined);
      expect(await asked).toBe("u1 1");
    });

    it("an ask that is aborted while the store hangs does not run, and leaves no timer", () =>
      withTraps(async () => {
        jest.useFakeTimers();
        const answer = deferred<unknown>();
        const s = setUp(cached({ store: brokenStore({ get: () => answer.promise }) }));
        const faults = faultsOf(s.bus);
        const controller = new AbortController();
        const asked = watch(s.bus.ask(new GetUser("u1"), { signal: controller.signal }));
        controller.abort();
        answer.resolve(undefined);
        await microtasks();
        expect(asked.status).toBe("rejected");
        expect(s.runs).toBe(0);
        expect(faults).toEqual([]);
        expect(jest.getTimerCount()).toBe(0);
        jest.useRealTimers();
        await canaries(s.bus);
      }));

    it("returns a value that caching did not store: it is a miss", () =>
      withTraps(async () => {
        const s = setUp();
        for (const garbage of [5, "text", {}, [], { value: 1 }, { epoch: "x", storedMs: "y" }, null, true]) {
          const other = setUp(cached({ store: brokenStore({ get: () => garbage }) }));
          expect(await ask(other)).toBe("u1 1");
          await canaries(other.bus);
        }
        await canaries(s.bus);
      }));
  });

  it("keeps a result for ttlMs of the bus's clock", () =>
    withTraps(async () => {
      const s = setUp(cached({ store: new Map(), ttlMs: 100 }));
      expect(await ask(s)).toBe("u1 1");
      s.clock.advance(99);
      expect(await ask(s)).toBe("u1 1");
      s.clock.advance(1);
      expect(await ask(s)).toBe("u1 2");
      s.clock.advance(99);
      expect(await ask(s)).toBe("u1 2");
      await canaries(s.bus);
    }));

  it("gives a store a ttl only if results expire", () =>
    withTraps(async () => {
      const stores = [new AsyncStore(), new AsyncStore()];
      for (const [index, store] of stores.entries())
        await ask(setUp(cached({ store, ...(index === 1 && { ttlMs: 99.5 }) })));
      await microtasks();
      expect(stores.map(({ options }) => options)).toEqual([[undefined], [{ ttl: 100 }]]);
    }));

  it("gives lru-cache its ttl, and misses the entries that it evicts", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const store = new LRUCache<string, CacheEntry>({ max: 10, perf: Date });
      const s = setUp(cached({ store, ttlMs: 1_000 }));
      await ask(s);
      expect(store.getRemainingTTL(messageKey(new GetUser("u1")))).toBe(1_000);
      await jest.advanceTimersByTimeAsync(2_000);
      expect(await ask(s)).toBe("u1 2");
      jest.useRealTimers();
      await canaries(s.bus);
    }));

  it("gives an old result at once and fetches a new one behind it, once", () =>
    withTraps(async () => {
      const store = new LRUCache<string, CacheEntry>({ max: 10 });
      const set = jest.spyOn(store, "set");
      const s = setUp(cached({ store, ttlMs: 100, staleWhileRevalidateMs: 900 }));
      expect(await ask(s)).toBe("u1 1");
      expect(set.mock.calls[0]![2]).toEqual({ ttl: 1_000 });
      s.clock.advance(100);
      const answer = deferred<string>();
      s.results = [answer.promise];
      const asked = Array.from({ length: 100 }, () => ask(s));
      // Behind it: not before the caller has its answer.
      expect(s.runs).toBe(1);
      expect(new Set(await Promise.all(asked))).toEqual(new Set(["u1 1"]));
      expect(s.runs).toBe(2);
      expect(s.bus.inFlight).toBe(0);
      answer.resolve("new");
      await microtasks();
      expect(await ask(s)).toBe("new");

      s.clock.advance(1_000);
      expect(await ask(s)).toBe("u1 3");
      await canaries(s.bus);
    }));

  it("a refresh in the background ends with the bus, without a fault", () =>
    withTraps(async () => {
      const s = setUp(cached({ store: new Map(), ttlMs: 100, staleWhileRevalidateMs: 900 }));
      const faults = faultsOf(s.bus);
      await ask(s);
      s.clock.advance(100);
      const aborted: unknown[] = [];
      s.results = [NEVER.pipe(tap({ unsubscribe: () => aborted.push("stream left") }))];
      await ask(s);
      await microtasks();
      expect(s.runs).toBe(2);
      await s.bus.close();
      expect(aborted).toEqual(["stream left"]);
      expect(faults).toEqual([]);
    }));

  describe("refreshOn", () => {
    it("makes the next ask run again", () =>
      withTraps(async () => {
        const commandBus = new CommandBus();
        commandBus.register(RenameUser, () => undefined);
        const refreshOn = commandBus.outcomes$.pipe(ofType(RenameUser), fulfilled());
        const s = setUp(cached({ store: new Map(), refreshOn }));
        expect(await ask(s)).toBe("u1 1");
        commandBus.dispatch(new RenameUser());
        const after = ask(s);
        expect(s.runs).toBe(2);
        expect(await after).toBe("u1 2");
        expect(await ask(s)).toBe("u1 2");
        await canaries(s.bus, commandBus);
      }));

    it.each(["a Map", "a store that answers later"])("a run that began before is not kept, with %s", (kind) =>
      withTraps(async () => {
        const changes = new Subject<void>();
        const store = kind === "a Map" ? new Map<unknown, unknown>() : new AsyncStore();
        const s = setUp(cached({ store, refreshOn: changes }));
        const old = deferred<string>();
        s.results = [old.promise];
        const first = ask(s);
        await microtasks();
        changes.next();
        old.resolve("old");
        expect(await first).toBe("old");
        await microtasks();
        expect(await ask(s)).toBe("u1 2");
        await microtasks();
        expect(await ask(s)).toBe("u1 2");
        await canaries(s.bus);
      }),
    );

    it("a background run that began before is not kept, and no old result is given after it", () =>
      withTraps(async () => {
        const changes = new Subject<void>();
        const s = setUp(
          cached({ store: new Map(), ttlMs: 100, staleWhileRevalidateMs: 900, refreshOn: changes }),
        );
        expect(await ask(s)).toBe("u1 1");
        s.clock.advance(100);
        const old = deferred<string>();
        s.results = [old.promise];
        expect(await ask(s)).toBe("u1 1");
        await microtasks();
        changes.next();
        old.resolve("old");
        await microtasks();
        expect(await ask(s)).toBe("u1 3");
        await canaries(s.bus);
      }));

    it("is not trusted once it has failed: from then on every ask runs", () =>
      withTraps(async () => {
        const changes = new Subject<void>();
        const s = setUp(cached({ store: new Map(), refreshOn: changes }));
        const faults = faultsOf(s.bus);
        const boom = new Error("boom");
        expect(await ask(s)).toBe("u1 1");
        changes.error(boom);
        expect(await ask(s)).toBe("u1 2");
        expect(await ask(s)).toBe("u1 3");
        expect(faults).toMatchObject([{ kind: "middleware", source: "refreshOn of caching", error: boom }]);
        await canaries(s.bus);
      }));

    it("may end, and may emit while it is subscribed to", () =>
      withTraps(async () => {
        const s = setUp(cached({ store: new Map(), refreshOn: of(1, 2) }));
        expect(await ask(s)).toBe("u1 1");
        expect(await ask(s)).toBe("u1 1");
        await canaries(s.bus);
      }));

    it("is subscribed to once per bus, as long as it lives", async () => {
      const changes = new Subject<void>();
      const middleware = cached({ store: new Map(), refreshOn: changes });
      expect(changes.observed).toBe(false);
      const buses = [setUp(middleware), setUp(middleware)].map(({ bus }) => bus);
      expect((changes as unknown as { observers: unknown[] }).observers).toHaveLength(2);
      await buses[0]!.close();
      expect((changes as unknown as { observers: unknown[] }).observers).toHaveLength(1);
      await buses[1]!.close();
      expect(changes.observed).toBe(false);
    });

    it("two buses that share a store judge each other's entries by their time", () =>
      withTraps(async () => {
        const store = new Map();
        const changes = new Subject<void>();
        const [a, b] = [setUp(cached({ store })), setUp(cached({ store, refreshOn: changes }))];
        expect(await ask(a)).toBe("u1 1");
        expect(await ask(b)).toBe("u1 1");
        expect(b.runs).toBe(0);
        changes.next();
        expect(await ask(b)).toBe("u1 1");
        expect(b.runs).toBe(1);
        a.clock.advance(5);
        b.clock.advance(5);
        changes.next();
        a.clock.advance(1);
        store.clear();
        await ask(a);
        expect(await ask(b)).toBe("u1 2");
        expect(b.runs).toBe(1);
        await canaries(a.bus, b.bus);
      }));
  });

  it("a key of one's own is the store's, and two types under one key do not take each other's results", () =>
    withTraps(async () => {
      const store = new Map<unknown, unknown>();
      const s = setUp(cached({ store, key: ({ userId }) => `user:${userId}` }));
      expect(await s.bus.ask(new GetUser("1"))).toBe("1 1");
      expect(await s.bus.ask(new GetOrder("1"))).toBe("1 2");
      expect(await s.bus.ask(new GetOrder("1"))).toBe("1 2");
      expect([...store.keys()]).toEqual(["user:1"]);
      store.delete("user:1");
      expect(await s.bus.ask(new GetOrder("1"))).toBe("1 3");
      await canaries(s.bus);
    }));

  describe("in a store that may outlive the process", () => {
    const elsewhere = (): AsyncStore & { readonly scope?: never } => new AsyncStore();
    class Unnamed extends GetUser {}
    class Namesake extends GetUser {
      static override readonly messageName: string = "GetUser";
    }
    messageKey(new GetUser("first of its name"));
    class Holder extends GetUser {
      static override readonly messageName: string = "Holder";
      readonly value: unknown = () => undefined;
    }

    it.each<[string, new (id: string) => GetUser, object, string]>([
      [
        "a class without a messageName of its own",
        Unnamed,
        {},
        "give the class a static messageName of its own, or pass scope",
      ],
      ["a class without a name, and a key function", Unnamed, { key: () => "key" }, "static messageName"],
      ["a class with the messageName of another", Namesake, {}, "another type has its messageName"],
      ["an object that is known by identity", Holder, {}, "give the class of that object a toJSON()"],
    ])("does not use the store for %s, with one report", (_, Type, options, cure) =>
      withTraps(async () => {
        const store = elsewhere();
        const bus = new QueryBus({ middleware: [caching<GetUser>({ store, ...options })] });
        const faults = faultsOf(bus);
        let runs = 0;
        bus.register(Type, () => ++runs);
        expect([await bus.ask(new Type("1")), await bus.ask(new Type("1"))]).toEqual([1, 2]);
        expect(store.calls).toEqual([]);
        expect(faults).toMatchObject([{ source: "caching", error: expect.any(InvalidMiddlewareError) }]);
        expect(String(faults[0]!.error)).toContain(cure);
      }),
    );

    it.each<[string, object]>([
      ["scope", { store: new AsyncStore(), scope: "process" }],
      ["a Map", { store: new Map() }],
      ["an LRUCache", { store: new LRUCache<string, CacheEntry>({ max: 10 }) }],
    ])("is trusted within the process: %s", (_, options) =>
      withTraps(async () => {
        const bus = new QueryBus({ middleware: [caching<GetUser>(options as never)] });
        const faults = faultsOf(bus);
        let runs = 0;
        bus.register(Unnamed, () => ++runs);
        expect(await bus.ask(new Unnamed("1"))).toBe(1);
        await microtasks();
        expect(await bus.ask(new Unnamed("1"))).toBe(1);
        expect(faults).toEqual([]);
      }),
    );
  });

  describe("runs that overlap", () => {
    it("keeps the result of the run that began last, whichever ends last", () =>
      withTraps(async () => {
        const s = setUp(cached({ store: new Map() }));
        const [old, young] = [deferred<string>(), deferred<string>()];
        s.results = [old.promise, young.promise];
        const asked = [ask(s), ask(s)];
        young.resolve("young");
        await asked[1];
        old.resolve("old");
        expect(await asked[0]).toBe("old");
        expect(await ask(s)).toBe("young");
      }));

    it("keeps the result of the run that began last, also if another bus with the same store ran it", () =>
      withTraps(async () => {
        const store = new Map();
        const [a, b] = [setUp(cached({ store })), setUp(cached({ store }))];
        const [old, young] = [deferred<string>(), deferred<string>()];
        a.results = [old.promise];
        b.results = [young.promise];
        const asked = [ask(a), ask(b)];
        young.resolve("young");
        await asked[1];
        old.resolve("old");
        await asked[0];
        expect([await ask(a), await ask(b)]).toEqual(["young", "young"]);
      }));

    it("keeps the result of a query that was asked after a background refresh began", () =>
      withTraps(async () => {
        const s = setUp(cached({ store: new Map(), ttlMs: 100, staleWhileRevalidateMs: 100 }));
        await ask(s);
        s.clock.advance(150);
        const [old, young] = [deferred<string>(), deferred<string>()];
        s.results = [old.promise, young.promise];
        expect(await ask(s)).toBe("u1 1");
        await microtasks();
        s.clock.advance(100);
        const asked = ask(s);
        young.resolve("young");
        await asked;
        old.resolve("old");
        await microtasks();
        expect(await ask(s)).toBe("young");
      }));

    it.each([
      ["inside", () => coalescing<GetUser>()],
      [
        "in a pipe inside",
        (): Middleware<GetUser> =>
          pipe(
            map((delivery) => delivery),
            coalescing<GetUser>(),
          ),
      ],
    ])("does not keep the result of an older run that it joined through coalescing %s", (_, joining) =>
      withTraps(async () => {
        const changes = new Subject<void>();
        const s = setUp(cached({ store: new Map(), refreshOn: changes }), joining());
        const old = deferred<string>();
        s.results = [old.promise];
        const first = ask(s);
        changes.next();
        const second = ask(s);
        old.resolve("old");
        expect(await Promise.all([first, second])).toEqual(["old", "old"]);
        expect(await ask(s)).toBe("u1 2");
      }),
    );

    it("does not keep the result of an older run that it joined through coalescing around the handler", () =>
      withTraps(async () => {
        const changes = new Subject<void>();
        const bus = new QueryBus({ middleware: [cached({ store: new Map(), refreshOn: changes })] });
        const old = deferred<string>();
        const results = [old.promise, "new"];
        bus.register(GetUser, () => results.shift(), { middleware: [coalescing()] });
        const first = bus.ask(new GetUser("u1"));
        changes.next();
        const second = bus.ask(new GetUser("u1"));
        old.resolve("old");
        expect(await Promise.all([first, second])).toEqual(["old", "old"]);
        expect(await bus.ask(new GetUser("u1"))).toBe("new");
        await canaries(bus);
      }));
  });

  it("deletes expired entries of a Map as it grows, and no others", () =>
    withTraps(async () => {
      const store = new Map<unknown, unknown>([["foreign", 1]]);
      const s = setUp(cached({ store, ttlMs: 10 }));
      for (let n = 0; n < 1_000; n++) await ask(s, `old ${n}`);
      expect(store.size).toBe(1_001);
      s.clock.advance(10);
      await ask(s, "new");
      await ask(s, "newer");
      expect([...store.keys()].map((key) => String(key).slice(0, 18))).toEqual([
        "foreign",
        'GetUser{"userId":"',
        'GetUser{"userId":"',
      ]);
    }));

  it("deletes an entry that it finds expired, also if the run fails", () =>
    withTraps(async () => {
      const store = new Map<unknown, unknown>();
      const s = setUp(cached({ store, ttlMs: 10 }));
      await ask(s);
      s.clock.advance(10);
      s.results = [new Error("boom")];
      await reasonOf(ask(s));
      expect(store.size).toBe(0);
    }));

  it("does not apply to ask$", () =>
    withTraps(async () => {
      const store = new Map();
      const s = setUp(cached({ store }));
      s.results = [of(1, 2, 3)];
      const values: unknown[] = [];
      s.bus.ask$(new GetUser("u1")).subscribe((value) => values.push(value));
      expect(values).toEqual([1, 2, 3]);
      expect(store.size).toBe(0);
      s.results = [of(4, 5)];
      expect(await ask(s)).toBe(4);
      expect(await ask(s)).toBe(4);
      await canaries(s.bus);
    }));

  // isaacs/node-lru-cache#157: a machine that starts with a wrong clock keeps entries until that time comes again.
  it.each([0, 1_000])("forgets what it stored before the clock was set back, stale for %i ms", (staleMs) =>
    withTraps(async () => {
      let nowMs = 10_000_000;
      const clock = { now: () => nowMs, monotonicNow: () => 0 };
      const bus = new QueryBus({
        clock,
        middleware: [cached({ store: new Map(), ttlMs: 1_000, staleWhileRevalidateMs: staleMs })],
      });
      let runs = 0;
      bus.register(GetUser, () => ++runs);
      expect(await bus.ask(new GetUser("u1"))).toBe(1);
      nowMs -= 500; // a correction that is shorter than the time to live does no harm
      expect(await bus.ask(new GetUser("u1"))).toBe(1);
      nowMs -= 3_600_000;
      expect([await bus.ask(new GetUser("u1")), await bus.ask(new GetUser("u1"))]).toEqual([2, 2]);
      await canaries(bus);
    }),
  );

  it.each([
    ["a middleware made", () => of("streamed", "more")],
    ["a promise brought", async () => of("streamed", "more")],
  ])("keeps the first value of a stream that %s", (_, made) =>
    withTraps(async () => {
      let runs = 0;
      const streaming = around(() => {
        runs++;
        return made();
      });
      const s = setUp(cached({ store: new Map() }), when(GetUser, streaming as never) as Middleware<GetUser>);
      expect([await ask(s), await ask(s)]).toEqual(["streamed", "streamed"]);
      expect(runs).toBe(1);
      await canaries(s.bus);
    }),
  );

  it("is an operator: leaves refreshOn with its source", () => {
    const changes = new Subject<void>();
    const source = new Subject<ReturnType<typeof delivery<GetUser>>>();
    const subscription = source.pipe(caching<GetUser>({ store: new Map(), refreshOn: changes })).subscribe();
    source.next(delivery(new GetUser("a")));
    expect(changes.observed).toBe(true);
    subscription.unsubscribe();
    expect(changes.observed).toBe(false);
  });

  it("is an operator: hits end at once, the rest is forwarded", () => {
    const store = new Map();
    const operator = caching<GetUser>({ store });
    marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
      const source = cold("-a-b-|", { a: delivery(new GetUser("a")), b: delivery(new GetUser("b")) });
      expectObservable(
        source.pipe(
          operator,
          map(({ message }) => message.userId),
        ),
      ).toBe("-a-b-");
      expectSubscriptions(source.subscriptions).toBe("^----!");
      expectObservable(cold("-").pipe(operator as never)).toBe("-");
      expectObservable(cold("--|").pipe(operator as never)).toBe("--|");
      expectObservable(cold("--#").pipe(operator as never)).toBe("--#");
      const live = hot("-a-a-a", { a: delivery(new GetUser("x")) });
      expectObservable(
        live.pipe(
          operator,
          map(({ message }) => message.userId),
        ),
        "^--!",
      ).toBe("-x");
      expectSubscriptions(live.subscriptions).toBe("^--!");
    });
    // A value that is there settles the delivery, and nothing is forwarded.
    const [first, second] = [delivery(new GetUser("c")), delivery(new GetUser("c"))];
    const forwarded: unknown[] = [];
    of(first)
      .pipe(operator)
      .subscribe((out) => out.resolve("value"));
    of(second)
      .pipe(operator)
      .subscribe((out) => forwarded.push(out));
    expect(second.settlement).toEqual({ status: "fulfilled", value: "value" });
    expect(forwarded).toEqual([]);
  });

  it.each([
    [{}, "store must be an object with get, set and delete"],
    [{ store: { get: () => 1 } }, "store must be an object"],
    [{ store: new Map(), ttlMs: 0 }, "ttlMs must be a number of milliseconds above 0"],
    [{ store: new Map(), ttlMs: NaN }, "ttlMs"],
    [{ store: new Map(), storeTimeoutMs: -1 }, "storeTimeoutMs"],
    [{ store: new Map(), staleWhileRevalidateMs: 5 }, "ttlMs must be given with staleWhileRevalidateMs"],
    [{ store: new Map(), staleWhileRevalidateMs: -5, ttlMs: 1 }, "staleWhileRevalidateMs"],
    [{ store: new Map(), refreshOn: 5 }, "refreshOn must be an Observable"],
    [{ store: new Map(), key: "id" }, "key must be a function"],
  ])("refuses %p", (options, problem) => {
    expect(() => caching(options as never)).toThrow(InvalidOptionsError);
    expect(() => caching(options as never)).toThrow(problem);
  });
});

describe("a cache whose refreshOn throws in its teardown", () => {
  it("aborts its background refreshes when the bus closes all the same", () =>
    withTraps(async () => {
      const refreshOn = NEVER.pipe(
        finalize(() => {
          throw new Error("teardown");
        }),
      );
      const options = { store: new Map(), ttlMs: 1, staleWhileRevalidateMs: 1_000, refreshOn };
      const clock = manualClock(1_000);
      const bus = new QueryBus({ clock, middleware: [caching(options)] });
      const signals: AbortSignal[] = [];
      bus.faults$.subscribe();
      bus.register(GetUser, (_, { signal }) => (signals.push(signal) === 1 ? "u1" : deferred().promise));
      await bus.ask(new GetUser("u1"));
      clock.advance(10);
      await bus.ask(new GetUser("u1"));
      await microtasks();
      await bus.close();
      expect(signals.map(({ aborted }) => aborted)).toEqual([false, true]);
      await canaries(new QueryBus());
    }));
});

describe("a query that is aborted by the key function", () => {
  it("does not reach its handler past a store that is not used for it", () =>
    withTraps(async () => {
      const leaving = new AbortController();
      class Unnamed {}
      const key = (): string => {
        leaving.abort("left");
        return "k";
      };
      const bus = new QueryBus({ middleware: [when(Unnamed, caching({ store: new AsyncStore(), key }))] });
      bus.faults$.subscribe();
      let runs = 0;
      bus.register(Unnamed, () => ++runs);
      expect(await reasonOf(bus.ask(new Unnamed(), { signal: leaving.signal }))).toBe("left");
      expect(runs).toBe(0);
      await canaries(bus);
    }));
});
