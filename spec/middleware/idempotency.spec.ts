import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { around, CommandBus, InvalidOptionsError, QueryBus, when, type Middleware } from "cqrx";
import {
  idempotency,
  IdempotencyConflictError,
  retrying,
  SelfDeadlockError,
  StoreFailedError,
  timeLimit,
  type IdempotencyOptions,
} from "cqrx/middleware";
import { delivery, manualClock, marbles } from "cqrx/testing";
import { LRUCache } from "lru-cache";
import { firstValueFrom, lastValueFrom, map, of, throwError, timer, toArray } from "rxjs";
import { deferred, microtasks, reasonOf, watch, type Deferred } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";
import { AsyncStore, brokenStore, faultsOf } from "./support.js";

class Pay {
  static readonly messageName: string = "Pay";
  readonly requestId: string | undefined;
  readonly amount: number;

  constructor(requestId: string | undefined, amount = 1) {
    this.requestId = requestId;
    this.amount = amount;
  }
}
class Refund extends Pay {
  static override readonly messageName: string = "Refund";
}

const key = (message: object): string | undefined => (message as Partial<Pay>).requestId;

interface Run {
  readonly message: Pay;
  readonly signal: AbortSignal;
  readonly reply: Deferred<unknown>;
}

/** Returns buses whose handlers answer when the test says so. */
function setUp(
  options: Partial<IdempotencyOptions> = {},
  ...outer: Middleware[]
): { commandBus: CommandBus; queryBus: QueryBus; runs: Run[]; clock: ReturnType<typeof manualClock> } {
  const clock = manualClock(1_000);
  const middleware = [...outer, idempotency({ key, store: new Map(), ...options })];
  const runs: Run[] = [];
  const handler = (message: Pay, { signal }: { signal: AbortSignal }): Promise<unknown> => {
    const run = { message, signal, reply: deferred<unknown>() };
    runs.push(run);
    return run.reply.promise;
  };
  const commandBus = new CommandBus({ clock, middleware });
  const queryBus = new QueryBus({ clock, middleware });
  for (const type of [Pay, Refund]) {
    commandBus.register(type, handler);
    queryBus.register(type, handler);
  }
  return { commandBus, queryBus, runs, clock };
}

afterEach(() => void jest.useRealTimers());

