import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import {
  BusClosedError,
  CommandBus,
  DomainEvent,
  EventBus,
  fulfilled,
  HandlerNotFoundError,
  InvalidOptionsError,
  ofType,
  Query,
  QueryBus,
  type Fault,
  type Outcome,
  type WatchOptions,
} from "cqrx";
import fc from "fast-check";
import {
  BehaviorSubject,
  concat,
  filter,
  finalize,
  interval,
  map,
  merge,
  NEVER,
  Observable,
  of,
  Subject,
  take,
  takeUntil,
  throwError,
} from "rxjs";
import { deferred, microtasks, type Deferred } from "../conformance/support.js";
import { canaries, macrotask, withTraps } from "../support/traps.js";

class Count extends Query<number> {
  constructor(readonly of = "users") {
    super();
  }
}

/** The values that a watcher received, the end included. */
function shownBy<T>(values$: Observable<T>): { log: unknown[]; unsubscribe(): void } {
  const log: unknown[] = [];
  const subscription = values$.subscribe({
    next: (value) => log.push(value),
    error: (error: unknown) => log.push(error),
    complete: () => log.push("complete"),
  });
  return { log, unsubscribe: () => subscription.unsubscribe() };
}

let bus: QueryBus;
let refresh$: Subject<unknown>;
let faults: Fault[];
let outcomes: Outcome[];

beforeEach(() => {
  bus = new QueryBus();
  refresh$ = new Subject();
  faults = [];
  outcomes = [];
  bus.faults$.subscribe((fault) => faults.push(fault));
  bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
});

afterEach(() => void jest.useRealTimers());

/** Returns a handler whose runs end when the test ends them. */
function gated(): { runs: Deferred<number>[]; signals: AbortSignal[] } {
  const runs: Deferred<number>[] = [];
  const signals: AbortSignal[] = [];
  bus.register(Count, (_, { signal }) => {
    const run = deferred<number>();
    runs.push(run);
    signals.push(signal);
    return run.promise;
  });
  return { runs, signals };
}

/** A handler that counts how often it was asked, and returns that. */
function counting(): { runs: number } {
  const counted = { runs: 0 };
  bus.register(Count, () => ++counted.runs);
  return counted;
}

const watch = (options: WatchOptions<number> = {}): Observable<number> =>
  bus.watch(new Count(), { refreshOn: refresh$, ...options });

