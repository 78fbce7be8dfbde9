import { AsyncLocalStorage } from "node:async_hooks";
import { describe, expect, it } from "@jest/globals";
import { around, InvalidOptionsError, Query, QueryBus, when, type Delivery } from "cqrx";
import { caching, coalescing, SelfDeadlockError } from "cqrx/middleware";
import { delivery, marbles } from "cqrx/testing";
import { interval, lastValueFrom, map, merge, take, tap, timer, toArray, type Observable } from "rxjs";
import { deferred, microtasks, reasonOf, watch, type Deferred } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";
import { faultsOf } from "./support.js";

class GetUser extends Query<string> {
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}
class GetOrder extends Query<string> {
  readonly userId: string;

  constructor(userId: string) {
    super();
    this.userId = userId;
  }
}

interface Run {
  readonly query: GetUser;
  readonly signal: AbortSignal;
  readonly reply: Deferred<string>;
}

/** Returns a bus whose handler answers when the test says so. */
function setUp(...middleware: ReturnType<typeof coalescing>[]): { bus: QueryBus; runs: Run[] } {
  const bus = new QueryBus({ middleware: middleware.length > 0 ? middleware : [coalescing()] });
  const runs: Run[] = [];
  const handler = (query: GetUser, { signal }: { signal: AbortSignal }): Promise<string> => {
    const reply = deferred<string>();
    runs.push({ query, signal, reply });
    return reply.promise;
  };
  bus.register(GetUser, handler);
  bus.register(GetOrder, handler);
  return { bus, runs };
}

function resolveLater(out: Delivery<GetUser, string>): void {
  timer(4).subscribe(() => out.resolve("done"));
}

const inner = around((message, next) => next(message));