describe("idempotency", () => {
  it("runs a message once that is sent twice, synchronously", () =>
    withTraps(async () => {
      for (const store of [new Map(), new LRUCache<string, object>({ max: 10 })]) {
        const bus = new CommandBus({ middleware: [idempotency({ key, store })] });
        let paid = 0;
        bus.register(Pay, ({ amount }) => void (paid += amount));
        const first = bus.dispatch(new Pay("r1", 5));
        expect(paid).toBe(5);
        const second = bus.dispatch(new Pay("r1", 5));
        expect(paid).toBe(5);
        bus.dispatch(new Pay("r2", 5));
        expect(paid).toBe(10);
        expect(await Promise.all([first, second])).toEqual([undefined, undefined]);
        await canaries(bus);
      }
    }));

  it("returns the result of the first run, undefined and null included, also from an asynchronous store", () =>
    withTraps(async () => {
      for (const value of ["receipt 7", undefined, null, 0]) {
        const { queryBus, runs } = setUp({ store: new AsyncStore() });
        const first = queryBus.ask(new Pay("r1"));
        await microtasks();
        runs[0]!.reply.resolve(value);
        expect(await first).toBe(value);
        expect(await queryBus.ask(new Pay("r1"))).toBe(value);
        expect(runs).toHaveLength(1);
        await canaries(queryBus);
      }
    }));

  it("stores no result for a command", () =>
    withTraps(async () => {
      const store = new Map<unknown, unknown>();
      const { commandBus, runs } = setUp({ store });
      const done = commandBus.dispatch(new Pay("r1"));
      runs[0]!.reply.resolve("secret row");
      await done;
      expect(store.get("r1")).toEqual({
        fingerprint: 'Pay{"amount":1,"requestId":"r1"}',
        value: undefined,
        storedMs: 1_000,
      });
      await canaries(commandBus);
    }));

  it("lets messages without a key pass", () =>
    withTraps(async () => {
      const { commandBus, runs } = setUp();
      const done = [1, 2].map(() => commandBus.dispatch(new Pay(undefined)));
      expect(runs).toHaveLength(2);
      for (const { reply } of runs) reply.resolve(undefined);
      await Promise.all(done);
      await canaries(commandBus);
    }));

  it.each([
    ["outermost", []],
    ["inside", [around((message, next) => next(message))]],
  ])("duplicates at the same time share one run, its value and its error (%s)", (_, outer) =>
    withTraps(async () => {
      for (const store of [new Map(), new AsyncStore()]) {
        const { queryBus, runs } = setUp({ store }, ...outer);
        const asked = Array.from({ length: 100 }, () => queryBus.ask(new Pay("r1")));
        await microtasks();
        expect(runs).toHaveLength(1);
        runs[0]!.reply.resolve("receipt");
        expect(new Set(await Promise.all(asked))).toEqual(new Set(["receipt"]));

        const boom = new Error("boom");
        const failing = Array.from({ length: 100 }, () => reasonOf(queryBus.ask(new Pay("r2"))));
        await microtasks();
        runs[1]!.reply.reject(boom);
        for (const reason of await Promise.all(failing)) expect(reason).toBe(boom);

        // A failure is not remembered.
        const retry = queryBus.ask(new Pay("r2"));
        await microtasks();
        runs[2]!.reply.resolve("at last");
        expect(await retry).toBe("at last");
        expect(await queryBus.ask(new Pay("r2"))).toBe("at last");
        expect(runs).toHaveLength(3);
        await canaries(queryBus);
      }
    }),
  );

  it("a caller's abort does not hurt the others", () =>
    withTraps(async () => {
      const { queryBus, runs } = setUp();
      const controller = new AbortController();
      const first = watch(queryBus.ask(new Pay("r1"), { signal: controller.signal }));
      const second = queryBus.ask(new Pay("r1"));
      controller.abort();
      await microtasks();
      expect(first.status).toBe("rejected");
      expect(runs[0]!.signal.aborted).toBe(false);
      runs[0]!.reply.resolve("receipt");
      expect(await second).toBe("receipt");
      await canaries(queryBus);
    }));

  it("a retry does not run beside an aborted run that still works, and gets its result", () =>
    withTraps(async () => {
      const { queryBus, runs } = setUp();
      const faults = faultsOf(queryBus);
      const controller = new AbortController();
      const first = reasonOf(queryBus.ask(new Pay("r1"), { signal: controller.signal }));
      controller.abort();
      await first;
      expect(runs[0]!.signal.aborted).toBe(true);

      const retries = [watch(queryBus.ask(new Pay("r1"))), watch(queryBus.ask(new Pay("r1")))];
      const conflict = reasonOf(queryBus.ask(new Pay("r1", 2)));
      expect(await conflict).toBeInstanceOf(IdempotencyConflictError);
      const gone = new AbortController();
      const left = reasonOf(queryBus.ask(new Pay("r1"), { signal: gone.signal }));
      gone.abort();
      await left;
      await microtasks();
      expect(runs).toHaveLength(1);
      expect(retries[0]!.status).toBe("pending");

      // It did not heed its signal.
      runs[0]!.reply.resolve("paid after all");
      await microtasks();
      expect(retries.map(({ value }) => value)).toEqual(["paid after all", "paid after all"]);
      expect(runs).toHaveLength(1);
      expect(faults.map(({ kind }) => kind)).toEqual(["late"]);
      await canaries(queryBus);
    }));

  it("a retry runs once an aborted run has stopped", () =>
    withTraps(async () => {
      const { queryBus, runs } = setUp();
      const faults = faultsOf(queryBus);
      const controller = new AbortController();
      const first = reasonOf(queryBus.ask(new Pay("r1"), { signal: controller.signal }));
      controller.abort();
      await first;
      const retries = [queryBus.ask(new Pay("r1")), queryBus.ask(new Pay("r1"))];
      runs[0]!.reply.reject(runs[0]!.signal.reason);
      await microtasks();
      expect(runs).toHaveLength(2);
      runs[1]!.reply.resolve("paid");
      expect(await Promise.all(retries)).toEqual(["paid", "paid"]);
      expect(faults).toEqual([]);
      await canaries(queryBus);
    }));

  it("does not begin a message that was aborted during the look-up in the store", () =>
    withTraps(async () => {
      const answer = deferred<undefined>();
      const { queryBus, runs } = setUp({ store: brokenStore({ get: () => answer.promise }) });
      const faults = faultsOf(queryBus);
      const controller = new AbortController();
      const asked = reasonOf(queryBus.ask(new Pay("r1"), { signal: controller.signal }));
      controller.abort();
      await asked;
      answer.resolve(undefined);
      await microtasks();
      expect(runs).toHaveLength(0);
      expect(faults).toEqual([]);
      const again = queryBus.ask(new Pay("r1"));
      await microtasks();
      runs[0]!.reply.resolve("paid");
      expect(await again).toBe("paid");
      await canaries(queryBus);
    }));

  it("118 another payload under one key is a conflict, in flight and later; never another caller's result", () =>
    withTraps(async () => {
      for (const store of [new Map(), new AsyncStore()]) {
        const { queryBus, runs } = setUp({ store });
        const first = queryBus.ask(new Pay("r1", 5));
        await microtasks();
        const others = [new Pay("r1", 6), new Refund("r1", 5)];
        for (const other of others) {
          const error = await reasonOf(queryBus.ask(other));
          expect(error).toBeInstanceOf(IdempotencyConflictError);
          expect(error).toMatchObject({
            name: "IdempotencyConflictError",
            code: "IDEMPOTENCY_CONFLICT",
            messageType: other.constructor.name,
          });
          expect((error as Error).message).not.toContain("r1");
        }
        runs[0]!.reply.resolve("receipt of 5");
        expect(await first).toBe("receipt of 5");
        for (const other of others)
          expect(await reasonOf(queryBus.ask(other))).toBeInstanceOf(IdempotencyConflictError);
        expect(await queryBus.ask(new Pay("r1", 5))).toBe("receipt of 5");
        expect(runs).toHaveLength(1);
        await canaries(queryBus);
      }
    }));

  it("118 a custom fingerprint decides which messages are the same", () =>
    withTraps(async () => {
      const { queryBus, runs } = setUp({ fingerprint: (message) => message.constructor.name });
      const asked = [queryBus.ask(new Pay("r1", 1)), queryBus.ask(new Pay("r1", 2))];
      runs[0]!.reply.resolve("same");
      expect(await Promise.all(asked)).toEqual(["same", "same"]);
      expect(await reasonOf(queryBus.ask(new Refund("r1", 1)))).toBeInstanceOf(IdempotencyConflictError);
      await canaries(queryBus);
    }));

  it("118 does not use a store that may outlive the process for a class without a stable name, with one report", () =>
    withTraps(async () => {
      class Unnamed extends Pay {}
      for (const [options, used] of [
        [{}, false],
        [{ scope: "process" }, true],
        [{ fingerprint: () => "same" }, true],
      ] as const) {
        const store = new AsyncStore();
        const bus = new CommandBus({ middleware: [idempotency({ key, store, ...options })] });
        const faults = faultsOf(bus);
        let runs = 0;
        bus.register(Unnamed, () => void runs++);
        for (let time = 0; time < 2; time++) await bus.dispatch(new Unnamed("r1"));
        expect(runs).toBe(used ? 1 : 2);
        expect(store.calls.length > 0).toBe(used);
        expect(faults.map(({ source }) => source)).toEqual(used ? [] : ["idempotency"]);
        if (!used)
          expect(String(faults[0]!.error)).toContain("give the class a static messageName of its own");
      }
    }));

  it.each<[string, () => Middleware[]]>([
    ["timeLimit", () => [timeLimit(5)]],
    ["retrying and timeLimit", () => [retrying({ count: 1 }), timeLimit(5)]],
  ])("holds the key until the work that %s gave up has ended", (_, inner) =>
    withTraps(async () => {
      jest.useFakeTimers();
      const bus = new CommandBus({ middleware: [idempotency({ key, store: new Map() }), ...inner()] });
      bus.faults$.subscribe();
      const ends: Deferred<void>[] = [];
      bus.register(Pay, () => {
        const end = deferred();
        ends.push(end);
        return end.promise;
      });
      const first = reasonOf(bus.dispatch(new Pay("r1")));
      await jest.advanceTimersByTimeAsync(20);
      expect(await first).toMatchObject({ code: "TIME_LIMIT" });
      const before = ends.length;
      const second = bus.dispatch(new Pay("r1"));
      await microtasks();
      expect(ends).toHaveLength(before);
      for (const end of ends) end.resolve();
      await microtasks();
      expect(ends).toHaveLength(before + 1);
      ends.at(-1)!.resolve();
      await second;
      jest.useRealTimers();
    }),
  );

  it("remembers for ttlMs of the bus's clock, and passes ttlMs to the store", () =>
    withTraps(async () => {
      const store = new AsyncStore();
      const { queryBus, runs, clock } = setUp({ store, ttlMs: 100 });
      const ask = async (): Promise<unknown> => {
        const asked = queryBus.ask(new Pay("r1"));
        await microtasks();
        runs.at(-1)!.reply.resolve(`run ${runs.length}`);
        return asked;
      };
      expect(await ask()).toBe("run 1");
      clock.advance(99);
      expect(await ask()).toBe("run 1");
      clock.advance(1);
      expect(await ask()).toBe("run 2");
      expect(store.options).toEqual([{ ttl: 100 }, { ttl: 100 }]);
      await canaries(queryBus);
    }));

  describe("with a store that fails", () => {
    const boom = new Error("store is down");
    const ways: [string, () => unknown][] = [
      [
        "throws",
        () => {
          throw boom;
        },
      ],
      ["rejects", () => Promise.reject(boom)],
    ];

    it.each(ways)(
      "%s when it is read: rejects, and runs nothing: better not done than done twice",
      (_, get) =>
        withTraps(async () => {
          const store = brokenStore({ get });
          const { queryBus, runs } = setUp({ store });
          const asked = await Promise.all([1, 2].map(() => reasonOf(queryBus.ask(new Pay("r1")))));
          for (const error of asked) {
            expect(error).toBeInstanceOf(StoreFailedError);
            expect(error).toMatchObject({ operation: "get", cause: boom });
          }
          expect(runs).toHaveLength(0);

          Object.assign(store, { get: () => undefined });
          const again = queryBus.ask(new Pay("r1"));
          runs[0]!.reply.resolve("paid");
          expect(await again).toBe("paid");
          await canaries(queryBus);
        }),
    );

    it.each(ways)("%s when it is written: gives the true outcome, and reports it", (_, set) =>
      withTraps(async () => {
        const { queryBus, runs } = setUp({ store: brokenStore({ set }) });
        const faults = faultsOf(queryBus);
        const asked = [1, 2].map(() => queryBus.ask(new Pay("r1")));
        runs[0]!.reply.resolve("paid");
        expect(await Promise.all(asked)).toEqual(["paid", "paid"]);
        expect(faults).toMatchObject([
          { kind: "middleware", source: "idempotency", error: { operation: "set", cause: boom } },
        ]);
        await canaries(queryBus);
      }),
    );

    it("hangs: gives up after storeTimeoutMs", () =>
      withTraps(async () => {
        jest.useFakeTimers();
        const hang = (): Promise<never> => new Promise(() => undefined);
        const reading = setUp({ store: brokenStore({ get: hang }), storeTimeoutMs: 50 });
        const read = watch(reading.queryBus.ask(new Pay("r1")));
        const writing = setUp({ store: brokenStore({ set: hang }), storeTimeoutMs: 50 });
        const faults = faultsOf(writing.queryBus);
        const written = watch(writing.queryBus.ask(new Pay("r1")));
        writing.runs[0]!.reply.resolve("paid");
        await jest.advanceTimersByTimeAsync(49);
        expect([read.status, written.status]).toEqual(["pending", "pending"]);
        await jest.advanceTimersByTimeAsync(1);
        expect(read.reason).toBeInstanceOf(StoreFailedError);
        expect(reading.runs).toHaveLength(0);
        expect(written.value).toBe("paid");
        expect(faults).toHaveLength(1);
        expect(jest.getTimerCount()).toBe(0);
        jest.useRealTimers();
        await canaries(reading.queryBus, writing.queryBus);
      }));
  });

  it("a run that fails synchronously is not remembered", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      const bus = new CommandBus({ middleware: [idempotency({ key, store: new Map() })] });
      let runs = 0;
      bus.register(Pay, () => {
        if (++runs === 1) throw boom;
      });
      expect(await reasonOf(bus.dispatch(new Pay("r1")))).toBe(boom);
      bus.dispatch(new Pay("r1"));
      bus.dispatch(new Pay("r1"));
      expect(runs).toBe(2);
      await canaries(bus);
    }));

  it("an observer of the outcome that sends again gets the stored one", () =>
    withTraps(async () => {
      const { commandBus, runs } = setUp();
      let sent = 0;
      commandBus.outcomes$.subscribe(() => {
        if (sent++ < 3) void commandBus.dispatch(new Pay("r1"));
      });
      const done = commandBus.dispatch(new Pay("r1"));
      runs[0]!.reply.resolve(undefined);
      await done;
      await microtasks();
      expect(runs).toHaveLength(1);
      expect(sent).toBeGreaterThanOrEqual(4);
      await canaries(commandBus);
    }));

  it("a message that would wait for the run it was caused by is rejected", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [idempotency({ key, store: new Map() })] });
      bus.register(Pay, async (_, context) => {
        await Promise.resolve();
        await bus.dispatch(new Pay("r1"), { causedBy: context });
      });
      expect(await reasonOf(bus.dispatch(new Pay("r1")))).toBeInstanceOf(SelfDeadlockError);
      await canaries(bus);
    }));

  it("remembers the result of dispatch$ and ask$: of a command when its stream ends, of a query its first value", () =>
    withTraps(async () => {
      const commandBus = new CommandBus({ middleware: [idempotency({ key, store: new Map() })] });
      const queryBus = new QueryBus({ middleware: [idempotency({ key, store: new Map() })] });
      let runs = 0;
      commandBus.register(Pay, () => timer(0).pipe(map(() => void runs++)));
      queryBus.register(Pay, () => of(++runs, "second"));
      await Promise.all(
        [1, 2].map(() => firstValueFrom(commandBus.dispatch$(new Pay("r1")), { defaultValue: undefined })),
      );
      expect(runs).toBe(1);
      for (let time = 0; time < 2; time++)
        expect(
          await lastValueFrom(queryBus.ask$(new Pay("r1")).pipe(toArray()), { defaultValue: [] }),
        ).toEqual([2]);
      expect(runs).toBe(2);
      await canaries(commandBus, queryBus);
    }));

  // nestjs/nest#2209: a stream that a promise brings was never run, and the message counted as done.
  it("does the work of a stream that a promise brings before it remembers the outcome", () =>
    withTraps(async () => {
      const store = new AsyncStore();
      const middleware = [idempotency({ key, store })];
      const [commandBus, queryBus] = [new CommandBus({ middleware }), new QueryBus({ middleware })];
      let runs = 0;
      commandBus.register(Pay, async () => timer(0).pipe(map(() => void runs++)));
      queryBus.register(Pay, async () => of("first", "second"));
      for (let time = 0; time < 2; time++) {
        await commandBus.dispatch(new Pay("r1"));
        expect(await queryBus.ask(new Pay("r2"))).toBe("first");
      }
      expect(runs).toBe(1);
      expect(
        [...store.texts.values()].map((text) => (JSON.parse(text) as { value?: unknown }).value),
      ).toEqual([undefined, "first"]);
      commandBus.register(Refund, async () => throwError(() => new Error("no money")));
      expect(await reasonOf(commandBus.dispatch(new Refund("r3")))).toEqual(new Error("no money"));
      expect(store.texts.has("r3")).toBe(false);
      await canaries(commandBus, queryBus);
    }));

  // Mongoose queries are both: awaiting one runs it once, and iterating over it returns its documents one by one.
  it("awaits a result that is a promise and an async iterable at once", () =>
    withTraps(async () => {
      const found = (): unknown => ({
        then: (resolve: (documents: unknown) => void) => resolve(["a", "b"]),
        async *[Symbol.asyncIterator]() {
          yield* ["a", "b"];
        },
      });
      const queryBus = new QueryBus({
        middleware: [idempotency({ key, store: new Map() }), when(Pay, around(found))],
      });
      queryBus.register(Pay, () => undefined);
      expect(await queryBus.ask(new Pay("r1"))).toEqual(["a", "b"]);
      await canaries(queryBus);
    }));

  it("every promise settles when the bus is closed", () =>
    withTraps(async () => {
      const { commandBus, runs } = setUp();
      const controller = new AbortController();
      const aborted = reasonOf(commandBus.dispatch(new Pay("r1"), { signal: controller.signal }));
      controller.abort();
      await aborted;
      const waiting = reasonOf(commandBus.dispatch(new Pay("r1")));
      const running = reasonOf(commandBus.dispatch(new Pay("r2")));
      await commandBus.close({ timeoutMs: 0 });
      expect(await waiting).toMatchObject({ code: "BUS_CLOSED" });
      expect(await running).toMatchObject({ code: "BUS_CLOSED" });
      expect(runs).toHaveLength(2);
      expect(runs[1]!.signal.aborted).toBe(true);
    }));

  it("is an operator", () => {
    const operator = idempotency<Pay>({ key, store: new Map() });
    marbles(({ cold, expectObservable }) => {
      const pay = ["r1", "r1", "r2"].map((id) => delivery(new Pay(id)));
      expectObservable(
        cold("-a-b-c-|", { a: pay[0]!, b: pay[1]!, c: pay[2]! }).pipe(
          operator,
          map(({ message }) => message.requestId),
        ),
      ).toBe("-x---y--", { x: "r1", y: "r2" });
      expectObservable(cold("--#").pipe(operator as never)).toBe("--#");
      expectObservable(cold("--|").pipe(operator as never)).toBe("--|");
    });
  });

  it.each([
    [{ store: new Map() }, "key must be a function"],
    [{ key, store: undefined }, "store must be an object with get, set and delete"],
    [{ key, store: new Map(), ttlMs: -1 }, "ttlMs"],
    [{ key, store: new Map(), fingerprint: 5 }, "fingerprint must be a function"],
  ])("refuses %p", (options, problem) => {
    expect(() => idempotency(options as never)).toThrow(InvalidOptionsError);
    expect(() => idempotency(options as never)).toThrow(problem);
  });

  it("refuses a key that is not a text", () =>
    withTraps(async () => {
      const bus = new CommandBus({
        middleware: [
          idempotency({
            key: (message) => (message instanceof Pay ? (5 as never) : undefined),
            store: new Map(),
          }),
        ],
      });
      bus.register(Pay, () => undefined);
      await expect(bus.dispatch(new Pay("r1"))).rejects.toThrow(
        "must be a function that returns a string or undefined",
      );
      await canaries(bus);
    }));
});

describe("a message without a key", () => {
  it("that the key function aborts does not reach its handler", () =>
    withTraps(async () => {
      const leaving = new AbortController();
      const leave = (): undefined => leaving.abort("left") as undefined;
      const bus = new CommandBus({
        middleware: [when(Pay, idempotency({ key: leave, store: new Map() }))],
      });
      let runs = 0;
      bus.register(Pay, () => void runs++);
      expect(await reasonOf(bus.dispatch(new Pay("r1"), { signal: leaving.signal }))).toBe("left");
      expect(runs).toBe(0);
      await canaries(bus);
    }));
});