describe("watch", () => {
  it("shows the first result at once, and another after each change", () =>
    withTraps(async () => {
      const commandBus = new CommandBus();
      class CreateUser {}
      let users = 0;
      commandBus.register(CreateUser, () => void users++);
      bus.register(Count, () => users);
      const { log } = shownBy(
        bus.watch(new Count(), { refreshOn: commandBus.outcomes$.pipe(ofType(CreateUser), fulfilled()) }),
      );
      expect(log).toEqual([0]);
      await commandBus.dispatch(new CreateUser());
      await commandBus.dispatch(new CreateUser());
      await microtasks();
      expect(log).toEqual([0, 1, 2]);
      expect(outcomes).toHaveLength(3);
      await canaries(bus, commandBus);
    }));

  it("94 a change at any moment is in the first result or in a later one, for any order of events", () =>
    withTraps(() =>
      fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.integer({ min: 1, max: 6 }),
          fc.integer({ min: 0, max: 3 }),
          async (s, changes, lateAfter) => {
            const queries = new QueryBus();
            const changed$ = new Subject<number>();
            let state = 0;
            queries.register(Count, async () => {
              const read = state;
              await s.schedule(Promise.resolve(), "answer");
              return read;
            });
            const seen: number[][] = [];
            const subscribe = (): void => {
              const shown: number[] = [];
              seen.push(shown);
              // Each with a source of its own, as calls do that build it with pipe().
              queries
                .watch(new Count(), { refreshOn: changed$.pipe(map((n) => n)) })
                .subscribe((n) => shown.push(n));
            };
            s.scheduleSequence(
              Array.from({ length: changes }, (_, index) => async () => {
                changed$.next(++state);
                if (index === lateAfter) subscribe();
              }),
            );
            void s.schedule(Promise.resolve(), "watch").then(subscribe);
            await s.waitAll();
            await microtasks();
            await s.waitAll();
            for (const shown of seen) {
              expect(shown.at(-1)).toBe(changes);
              expect(shown).toEqual([...shown].sort((a, b) => a - b));
            }
            expect(queries.inFlight).toBe(0);
            await canaries(queries);
          },
        ),
        { numRuns: 60 },
      ),
    ));

  it("94 subscribes to refreshOn before it asks", () => {
    const order: string[] = [];
    bus.register(Count, () => (order.push("ask"), 1));
    watch({ refreshOn: new Observable(() => void order.push("listen")) }).subscribe();
    expect(order).toEqual(["listen", "ask"]);
    return canaries(bus);
  });

  it("asks once at first, even if refreshOn emits on subscription", async () => {
    const counted = counting();
    const { log } = shownBy(watch({ refreshOn: new BehaviorSubject("now") }));
    await microtasks();
    expect([counted.runs, log]).toEqual([1, [1]]);
  });

  it("95 two changes, the first re-run slower: never two runs at once, and the last value is of the later run", () =>
    withTraps(async () => {
      const { runs } = gated();
      const { log } = shownBy(watch());
      runs[0]!.resolve(0);
      await microtasks();
      refresh$.next("first");
      await microtasks();
      refresh$.next("second");
      refresh$.next("third");
      await microtasks();
      expect(runs).toHaveLength(2);
      runs[1]!.resolve(1);
      await microtasks();
      expect(runs).toHaveLength(3);
      runs[2]!.resolve(2);
      await microtasks();
      expect(log).toEqual([0, 1, 2]);
      expect(runs).toHaveLength(3);
      await canaries(bus);
    }));

  it("shares the runs of a query also after the last watcher of another query has left", () =>
    withTraps(async () => {
      const counted = counting();
      const users = shownBy(bus.watch(new Count("users")));
      shownBy(bus.watch(new Count("orders"))).unsubscribe();
      const again = shownBy(bus.watch(new Count("users")));
      await microtasks();
      expect([users.log, again.log, counted.runs]).toEqual([[1], [1], 2]);
      users.unsubscribe();
      again.unsubscribe();
      await canaries(bus);
    }));

  it("95 changes that never cease starve no watcher: each run that ends is shown", async () => {
    const { runs } = gated();
    const { log } = shownBy(watch());
    for (let n = 0; n < 5; n++) {
      for (let change = 0; change < 10; change++) refresh$.next(change);
      runs[n]!.resolve(n);
      await microtasks();
    }
    runs[5]!.resolve(5);
    await microtasks();
    expect(log).toEqual([0, 1, 2, 3, 4, 5]);
    await canaries(bus);
  });

  it("96 a re-run that throws calls onError; the watcher stays and the next change recovers", () =>
    withTraps(async () => {
      let broken = false;
      bus.register(Count, () => {
        if (broken) throw new Error("down");
        return 7;
      });
      const errors: unknown[] = [];
      const { log } = shownBy(watch({ onError: (error) => errors.push(error) }));
      broken = true;
      refresh$.next(0);
      await microtasks();
      broken = false;
      refresh$.next(0);
      await microtasks();
      expect(errors).toEqual([new Error("down")]);
      // The same result, but news after an error.
      expect(log).toEqual([7, 7]);
      expect(faults).toEqual([]);
      await canaries(bus);
    }));

  it("96 an error ends the watchers without onError only, and the query goes on for the others", () =>
    withTraps(async () => {
      let failure: Error | undefined;
      bus.register(Count, () => {
        if (failure) throw failure;
        return 1;
      });
      const errors: unknown[] = [];
      const ending = shownBy(watch());
      const staying = shownBy(watch({ distinct: false, onError: (error) => errors.push(error) }));
      const silent = watch().subscribe();
      failure = new Error("down");
      refresh$.next(0);
      await microtasks();
      expect(ending.log).toEqual([1, failure]);
      expect(ending.log[1]).toBe(failure);
      expect(errors).toEqual([failure]);
      // Without an error handler it is a fault, and no exception.
      expect(silent.closed).toBe(true);
      expect(faults).toEqual([{ kind: "observer", source: "watch(Count)", error: failure }]);
      failure = undefined;
      refresh$.next(0);
      await microtasks();
      expect(staying.log).toEqual([1, 1]);
      await canaries(bus);
    }));

  it("96 the first ask may fail, too; who comes after a failure asks again", async () => {
    const counted = { runs: 0 };
    bus.register(Count, () => {
      if (++counted.runs === 1) throw new Error("cold start");
      return counted.runs;
    });
    const errors: unknown[] = [];
    const first = shownBy(watch({ onError: (error) => errors.push(error) }));
    expect([errors, first.log]).toEqual([[new Error("cold start")], []]);
    const second = shownBy(watch());
    expect([first.log, second.log, counted.runs]).toEqual([[2], [2], 2]);
    await canaries(bus);
  });

  it("an onError that throws, and one that watches again, disturb no other watcher", () =>
    withTraps(async () => {
      let fail = true;
      bus.register(Count, () => {
        if (fail) throw new Error("down");
        return 1;
      });
      const again: unknown[] = [];
      watch({ onError: () => { throw new Error("clumsy"); } }).subscribe(); // prettier-ignore
      fail = false;
      refresh$.next(0);
      await microtasks();
      fail = true;
      watch({
        onError: () => {
          fail = false;
          again.push(shownBy(watch()).log);
        },
      }).subscribe();
      const last = shownBy(watch({ onError: () => undefined }));
      refresh$.next(0);
      await microtasks();
      expect(again).toEqual([[1]]);
      expect(last.log).toEqual([1, 1]);
      expect(faults.map(({ error }) => (error as Error).message)).toEqual(["clumsy", "clumsy"]);
      await canaries(bus);
    }));

  it("an onError that watches again and ends another watcher shows the result after the error", () =>
    withTraps(async () => {
      const log: unknown[] = [];
      let fail = true;
      bus.register(Count, () => {
        if (fail) throw new Error("down");
        return 1;
      });
      fail = false;
      const onError = (name: string) => (): void => void log.push(`${name} failed`);
      watch({
        onError: () => {
          onError("first")();
          fail = false;
          second.unsubscribe();
          watch().subscribe((value) => log.push(`another has ${value}`));
        },
      }).subscribe();
      const second = watch({ onError: onError("second") }).subscribe();
      watch({ onError: onError("third") }).subscribe();
      fail = true;
      refresh$.next(0);
      await microtasks();
      expect(log).toEqual(["first failed", "third failed", "another has 1"]);
      await canaries(bus);
    }));

  it("an onError that rejects is reported; the watcher stays", () =>
    withTraps(async () => {
      const failure = new Error("no mail server");
      let down = true;
      bus.register(Count, () => {
        if (down) throw new Error("down");
        return 1;
      });
      const { log } = shownBy(watch({ onError: () => Promise.reject(failure) as never }));
      await macrotask();
      expect(faults).toEqual([{ kind: "observer", source: "onError", error: failure }]);
      down = false;
      refresh$.next(0);
      await microtasks();
      expect(log).toEqual([1]);
      await canaries(bus);
    }));

  it("97 1,000 watchers of one query share a run per change; the last to leave tears it down; a new one starts afresh", () =>
    withTraps(async () => {
      const counted = counting();
      let listening = 0;
      const source$ = new Observable((subscriber) => {
        listening++;
        subscriber.add(() => listening--);
        return refresh$.subscribe(subscriber);
      });
      const watchers = Array.from({ length: 1_000 }, () => shownBy(watch({ refreshOn: source$ })));
      expect([counted.runs, listening]).toEqual([1, 1]);
      for (let change = 0; change < 3; change++) {
        refresh$.next(change);
        await microtasks();
      }
      expect(counted.runs).toBe(4);
      for (const { log } of watchers) expect(log).toEqual([1, 2, 3, 4]);
      for (const watcher of watchers) watcher.unsubscribe();
      expect([listening, refresh$.observed]).toEqual([0, false]);
      refresh$.next("late");
      await microtasks();
      expect(counted.runs).toBe(4);
      const fresh = shownBy(watch());
      expect(fresh.log).toEqual([5]);
      await canaries(bus);
    }));

  it("97 the last to leave aborts the run that is under way, and not before", async () => {
    const { signals } = gated();
    const first = shownBy(watch());
    const second = shownBy(watch());
    first.unsubscribe();
    expect(signals[0]!.aborted).toBe(false);
    second.unsubscribe();
    expect(signals[0]!.aborted).toBe(true);
    expect(outcomes).toMatchObject([{ status: "rejected", reason: { name: "AbortError" } }]);
    expect(bus.inFlight).toBe(0);
    await canaries(bus);
  });

  it("97 equal queries are one, others are not; nor are those with other headers", () => {
    const asked: string[] = [];
    bus.register(Count, (query, { envelope }) =>
      asked.push(`${query.of} ${JSON.stringify(envelope.meta.headers)}`),
    );
    for (const of of ["users", "users", "orders"]) bus.watch(new Count(of)).subscribe();
    bus.watch(new Count("users"), { headers: { role: "admin" } }).subscribe();
    bus.watch(new Count("users"), { headers: { role: "admin" } }).subscribe();
    expect(asked).toEqual(["users {}", "orders {}", 'users {"role":"admin"}']);
    return canaries(bus);
  });

  it("97 watchers with sources of their own share the run, and each source refreshes all", async () => {
    const counted = counting();
    const other$ = new Subject();
    const first = shownBy(watch());
    const second = shownBy(watch({ refreshOn: other$ }));
    await microtasks();
    // other$ may have emitted before.
    expect([first.log, second.log]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    other$.next(0);
    refresh$.next(0);
    await microtasks();
    expect([first.log, counted.runs]).toEqual([[1, 2, 3], 3]);
    second.unsubscribe();
    expect(other$.observed).toBe(false);
    await canaries(bus);
  });

  it("98 10,000 changes in a second make as many runs as coalesceMs allows, and the last state arrives", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      let [state, runs] = [0, 0];
      bus.register(Count, () => (runs++, state));
      const { log } = shownBy(watch({ coalesceMs: 100 }));
      for (let ms = 0; ms < 1_000; ms++) {
        for (let change = 0; change < 10; change++) refresh$.next(++state);
        await jest.advanceTimersByTimeAsync(1);
      }
      await jest.advanceTimersByTimeAsync(100);
      expect(runs).toBeLessThanOrEqual(12);
      expect(runs).toBeGreaterThanOrEqual(10);
      expect(log.at(-1)).toBe(10_000);
      expect(jest.getTimerCount()).toBe(0);
      jest.useRealTimers();
      await canaries(bus);
    }));

  it("98 changes of one turn make one run without coalesceMs", async () => {
    const counted = counting();
    const { log } = shownBy(watch());
    for (let change = 0; change < 10_000; change++) refresh$.next(change);
    await microtasks();
    expect([counted.runs, log]).toEqual([2, [1, 2]]);
    await canaries(bus);
  });

  it("98 the most impatient watcher decides; one that leaves takes its pending run along", async () => {
    jest.useFakeTimers();
    const counted = counting();
    const slow = shownBy(watch({ coalesceMs: 1_000 }));
    const fast = shownBy(watch({ coalesceMs: 10 }));
    refresh$.next(0);
    await jest.advanceTimersByTimeAsync(10);
    expect([counted.runs, slow.log]).toEqual([2, [1, 2]]);
    fast.unsubscribe();
    refresh$.next(0);
    await jest.advanceTimersByTimeAsync(999);
    expect(counted.runs).toBe(2);
    slow.unsubscribe();
    expect(jest.getTimerCount()).toBe(0);
    await canaries(bus);
  });

  it.each([
    ["at once", 0, 0],
    ["sooner", 10, 10],
    ["no later", 1_000, 500],
  ])("98 an impatient watcher that comes later has the pending refresh %s", async (_, coalesceMs, after) => {
    jest.useFakeTimers();
    const counted = counting();
    const patient = shownBy(watch({ coalesceMs: 1_000 }));
    refresh$.next(0);
    await jest.advanceTimersByTimeAsync(500);
    const late = shownBy(watch({ coalesceMs }));
    refresh$.next(0);
    if (after > 0) await jest.advanceTimersByTimeAsync(after - 1);
    else expect(jest.getTimerCount()).toBe(0);
    expect(counted.runs).toBe(1);
    await jest.advanceTimersByTimeAsync(1);
    expect([patient.log, late.log]).toEqual([
      [1, 2],
      [1, 2],
    ]);
    await jest.advanceTimersByTimeAsync(1_000);
    expect([counted.runs, jest.getTimerCount()]).toEqual([2, 0]);
  });

  it("98 a query that refreshes itself leaves room for timers", () =>
    withTraps(async () => {
      const counted = counting();
      const watcher = shownBy(watch({ refreshOn: bus.outcomes$ }));
      const ticks = await new Promise((resolve) => setTimeout(() => resolve("a timer fired"), 1));
      watcher.unsubscribe();
      expect(ticks).toBe("a timer fired");
      expect(counted.runs).toBeGreaterThan(2);
      await canaries(bus);
    }));

  it("99 a slow reader gets the latest value only, and break unsubscribes", () =>
    withTraps(async () => {
      let state = 0;
      bus.register(Count, () => state);
      const read: number[] = [];
      for await (const n of bus.watch(new Count(), { refreshOn: refresh$ })) {
        read.push(n);
        if (n >= 200) break;
        // While the reader is busy, 100 changes are shown to the other watchers.
        for (let change = 0; change < 100; change++) {
          refresh$.next(++state);
          await microtasks(3);
        }
      }
      expect(read).toEqual([0, 100, 200]);
      expect(refresh$.observed).toBe(false);
      await canaries(bus);
    }));

  it("99 iteration waits for the next result, ends with the bus, and throws the error of the query", () =>
    withTraps(async () => {
      let failure: Error | undefined;
      let state = 0;
      bus.register(Count, () => {
        if (failure) throw failure;
        return state;
      });
      const iterator = bus.watch(new Count(), { refreshOn: refresh$ })[Symbol.asyncIterator]();
      expect(refresh$.observed).toBe(false);
      expect(await iterator.next()).toEqual({ done: false, value: 0 });
      const [one, two] = [iterator.next(), iterator.next()];
      refresh$.next((state = 1));
      await microtasks();
      refresh$.next((state = 2));
      expect([await one, await two]).toEqual([
        { done: false, value: 1 },
        { done: false, value: 2 },
      ]);
      failure = new Error("down");
      refresh$.next(0);
      await expect(iterator.next()).rejects.toBe(failure);
      expect(await iterator.next()).toEqual({ done: true, value: undefined });

      failure = undefined;
      const last = bus.watch(new Count())[Symbol.asyncIterator]();
      await last.next();
      const waiting = last.next();
      const returned = bus.watch(new Count())[Symbol.asyncIterator]();
      await returned.return?.();
      expect(await returned.next()).toEqual({ done: true, value: undefined });
      await canaries(bus);
      await bus.close();
      expect(await waiting).toEqual({ done: true, value: undefined });
    }));

  it("100 unsubscribing while the first run waits aborts its signal; a stream that it returns later is released at once", () =>
    withTraps(async () => {
      const gate = deferred();
      let aborted = false;
      let [subscribed, released] = [0, 0];
      bus.register(Count, (async (_: Count, { signal }: { signal: AbortSignal }) => {
        signal.addEventListener("abort", () => (aborted = true));
        await gate.promise;
        return new Observable<number>((subscriber) => {
          subscribed++;
          subscriber.add(() => released++);
        });
      }) as never);
      const watcher = shownBy(watch());
      watcher.unsubscribe();
      expect(aborted).toBe(true);
      gate.resolve();
      await macrotask();
      expect(subscribed).toBe(released);
      expect([watcher.log, bus.inFlight, refresh$.observed]).toEqual([[], 0, false]);
      await canaries(bus);
    }));

  it("173 5,000 watchers that come and go leave nothing behind", () =>
    withTraps(async () => {
      const counted = counting();
      for (let n = 0; n < 5_000; n++) {
        const watcher = bus.watch(new Count(String(n % 7)), { refreshOn: refresh$ }).subscribe();
        if (n % 2 === 0) refresh$.next(n);
        watcher.unsubscribe();
      }
      await microtasks();
      expect([counted.runs, bus.inFlight, refresh$.observed, faults]).toEqual([5_000, 0, false, []]);
      await canaries(bus);
    }));
});