describe("coalescing", () => {
  it.each([
    ["alone", () => [coalescing()]],
    ["inside of others", () => [inner, coalescing(), inner]],
    ["around a cache", () => [coalescing(), caching({ store: new Map() })]],
    ["inside of a cache", () => [caching({ store: new Map() }), coalescing()]],
  ])("85 runs the handler once for 1,000 equal asks, %s", (_, middleware) =>
    withTraps(async () => {
      const { bus, runs } = setUp(...middleware());
      const asked = Array.from({ length: 1_000 }, () => bus.ask(new GetUser("u1")));
      expect(runs).toHaveLength(1);
      runs[0]!.reply.resolve("Ada");
      expect(new Set(await Promise.all(asked))).toEqual(new Set(["Ada"]));
      expect(runs).toHaveLength(1);
      await canaries(bus);
    }),
  );

  it("86 an error reaches all waiting callers, and the next ask runs again", () =>
    withTraps(async () => {
      const { bus, runs } = setUp();
      const boom = new Error("boom");
      const asked = Array.from({ length: 1_000 }, () => bus.ask(new GetUser("u1")));
      runs[0]!.reply.reject(boom);
      const reasons = await Promise.all(asked.map(reasonOf));
      for (const reason of reasons) expect(reason).toBe(boom);

      const again = bus.ask(new GetUser("u1"));
      expect(runs).toHaveLength(2);
      runs[1]!.reply.resolve("Ada");
      expect(await again).toBe("Ada");
      await canaries(bus);
    }));

  it("keeps the synchronous prefix, and shares nothing once a run has ended", () =>
    withTraps(async () => {
      const bus = new QueryBus({ middleware: [coalescing()] });
      let runs = 0;
      bus.register(GetUser, () => String(++runs));
      const first = bus.ask(new GetUser("u1"));
      const second = bus.ask(new GetUser("u1"));
      expect(runs).toBe(2);
      expect(await Promise.all([first, second])).toEqual(["1", "2"]);
      bus.outcomes$.subscribe(() => {
        if (runs < 5) void bus.ask(new GetUser("u1"));
      });
      await bus.ask(new GetUser("u1"));
      expect(runs).toBe(5);
      await canaries(bus);
    }));

  it("does not share between different queries, nor between types, nor between keys", () =>
    withTraps(async () => {
      const { bus, runs } = setUp();
      const asks = [new GetUser("u1"), new GetUser("u2"), new GetOrder("u1")].map((query) => bus.ask(query));
      expect(runs).toHaveLength(3);
      runs.forEach(({ reply }, index) => reply.resolve(String(index)));
      expect(await Promise.all(asks)).toEqual(["0", "1", "2"]);

      const byId = setUp(coalescing<GetUser>({ key: ({ userId }) => userId.length }));
      const four = ["aa", "bb", "c"].map((id) => byId.bus.ask(new GetUser(id)));
      four.push(byId.bus.ask(new GetOrder("dd")));
      expect(byId.runs.map(({ query }) => query.userId)).toEqual(["aa", "c", "dd"]);
      byId.runs.forEach(({ reply, query }) => reply.resolve(query.userId));
      expect(await Promise.all(four)).toEqual(["aa", "aa", "c", "dd"]);
      await canaries(bus);
    }));

  it.each([
    ["outermost", () => [coalescing()]],
    ["inside", () => [inner, coalescing()]],
  ])(
    "one caller's abort does not hurt the others, and the last to leave aborts the run (%s)",
    (_, middleware) =>
      withTraps(async () => {
        const { bus, runs } = setUp(...middleware());
        const faults = faultsOf(bus);
        const controllers = [0, 1, 2].map(() => new AbortController());
        const asked = controllers.map(({ signal }) => watch(bus.ask(new GetUser("u1"), { signal })));

        controllers[0]!.abort(new Error("first"));
        controllers[2]!.abort(new Error("third"));
        await microtasks();
        expect(asked.map(({ status }) => status)).toEqual(["rejected", "pending", "rejected"]);
        expect(runs[0]!.signal.aborted).toBe(false);

        const last = new Error("last");
        controllers[1]!.abort(last);
        expect(runs[0]!.signal.aborted).toBe(true);
        expect(runs[0]!.signal.reason).toBe(last);
        await microtasks();
        expect(asked[1]!.reason).toBe(last);

        // The next query neither joins the aborted run nor runs beside its work.
        const again = bus.ask(new GetUser("u1"));
        await microtasks();
        expect(runs).toHaveLength(1);
        runs[0]!.reply.reject(last);
        await microtasks();
        expect(runs).toHaveLength(2);
        runs[1]!.reply.resolve("Ada");
        expect(await again).toBe("Ada");
        expect(bus.inFlight).toBe(0);
        expect(faults).toEqual([]);
        await canaries(bus);
      }),
  );

  it("the others get the value after one has left", () =>
    withTraps(async () => {
      const { bus, runs } = setUp();
      const controller = new AbortController();
      const first = watch(bus.ask(new GetUser("u1"), { signal: controller.signal }));
      const second = bus.ask(new GetUser("u1"));
      controller.abort();
      runs[0]!.reply.resolve("Ada");
      expect(await second).toBe("Ada");
      expect(first.status).toBe("rejected");
      await canaries(bus);
    }));

  it("every caller's promise settles when the bus is closed", () =>
    withTraps(async () => {
      const { bus, runs } = setUp();
      const asked = [1, 2].map(() => reasonOf(bus.ask(new GetUser("u1"))));
      const closed = bus.close({ timeoutMs: 0 });
      await closed;
      for (const reason of await Promise.all(asked)) expect(reason).toMatchObject({ code: "BUS_CLOSED" });
      expect(runs[0]!.signal.aborted).toBe(true);
    }));

  it("does not apply to ask$: each subscriber has its own stream", () =>
    withTraps(async () => {
      class Ticks extends Query<number> {}
      const bus = new QueryBus({ middleware: [coalescing()] });
      let runs = 0;
      bus.register(Ticks, () => {
        runs++;
        return interval(0).pipe(take(3));
      });
      const all = [1, 2].map(() =>
        lastValueFrom(bus.ask$(new Ticks()).pipe(toArray()), { defaultValue: [] }),
      );
      expect(await Promise.all(all)).toEqual([
        [0, 1, 2],
        [0, 1, 2],
      ]);
      expect(runs).toBe(2);
      const asks = [1, 2].map(() => bus.ask(new Ticks()));
      expect(await Promise.all(asks)).toEqual([0, 0]);
      expect(runs).toBe(3);
      await canaries(bus);
    }));

  it("a query that would wait for the run that caused it is rejected, and the run gets the error", () =>
    withTraps(async () => {
      const bus = new QueryBus({ middleware: [coalescing()] });
      bus.register(GetOrder, (_, context) => bus.ask(new GetUser("u1"), { causedBy: context }));
      bus.register(GetUser, async (_, context) => {
        await Promise.resolve();
        return bus.ask(new GetOrder("o1"), { causedBy: context });
      });
      const error = (await reasonOf(bus.ask(new GetUser("u1")))) as SelfDeadlockError;
      expect(error).toBeInstanceOf(SelfDeadlockError);
      expect(error.chain.map(({ messageType }) => messageType)).toEqual(["GetUser", "GetOrder", "GetUser"]);
      await canaries(bus);
    }));

  it("runs with the envelope and in the async context of the first query", () =>
    withTraps(async () => {
      const storage = new AsyncLocalStorage<string>();
      const { bus } = setUp();
      const seen: unknown[] = [];
      class Who extends Query<number> {}
      const hold = deferred();
      bus.register(Who, async (_, { envelope }) => {
        await hold.promise;
        return seen.push(storage.getStore(), envelope.meta.headers["n"]);
      });
      const asked = ["1", "2"].map((n) =>
        storage.run(n, () =>
          bus.ask(new Who(), { headers: { n } }).then(() => seen.push(`after ${storage.getStore()}`)),
        ),
      );
      hold.resolve();
      await Promise.all(asked);
      expect(seen).toEqual(["1", "1", "after 1", "after 2"]);
      await canaries(bus);
    }));

  it("a key function that throws rejects its query only; a key that is a promise is refused", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      const { bus } = setUp(
        when(
          GetUser,
          coalescing<GetUser>({
            key: ({ userId }) => {
              if (userId === "bad") throw boom;
              return Promise.resolve(userId);
            },
          }),
        ),
      );
      expect(await reasonOf(bus.ask(new GetUser("bad")))).toBe(boom);
      await expect(bus.ask(new GetUser("good"))).rejects.toThrow(
        "coalescing(): key must be a function that returns the key itself; received a promise",
      );
      expect(() => coalescing({ key: "userId" as never })).toThrow(InvalidOptionsError);
      await canaries(bus);
    }));

  it("is an operator: of equal queries in flight one is forwarded", () => {
    const operator = coalescing<GetUser, string>();
    marbles(({ cold, hot, expectObservable, expectSubscriptions }) => {
      const [a1, a2, b, a3] = ["a", "a", "b", "a"].map((id) => delivery(new GetUser(id)));
      /** Forwarded deliveries by the id in them, each resolved 4 ms later. */
      const ids = (source: Observable<Delivery<GetUser, string>>): Observable<string> =>
        source.pipe(
          operator,
          tap((out) => resolveLater(out)),
          map(({ message }) => message.userId),
        );

      const source = cold("-a-b-c-----d-|", { a: a1!, b: a2!, c: b!, d: a3! });
      // The source ends at 13, the last run at 15.
      expectObservable(ids(source)).toBe("-a---b-----a---|");
      expectSubscriptions(source.subscriptions).toBe("^------------!");
      const replies = merge(...[a1, a2, b, a3].map((one) => one!.settled$));
      const done = { d: { status: "fulfilled", value: "done" } } as const;
      // At 5 the two that shared a run, at 9 the third; groups take the room that they are written in.
      expectObservable(replies).toBe("-----(dd)d-----(d|)", done);

      expectObservable(ids(cold("-"))).toBe("-");
      expectObservable(ids(cold("--|"))).toBe("--|");
      expectObservable(ids(cold("--#"))).toBe("--#");
      const live = hot("--a--b--|", { a: delivery(new GetUser("a")), b: delivery(new GetUser("b")) });
      expectObservable(ids(live), "^---!").toBe("--a--");
      expectSubscriptions(live.subscriptions).toBe("^---!");
    });
  });
});