describe("watch over handlers that return streams", () => {
  it("shows every value, and switches to a new stream after a change", () =>
    withTraps(async () => {
      let [open, opened] = [0, 0];
      const sources: Subject<number>[] = [];
      bus.register(
        Count,
        () =>
          new Observable<number>((subscriber) => {
            [open, opened] = [open + 1, opened + 1];
            subscriber.add(() => open--);
            const source = new Subject<number>();
            sources.push(source);
            return source.subscribe(subscriber);
          }),
      );
      const { log, unsubscribe } = shownBy(watch());
      sources[0]!.next(1);
      sources[0]!.next(2);
      refresh$.next(0);
      await microtasks();
      expect([open, opened]).toEqual([1, 2]);
      sources[1]!.next(3);
      // It has not emitted since it was asked: the change waits for its first value.
      refresh$.next(0);
      await microtasks();
      sources[2]!.next(4);
      expect(log).toEqual([1, 2, 3, 4]);
      unsubscribe();
      expect([open, bus.inFlight]).toEqual([0, 0]);
      await canaries(bus);
    }));

  it("lets a stream emit first that was asked before a change, and then asks again", async () => {
    const sources: Subject<number>[] = [];
    bus.register(Count, () => {
      const source = new Subject<number>();
      sources.push(source);
      return source;
    });
    const { log } = shownBy(watch());
    refresh$.next(0);
    await microtasks();
    expect(sources).toHaveLength(1);
    sources[0]!.next(1);
    await microtasks();
    expect(sources).toHaveLength(2);
    expect(log).toEqual([1]);
  });

  it("stays when the stream completes; an endless synchronous one stops with its only watcher", async () => {
    bus.register(Count, () => of(1, 2));
    const { log } = shownBy(watch());
    refresh$.next(0);
    await microtasks();
    expect(log).toEqual([1, 2, 1, 2]);

    class Endless extends Query<number> {}
    let n = 0;
    bus.register(
      Endless,
      () =>
        new Observable<number>((subscriber) => {
          while (!subscriber.closed) subscriber.next(n++);
        }),
    );
    const three = shownBy(bus.watch(new Endless()).pipe(take(3)));
    expect(three.log).toEqual([0, 1, 2, "complete"]);
    await canaries(bus);
  });

  it("reports a stream that fails", async () => {
    bus.register(Count, () =>
      concat(
        of(1),
        throwError(() => new Error("cut")),
      ),
    );
    expect(shownBy(watch()).log).toEqual([1, new Error("cut")]);
    await canaries(bus);
  });
});

describe("distinct", () => {
  const results = [
    { n: [1] },
    { n: [1] },
    { n: [2] },
    new Map([["a", 1]]),
    new Map([["a", 1]]),
    NaN,
    NaN,
    null,
  ];

  it.each([
    ["by default leaves out equal results", undefined, [0, 2, 3, 5, 7]],
    ["false shows every result", false, [0, 1, 2, 3, 4, 5, 6, 7]],
    ["as a function decides", (a: unknown, b: unknown) => typeof a === typeof b, [0, 5, 7]],
  ])("%s", async (_, distinct, expected) => {
    let index = 0;
    class Any extends Query<unknown> {}
    bus.register(Any, () => results[index]);
    const { log } = shownBy(
      bus.watch(new Any(), { refreshOn: refresh$, ...(distinct !== undefined && { distinct }) }),
    );
    for (index = 1; index < results.length; index++) {
      refresh$.next(0);
      await microtasks(3);
    }
    expect(log).toEqual(expected.map((at) => results[at]));
  });

  it("that throws errors its watcher only", async () => {
    counting();
    const failure = new Error("cannot compare");
    const first = shownBy(watch({ distinct: () => { throw failure; } })); // prettier-ignore
    const second = shownBy(watch());
    refresh$.next(0);
    await microtasks();
    expect([first.log, second.log]).toEqual([
      [1, failure],
      [1, 2],
    ]);
    await canaries(bus);
  });

  it("that returns a promise is reported, and nothing is withheld", () =>
    withTraps(async () => {
      counting();
      const { log } = shownBy(watch({ distinct: (() => Promise.reject(new Error("later"))) as never }));
      refresh$.next(0);
      await macrotask();
      expect(log).toEqual([1, 2]);
      expect(faults).toMatchObject([
        { kind: "observer", source: "distinct", error: { message: expect.stringContaining("received a promise") } }, // prettier-ignore
      ]);
      await canaries(bus);
    }));
});

describe("refreshOn at registration", () => {
  class Changed {
    constructor(readonly of: string) {}
  }

  it("keeps every watcher of the type up to date that an emission affects", () =>
    withTraps(async () => {
      const changed$ = new Subject<Changed>();
      const counted = new Map<string, number>();
      bus.register(
        Count,
        ({ of }) => {
          counted.set(of, (counted.get(of) ?? 0) + 1);
          return counted.get(of)!;
        },
        { refreshOn: changed$, affects: (changed, query) => changed.of === query.of },
      );
      const users = shownBy(bus.watch(new Count("users")));
      const orders = shownBy(bus.watch(new Count("orders")));
      changed$.next(new Changed("orders"));
      await microtasks();
      expect([users.log, orders.log]).toEqual([[1], [1, 2]]);
      users.unsubscribe();
      orders.unsubscribe();
      expect(changed$.observed).toBe(false);
      await canaries(bus);
    }));

  it("that errors is reported and ends no watcher; an affects that throws counts as yes", () =>
    withTraps(async () => {
      const changed$ = new Subject();
      let runs = 0;
      bus.register(Count, () => ++runs, {
        refreshOn: changed$,
        affects: () => {
          throw new Error("affects");
        },
      });
      const { log } = shownBy(watch());
      changed$.next(0);
      await microtasks();
      changed$.error(new Error("source"));
      refresh$.next(0);
      await microtasks();
      expect(log).toEqual([1, 2, 3]);
      expect(faults).toEqual([
        { kind: "refresh", source: "watch(Count)", error: new Error("affects") },
        { kind: "refresh", source: "watch(Count)", error: new Error("source") },
      ]);
      await canaries(bus);
    }));

  it("is taken from whichever handler there is", async () => {
    const [a$, b$] = [new Subject(), new Subject()];
    const errors: unknown[] = [];
    const { log } = shownBy(watch({ onError: (error) => errors.push(error) }));
    expect(errors).toMatchObject([{ code: HandlerNotFoundError.code }]);
    const first = bus.register(Count, () => 1, { refreshOn: a$ });
    refresh$.next(0);
    await microtasks();
    first.unsubscribe();
    bus.register(Count, () => 2, { refreshOn: b$ });
    a$.next(0);
    await microtasks();
    expect([log, a$.observed, b$.observed]).toEqual([[1, 2], false, true]);
  });

  it("refreshes watchers that subscribed before the handler was registered, and so does its registration", () =>
    withTraps(async () => {
      const errors: unknown[] = [];
      const { log } = shownBy(bus.watch(new Count(), { onError: (error) => errors.push(error) }));
      expect(errors).toMatchObject([{ code: HandlerNotFoundError.code }]);
      const changed$ = new Subject();
      let state = 1;
      bus.register(Count, () => state, { refreshOn: changed$ });
      bus.register(class Other {}, () => 0);
      await microtasks();
      expect(log).toEqual([1]);
      state = 2;
      changed$.next(0);
      await microtasks();
      expect([log, errors.length]).toEqual([[1, 2], 1]);
      await canaries(bus);
    }));

  it("of a handler that is registered again applies at once; the registration alone may change the result", () =>
    withTraps(async () => {
      const [a$, b$] = [new Subject(), new Subject()];
      const first = bus.register(Count, () => 1, { refreshOn: a$ });
      const { log, unsubscribe } = shownBy(bus.watch(new Count()));
      first.unsubscribe();
      let state = 2;
      bus.register(Count, () => state, { refreshOn: b$ });
      await microtasks();
      expect([log, a$.observed, b$.observed]).toEqual([[1, 2], false, true]);
      state = 3;
      b$.next(0);
      await microtasks();
      expect(log).toEqual([1, 2, 3]);
      unsubscribe();
      expect(b$.observed).toBe(false);
      await canaries(bus);
    }));

  it("registered while the old handler runs, asks the new one after it", async () => {
    const gate = deferred<number>();
    const first = bus.register(Count, () => gate.promise);
    const { log } = shownBy(bus.watch(new Count()));
    first.unsubscribe();
    bus.register(Count, () => 2);
    gate.resolve(1);
    await microtasks();
    expect(log).toEqual([1, 2]);
  });

  it("an affects that returns a promise is reported and counts as yes, also if the promise rejects", () =>
    withTraps(async () => {
      const changed$ = new Subject();
      let runs = 0;
      bus.register(Count, () => ++runs, {
        refreshOn: changed$,
        affects: (() => Promise.reject(new Error("affects"))) as never,
      });
      const { log } = shownBy(bus.watch(new Count()));
      changed$.next(0);
      await macrotask();
      expect(log).toEqual([1, 2]);
      expect(faults).toMatchObject([
        { kind: "refresh", source: "watch(Count)", error: { message: expect.stringContaining("received a promise") } }, // prettier-ignore
      ]);
      await canaries(bus);
    }));

  it.each([
    ["options", 5],
    ["options", true],
    ["refreshOn", { refreshOn: "soon" }],
    ["affects", { affects: 5 }],
    ["refreshon", { refreshon: NEVER }],
  ])("is checked: %s", (option, options) => {
    expect(() => bus.register(Count, () => 1, options as never)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS", option }),
    );
  });

  it("may be left out", () => {
    expect(() => bus.register(Count, () => 1, null as never)).toThrow(InvalidOptionsError);
    bus.register(Count, () => 1, undefined);
    expect(shownBy(bus.watch(new Count())).log).toEqual([1]);
  });
});

describe("the ends of a watcher", () => {
  it("its signal errors it with the reason, and leaves the others", () =>
    withTraps(async () => {
      counting();
      const controller = new AbortController();
      const first = shownBy(watch({ signal: controller.signal }));
      const second = shownBy(watch());
      const reason = new Error("enough");
      controller.abort(reason);
      refresh$.next(0);
      await microtasks();
      expect([first.log, second.log]).toEqual([
        [1, reason],
        [1, 2],
      ]);
      expect(shownBy(watch({ signal: controller.signal })).log).toEqual([reason]);
      await canaries(bus);
    }));

  it("closing completes watchers: idle ones and live streams at once, a run under way with its result", () =>
    withTraps(async () => {
      class Ticks extends Query<number> {}
      const { runs } = gated();
      class Idle extends Query<string> {}
      bus.register(Idle, () => "idle");
      bus.register(Ticks, () => concat(of(0), NEVER));
      const [idle, ticks, busy] = [
        shownBy(bus.watch(new Idle())),
        shownBy(bus.watch(new Ticks())),
        shownBy(watch()),
      ];
      await canaries(new QueryBus());
      const closing = bus.close();
      expect([idle.log, ticks.log, busy.log]).toEqual([["idle", "complete"], [0, "complete"], []]);
      runs[0]!.resolve(5);
      await closing;
      expect(busy.log).toEqual([5, "complete"]);
      expect(shownBy(watch()).log).toMatchObject([{ code: BusClosedError.code }]);
      const errors: unknown[] = [];
      expect(shownBy(watch({ onError: (error) => errors.push(error) })).log).toEqual(["complete"]);
      expect([errors.length, refresh$.observed]).toEqual([1, false]);
    }));

  it("a run that is still under way at the deadline is aborted, and its watchers complete", async () => {
    const { signals } = gated();
    const { log } = shownBy(watch());
    await bus.close({ timeoutMs: 0 });
    expect([log, signals[0]!.aborted]).toEqual([["complete"], true]);
  });

  it("a value that is not a query errors the watcher", () =>
    expect(shownBy(bus.watch(null as never)).log).toMatchObject([{ code: "INVALID_MESSAGE" }]));

  it("a watcher that throws is reported, and the others see everything", () =>
    withTraps(async () => {
      counting();
      watch().subscribe(() => {
        throw new Error("observer");
      });
      const { log } = shownBy(watch());
      refresh$.next(0);
      await microtasks();
      expect(log).toEqual([1, 2]);
      expect(faults).toHaveLength(2);
      await canaries(bus);
    }));
});

describe("options of watch", () => {
  it.each([
    ["options", null],
    ["options", "soon"],
    ["coalesceMs", { coalesceMs: -1 }],
    ["coalesceMs", { coalesceMs: NaN }],
    ["coalesceMs", { coalesceMs: "5" }],
    ["refreshOn", { refreshOn: 5 }],
    ["refreshOn", { refreshOn: null }],
    ["distinct", { distinct: "no" }],
    ["onError", { onError: true }],
    ["signal", { signal: {} }],
    ["coalescems", { coalescems: 5 }],
  ])("are checked where they are passed: %s %p", (option, options) => {
    expect(() => bus.watch(new Count(), options as never)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS", option }),
    );
  });

  it("are checked where they are passed: headers that no envelope may have", () => {
    expect(() => bus.watch(new Count(), { headers: [] as never })).toThrow("meta.headers is not");
  });
});

describe("runs of a live query", () => {
  it("are queries like any other, in the context of the first watcher", () =>
    withTraps(async () => {
      const storage = new AsyncLocalStorage<string>();
      const contexts: unknown[] = [];
      const messages: string[] = [];
      bus.messages$.subscribe(({ meta }) => messages.push(meta.name));
      bus.register(Count, () => contexts.push(storage.getStore()));
      storage.run("watcher", () => watch().subscribe());
      storage.run("changer", () => refresh$.next(0));
      await microtasks();
      expect(contexts).toEqual(["watcher", "watcher"]);
      expect(messages).toEqual(["Count", "Count"]);
      expect(outcomes).toMatchObject([{ value: 1 }, { value: 2 }]);
      await canaries(bus);
    }));

  it("work in virtual time with interval as the source of refreshes", async () => {
    jest.useFakeTimers();
    counting();
    let released = false;
    const { log, unsubscribe } = shownBy(
      watch({ refreshOn: interval(10).pipe(finalize(() => (released = true))) }),
    );
    await jest.advanceTimersByTimeAsync(35);
    unsubscribe();
    expect([log, released, jest.getTimerCount()]).toEqual([[1, 2, 3, 4], true, 0]);
  });
});

describe("a live query whose runs trigger their own refresh", () => {
  const LIMIT = 101;

  it.each<[string, (trigger: () => boolean) => Observable<unknown>]>([
    [
      "in the handler",
      (trigger) => {
        bus.register(Count, () => {
          if (trigger()) refresh$.next(0);
          return 1;
        });
        return refresh$;
      },
    ],
    [
      "in an asynchronous handler",
      (trigger) => {
        bus.register(Count, async () => {
          await Promise.resolve();
          if (trigger()) refresh$.next(0);
          return 1;
        });
        return refresh$;
      },
    ],
    [
      "by an outcome of their own",
      (trigger) => {
        bus.register(Count, async () => 1);
        return bus.outcomes$.pipe(filter(trigger));
      },
    ],
    [
      "by a message that they caused",
      (trigger) => {
        const eventBus = new EventBus();
        class Counted extends DomainEvent {}
        bus.register(Count, async (_, context) => {
          void Promise.resolve().then(async () => {
            await microtasks(5);
            if (trigger()) void eventBus.publish(new Counted(), { causedBy: context.envelope });
          });
          return 1;
        });
        return eventBus.messages$;
      },
    ],
  ])("%s is reported, and then asked once a second until a run triggers nothing", (_, begin) =>
    withTraps(async () => {
      jest.useFakeTimers();
      let triggers = true;
      const refreshOn = begin(() => triggers);
      const watched = shownBy(bus.watch(new Count(), { refreshOn }));
      await microtasks(5_000);
      expect(outcomes).toHaveLength(LIMIT);
      expect(faults).toMatchObject([
        {
          kind: "refresh",
          source: "watch(Count)",
          error: { code: "LOOP_DETECTED", cycle: ["Count", "Count"], messageType: "Count" },
        },
      ]);
      for (let second = 1; second <= 3; second++) {
        jest.advanceTimersByTime(999);
        await microtasks(100);
        expect(outcomes).toHaveLength(LIMIT + second - 1);
        jest.advanceTimersByTime(1);
        await microtasks(100);
        expect(outcomes).toHaveLength(LIMIT + second);
      }
      // A new watcher does not hasten it.
      const other = shownBy(bus.watch(new Count(), { coalesceMs: 0 }));
      jest.advanceTimersByTime(10);
      await microtasks(100);
      expect([outcomes.length, other.log]).toEqual([LIMIT + 3, [1]]);
      triggers = false;
      jest.advanceTimersByTime(990);
      await microtasks(100);
      expect([outcomes.length, faults.length]).toEqual([LIMIT + 4, 1]);
      // The loop has ended; a loop that begins now is found again.
      triggers = true;
      watched.unsubscribe();
      other.unsubscribe();
      jest.useRealTimers();
      await canaries(bus);
    }),
  );

  it("are not seen in refreshes without a value after one of their own", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      bus.register(Count, async () => 1);
      const changes$ = new Subject<void>();
      const watched = shownBy(
        bus.watch(new Count(), { refreshOn: merge(bus.outcomes$.pipe(take(1)), changes$) }),
      );
      await microtasks(50);
      for (let n = 1; n <= 2 * LIMIT; n++) {
        changes$.next();
        // Every 256th run of a task is a timer.
        jest.advanceTimersByTime(0);
        await microtasks(10);
      }
      expect([outcomes.length, faults]).toEqual([2 * LIMIT + 2, []]);
      watched.unsubscribe();
      jest.useRealTimers();
      await canaries(bus);
    }));

  it("by its subscriber is a loop, too; after it, refreshes are as fast as before", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      let count = 0;
      let triggers = true;
      bus.register(Count, () => ++count);
      const subscription = bus.watch(new Count(), { refreshOn: refresh$ }).subscribe(() => {
        if (triggers) refresh$.next(0);
      });
      await microtasks(5_000);
      expect([count, faults.length]).toEqual([LIMIT, 1]);
      triggers = false;
      jest.advanceTimersByTime(1_000);
      await microtasks(10);
      expect(count).toBe(LIMIT + 1);
      for (let n = 1; n <= 200; n++) {
        refresh$.next(0);
        // Every 256th run of a task is a timer.
        jest.advanceTimersByTime(0);
        await microtasks(3);
        expect(count).toBe(LIMIT + 1 + n);
      }
      expect(faults).toHaveLength(1);
      subscription.unsubscribe();
      jest.useRealTimers();
      await canaries(bus);
    }));
});

describe("a failed run", () => {
  it("ends a watcher with onError when the bus is closed already", () =>
    withTraps(async () => {
      gated();
      await bus.close();
      const errors: unknown[] = [];
      const watched = shownBy(bus.watch(new Count(), { onError: (error) => errors.push(error) }));
      expect(errors).toMatchObject([{ code: "BUS_CLOSED" }]);
      expect(watched.log).toEqual(["complete"]);
    }));

  it("ends a watcher with onError while the bus closes, before other messages have settled", () =>
    withTraps(async () => {
      const { runs } = gated();
      class Other extends Query<number> {}
      const other = deferred<number>();
      bus.register(Other, () => other.promise);
      const asked = bus.ask(new Other());
      const errors: unknown[] = [];
      const watched = shownBy(
        bus.watch(new Count(), { refreshOn: refresh$, onError: (error) => errors.push(error) }),
      );
      const closing = bus.close({ timeoutMs: Infinity });
      expect(watched.log).toEqual([]);
      const failure = new Error("last run");
      runs[0]!.reject(failure);
      await microtasks();
      expect([errors, watched.log, bus.inFlight, refresh$.observed]).toEqual([
        [failure],
        ["complete"],
        1,
        false,
      ]);
      other.resolve(1);
      await asked;
      await closing;
    }));

  it("leaves no timer of a refresh that was pending when the bus closes", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const { runs } = gated();
      const watched = shownBy(bus.watch(new Count(), { refreshOn: refresh$, coalesceMs: 1_000 }));
      runs[0]!.resolve(1);
      await microtasks();
      refresh$.next(0);
      expect(jest.getTimerCount()).toBe(1);
      await bus.close({ timeoutMs: Infinity });
      expect([watched.log, jest.getTimerCount(), runs.length]).toEqual([[1, "complete"], 0, 1]);
    }));
});

// ReactiveX/rxjs#1886 and #3512: what is subscribed to while its subscriber leaves must be left, too.
describe.each(["watch", "register"])(
  "a source of refreshes that ends its watcher when it is subscribed, of %s",
  (place) => {
    it("is left", () =>
      withTraps(async () => {
        const [stop$, changes$] = [new Subject<void>(), new Subject<void>()];
        const refreshOn = new Observable<void>((subscriber) => {
          stop$.next();
          return changes$.subscribe(subscriber);
        });
        bus.register(Count, () => 1, place === "register" ? { refreshOn } : {});
        const { log } = shownBy(
          bus.watch(new Count(), place === "watch" ? { refreshOn } : {}).pipe(takeUntil(stop$)),
        );
        await microtasks();
        expect(log).toEqual(["complete"]);
        expect(changes$.observed).toBe(false);
        expect(bus.describe().watchers).toBeUndefined();
        await canaries(bus);
      }));
  },
);

describe("an aborted run", () => {
  it("gets the reason: its last watcher left", () =>
    withTraps(async () => {
      const { runs, signals } = gated();
      const watched = shownBy(bus.watch(new Count()));
      watched.unsubscribe();
      expect(signals[0]!.reason).toMatchObject({
        name: "AbortError",
        message: "Count was asked again, or its last watcher left.",
      });
      expect(outcomes).toMatchObject([{ status: "rejected", reason: signals[0]!.reason }]);
      runs[0]!.resolve(1);
      await canaries(bus);
    }));

  it("whose teardown ends the last watcher is not followed by another", () =>
    withTraps(async () => {
      let asked = 0;
      let unsubscribe = (): void => undefined;
      bus.register(Count, () => {
        asked++;
        return concat(of(asked), NEVER).pipe(finalize(() => unsubscribe()));
      });
      const watched = shownBy(bus.watch(new Count(), { refreshOn: refresh$ }));
      ({ unsubscribe } = watched);
      refresh$.next("changed");
      await microtasks();
      expect([asked, bus.inFlight, refresh$.observed]).toEqual([1, 0, false]);
      expect(watched.log).toEqual([1]);
      await canaries(bus);
    }));

  it("whose teardown closes the bus is not followed by another", () =>
    withTraps(async () => {
      let asked = 0;
      bus.register(Count, () => {
        asked++;
        return concat(of(asked), NEVER).pipe(finalize(() => void bus.close()));
      });
      const watched = shownBy(bus.watch(new Count(), { refreshOn: refresh$ }));
      refresh$.next("changed");
      await microtasks();
      expect([asked, bus.inFlight, refresh$.observed]).toEqual([1, 0, false]);
      expect(watched.log).toEqual([1, "complete"]);
      await canaries(new QueryBus());
    }));

  it("of a handler whose refreshOn ends the last watcher in its teardown subscribes to no other source", () =>
    withTraps(async () => {
      let unsubscribe = (): void => undefined;
      const ending$ = new Observable(() => () => unsubscribe());
      const registration = bus.register(Count, () => 1, { refreshOn: ending$ });
      const watched = shownBy(bus.watch(new Count()));
      ({ unsubscribe } = watched);
      registration.unsubscribe();
      bus.register(Count, () => 2, { refreshOn: refresh$ });
      await microtasks();
      expect([watched.log, refresh$.observed, bus.inFlight]).toEqual([[1], false, 0]);
      await canaries(bus);
    }));
});

describe("a source whose teardown ends the last other watcher", () => {
  it("leaves a watcher that comes during it to share the query with later ones", () =>
    withTraps(async () => {
      const counted = counting();
      let during = (): void => undefined;
      const ending$ = new Observable(() => () => during());
      const first = shownBy(bus.watch(new Count(), { refreshOn: ending$ }));
      const second = shownBy(bus.watch(new Count()));
      await microtasks();
      let third: ReturnType<typeof shownBy> | undefined;
      during = () => {
        second.unsubscribe();
        third = shownBy(bus.watch(new Count()));
      };
      first.unsubscribe();
      const runs = counted.runs;
      const fourth = shownBy(bus.watch(new Count()));
      expect([counted.runs, fourth.log]).toEqual([runs, third!.log]);
      expect(bus.describe().watchers).toMatchObject([{ watchers: 2, shared: 1 }]);
      third!.unsubscribe();
      fourth.unsubscribe();
      await canaries(bus);
    }));
});

describe("a teardown that throws", () => {
  const broken = new Error("teardown");
  const breaking = <T>(values$: Observable<T>): Observable<T> =>
    values$.pipe(
      finalize(() => {
        throw broken;
      }),
    );
  const streaming = (): Observable<number> => concat(of(1), NEVER);

  it.each([
    ["of a watcher", {}, { refreshOn: breaking(NEVER) }],
    ["of the registration", { refreshOn: breaking(NEVER) }, {}],
  ])("in a source %s is reported, and the query ends with its last watcher", (_, declared, options) =>
    withTraps(async () => {
      bus.register(Count, streaming, declared);
      const watched = shownBy(bus.watch(new Count(), options));
      await microtasks();
      watched.unsubscribe();
      expect([bus.inFlight, bus.describe().watchers]).toEqual([0, undefined]);
      expect(faults).toMatchObject([
        { kind: "refresh", source: "watch(Count)", error: { errors: [broken] } },
      ]);
      await canaries(bus);
    }),
  );

  it("in the source of a former handler is reported, and the new handler is asked", () =>
    withTraps(async () => {
      const registration = bus.register(Count, () => 1, { refreshOn: breaking(NEVER) });
      const watched = shownBy(bus.watch(new Count()));
      await microtasks();
      registration.unsubscribe();
      bus.register(Count, () => 2);
      await microtasks();
      expect(watched.log).toEqual([1, 2]);
      expect(faults).toMatchObject([{ kind: "refresh", source: "watch(Count)" }]);
      watched.unsubscribe();
      await canaries(bus);
    }));

  it("in some watchers is reported, and the others complete with the bus, too", () =>
    withTraps(async () => {
      counting();
      const watched = [1, 2, 3].map(() => shownBy(breaking(bus.watch(new Count()))));
      await bus.close();
      for (const { log } of watched) expect(log).toEqual([1, "complete"]);
      expect(faults.map(({ source }) => source)).toEqual(Array(3).fill("the teardown of a watcher"));
      await canaries(new QueryBus());
    }));

  it("in a watcher is reported, and a query that shares its signal is aborted, too", () =>
    withTraps(async () => {
      class Other {}
      counting();
      bus.register(Other, () => deferred().promise);
      const leaving = new AbortController();
      const { signal } = leaving;
      const watched = shownBy(breaking(bus.watch(new Count(), { signal })));
      const asked = bus.ask(new Other(), { signal });
      leaving.abort(broken);
      await expect(asked).rejects.toBe(broken);
      expect(watched.log).toEqual([1, broken]);
      await canaries(bus);
    }));
});

describe("a watcher that changes the query while the others wait for a result", () => {
  const following = (watcher: (value: number) => void) => {
    const values$ = new Subject<number>();
    bus.register(Count, () => values$);
    bus.watch(new Count()).subscribe(watcher);
    return { values$, watched: shownBy(bus.watch(new Count())) };
  };

  it("and makes the stream emit again shows them the new result only", () =>
    withTraps(async () => {
      const { values$, watched } = following((value) => value === 1 && values$.next(2));
      values$.next(1);
      values$.complete();
      expect(watched.log).toEqual([2]);
      await canaries(bus);
    }));

  it("and closes the bus lets them have the result", () =>
    withTraps(async () => {
      const { values$, watched } = following(() => void bus.close());
      values$.next(1);
      expect(watched.log).toEqual([1, "complete"]);
      await canaries(new QueryBus());
    }));

  it("and closes the bus after a failure lets them have the failure", () =>
    withTraps(async () => {
      const { runs } = gated();
      const error = new Error("no");
      bus.watch(new Count(), { onError: () => void bus.close() }).subscribe();
      const watched = shownBy(bus.watch(new Count()));
      runs[0]!.reject(error);
      await microtasks();
      expect(watched.log).toEqual([error]);
      await canaries(new QueryBus());
    }));
});

describe("a query whose toJSON() aborts its watcher", () => {
  it("is not asked", () =>
    withTraps(async () => {
      const leaving = new AbortController();
      class Leaving {
        toJSON(): object {
          leaving.abort("left");
          return {};
        }
      }
      let asked = 0;
      bus.register(Leaving, () => {
        asked++;
        return NEVER;
      });
      const watched = shownBy(bus.watch(new Leaving(), { signal: leaving.signal }));
      expect([asked, bus.inFlight, bus.describe().watchers]).toEqual([0, 0, undefined]);
      expect(watched.log).toEqual(["left"]);
      await canaries(bus);
    }));
});

describe("an iterator of a live query that is used while the query is asked first", () => {
  it("ends the query when it is told to return", () =>
    withTraps(async () => {
      const iterator = bus.watch(new Count())[Symbol.asyncIterator]();
      bus.register(Count, () => {
        void iterator.return!();
        return NEVER;
      });
      expect(await iterator.next()).toEqual({ done: true, value: undefined });
      expect([bus.inFlight, bus.describe().watchers]).toEqual([0, undefined]);
      await canaries(bus);
    }));

  it("watches once when it is asked for two results", () =>
    withTraps(async () => {
      const iterator = bus.watch(new Count())[Symbol.asyncIterator]();
      let second: Promise<IteratorResult<number>> | undefined;
      bus.register(Count, () => {
        second ??= iterator.next();
        return concat(of(1, 2), NEVER);
      });
      expect(await iterator.next()).toEqual({ done: false, value: 1 });
      expect(await second).toEqual({ done: false, value: 2 });
      await iterator.return!();
      expect([bus.inFlight, bus.describe().watchers]).toEqual([0, undefined]);
      await canaries(bus);
    }));
});

describe("a subscriber that an observer of the messages ends", () => {
  it.each(["ask$", "watch"] as const)("has nothing asked by %s", (method) =>
    withTraps(async () => {
      const counted = counting();
      const leaving$ = new Subject<void>();
      bus.messages$.subscribe(() => leaving$.next());
      bus[method](new Count()).pipe(takeUntil(leaving$)).subscribe();
      expect([counted.runs, bus.inFlight]).toEqual([0, 0]);
      await canaries(bus);
    }),
  );
});
