import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import {
  around,
  BusClosedError,
  CommandBus,
  EventBus,
  InvalidMessageError,
  QueryBus,
  type Delivery,
  type HandlerContext,
} from "cqrx";
import {
  isRetryable,
  overlap,
  retrying,
  SupersededError,
  timeLimit,
  TimeLimitError,
  type RetryingOptions,
} from "cqrx/middleware";
import { delivery, marbles, recording } from "cqrx/testing";
import fc from "fast-check";
import { asyncScheduler, map, Subject, tap, throwError } from "rxjs";
import { microtasks, reasonOf, watch } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";

class Work {
  readonly n: number;

  constructor(n = 0) {
    this.n = n;
  }
}

const error = new Error("no");
const inner = around((_, next) => next());
const exact = { backoff: "constant", jitter: false } as const;

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

// Properties, and ten thousand messages, on a machine that may be busy.

describe.each([
  ["outermost", []],
  ["inside of a function", [inner]],
  ["inside of an operator", [tap<Delivery>()]],
])("retrying %s", (_, outer) => {
  const rig = (options: RetryingOptions<Work>, handler: (context: HandlerContext) => unknown) => {
    const bus = new QueryBus({ middleware: [...outer, retrying(options)] as never });
    const contexts: HandlerContext[] = [];
    bus.register(Work, (_, context) => {
      contexts.push(context);
      return handler(context);
    });
    return { bus, contexts };
  };
  const fail = (): never => {
    throw error;
  };

  it("tries again until it succeeds, synchronously where the attempts are", () =>
    withTraps(async () => {
      const { bus, contexts } = rig({ count: 3 }, ({ attempt }) => (attempt < 3 ? fail() : "done"));
      const sent = bus.ask(new Work());
      expect(contexts.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
      expect(await sent).toBe("done");
      await canaries(bus);
    }));

  it("gives up after count retries, with the last error as it was thrown", () =>
    withTraps(async () => {
      const errors = [1, 2, 3].map((n) => new Error(`no ${n}`));
      for (const later of [false, true]) {
        const { bus, contexts } = rig({ count: 2 }, ({ attempt }) => {
          if (later) return Promise.reject(errors[attempt - 1]);
          throw errors[attempt - 1];
        });
        expect(await reasonOf(bus.ask(new Work()))).toBe(errors[2]);
        expect(contexts).toHaveLength(3);
        await canaries(bus);
      }
    }));

  it("10,000 attempts that fail synchronously overflow no stack", () =>
    withTraps(async () => {
      const { bus, contexts } = rig({ count: 10_000 }, fail);
      expect(await reasonOf(bus.ask(new Work()))).toBe(error);
      expect(contexts).toHaveLength(10_001);
      await canaries(bus);
    }));

  it("47 an abort in the pause rejects at once and leaves no timer", () =>
    withTraps(async () => {
      const { bus, contexts } = rig({ count: 3, delayMs: 1_000, ...exact }, fail);
      const controller = new AbortController();
      const sent = watch(bus.ask(new Work(), { signal: controller.signal }));
      expect(jest.getTimerCount()).toBe(1);
      const reason = new Error("changed my mind");
      controller.abort(reason);
      await microtasks();
      expect([sent.reason, jest.getTimerCount()]).toEqual([reason, 0]);
      await jest.advanceTimersByTimeAsync(10_000);
      expect(contexts).toHaveLength(1);
      await canaries(bus);
    }));

  it("an abort during an attempt ends it, and no other attempt follows", () =>
    withTraps(async () => {
      const { bus, contexts } = rig(
        { count: 3 },
        ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped")))),
      );
      bus.faults$.subscribe();
      const controller = new AbortController();
      const sent = watch(bus.ask(new Work(), { signal: controller.signal }));
      controller.abort();
      await microtasks();
      expect([sent.status, contexts.length]).toEqual(["rejected", 1]);
      await canaries(bus);
    }));

  it("61 the deadline of close ends a pause, and nothing runs after it", () =>
    withTraps(async () => {
      const { bus, contexts } = rig({ count: 3, delayMs: 1_000, ...exact }, fail);
      const sent = watch(bus.ask(new Work()));
      const closing = bus.close({ timeoutMs: 10 });
      // The second is for those that stop at the deadline.
      for (const ms of [10, 1]) await jest.advanceTimersByTimeAsync(ms);
      expect((await closing).aborted).toHaveLength(1);
      expect(sent.reason).toBeInstanceOf(BusClosedError);
      expect(jest.getTimerCount()).toBe(0);
      expect(contexts).toHaveLength(1);
    }));

  it("78 attempts are exact, and each pause is within its bounds", () =>
    withTraps(async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.record({
            count: fc.nat(6),
            delayMs: fc.integer({ min: 1, max: 500 }),
            backoff: fc.constantFrom("exponential" as const, "constant" as const),
            maxDelayMs: fc.integer({ min: 1, max: 2_000 }),
            jitter: fc.boolean(),
          }),
          fc.nat(8),
          fc.infiniteStream(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })),
          async (options, succeedsAt, randoms) => {
            const times: number[] = [];
            const random = (): number => randoms.next().value as number;
            const { bus, contexts } = rig({ ...options, random }, ({ attempt }) => {
              times.push(performance.now());
              return attempt > succeedsAt ? "done" : Promise.reject(error);
            });
            const { outcomes } = recording(bus);
            const sent = watch(bus.ask(new Work()));
            await jest.advanceTimersByTimeAsync(100_000);

            const made = Math.min(succeedsAt, options.count) + 1;
            expect(outcomes).toMatchObject([{ attempts: made }]);
            expect(contexts.map(({ attempt }) => attempt)).toEqual(
              Array.from({ length: made }, (_, n) => n + 1),
            );
            expect(sent.status).toBe(succeedsAt <= options.count ? "fulfilled" : "rejected");
            for (let retry = 1; retry < made; retry++) {
              const pause = times[retry]! - times[retry - 1]!;
              const { delayMs, maxDelayMs, backoff, jitter } = options;
              const longest = Math.min(
                maxDelayMs,
                backoff === "constant" ? delayMs : delayMs * 2 ** (retry - 1),
              );
              expect(pause).toBeGreaterThanOrEqual(jitter ? 0 : longest);
              expect(pause).toBeLessThanOrEqual(longest);
            }
            expect(jest.getTimerCount()).toBe(0);
            await canaries(bus);
          },
        ),
        { numRuns: 60 },
      );
    }));

  it("78 a time limit around it bounds all attempts and pauses together", () =>
    withTraps(async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 300 }),
          fc.integer({ min: 1, max: 2_000 }),
          fc.nat(100),
          async (delayMs, limitMs, workMs) => {
            const bus = new QueryBus({
              middleware: [
                ...outer,
                timeLimit(limitMs),
                retrying({ count: Infinity, delayMs, jitter: false }),
              ] as never,
            });
            const began = performance.now();
            let lastAt = 0;
            bus.faults$.subscribe();
            bus.register(Work, () => {
              lastAt = performance.now() - began;
              return new Promise((_, reject) => setTimeout(() => reject(error), workMs));
            });
            let tookMs: number | undefined;
            const sent = bus.ask(new Work()).catch((reason: unknown) => {
              tookMs = performance.now() - began;
              return reason;
            });
            await jest.advanceTimersByTimeAsync(10_000);
            expect(await sent).toBeInstanceOf(TimeLimitError);
            expect(tookMs).toBe(limitMs);
            expect(lastAt).toBeLessThanOrEqual(limitMs);
            expect(jest.getTimerCount()).toBe(0);
            await canaries(bus);
          },
        ),
        { numRuns: 30 },
      );
    }));

  it("a retryIf that returns a promise is refused, fulfilled or rejected", () =>
    withTraps(async () => {
      for (const verdict of [Promise.resolve(false), Promise.reject(new Error("late"))]) {
        const { bus, contexts } = rig({ count: 4, retryIf: () => verdict as never }, () =>
          Promise.reject(error),
        );
        expect(await reasonOf(bus.ask(new Work()))).toMatchObject({ code: "INVALID_OPTIONS" });
        expect(contexts).toHaveLength(1);
        await canaries(bus);
      }
    }));

  it("78 a permanent error is not retried, unless retryIf decides otherwise", () =>
    withTraps(async () => {
      const invalid = new InvalidMessageError("no");
      const first = rig({ count: 3 }, () => Promise.reject(invalid));
      expect(await reasonOf(first.bus.ask(new Work()))).toBe(invalid);
      expect(first.contexts).toHaveLength(1);

      const asked: unknown[] = [];
      const retryIf = (reason: unknown, { n }: Work): boolean => asked.push(reason, n) < 4;
      const second = rig({ count: 3, retryIf }, () => Promise.reject(invalid));
      expect(await reasonOf(second.bus.ask(new Work(7)))).toBe(invalid);
      expect(asked).toEqual([invalid, 7, invalid, 7]);
      expect(second.contexts).toHaveLength(2);
      await canaries(first.bus, second.bus);
    }));

  it("84 each attempt has a fresh signal", () =>
    withTraps(async () => {
      const bus = new QueryBus({ middleware: [...outer, retrying({ count: 1 }), timeLimit(100)] as never });
      const signals: AbortSignal[] = [];
      bus.register(Work, ({ n: _ }, { signal, attempt }) => {
        signals.push(signal);
        return attempt === 1 ? new Promise<string>(() => {}) : "done";
      });
      const sent = watch(bus.ask(new Work()));
      await jest.advanceTimersByTimeAsync(100);
      expect(sent.value).toBe("done");
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
      expect(signals[0]!.reason).toBeInstanceOf(TimeLimitError);
      await canaries(bus);
    }));

  it("84 effects of the first attempt are cancelled with it, and the second attempt may cause them again", () =>
    withTraps(async () => {
      const eventBus = new EventBus();
      const signals: AbortSignal[] = [];
      eventBus.register(Work, (_, { signal }) => {
        signals.push(signal);
        return signals.length === 1 ? new Promise(() => {}) : undefined;
      });
      const bus = new CommandBus({ middleware: [...outer, retrying({ count: 1 }), timeLimit(100)] as never });
      bus.register(Work, (work, context) => eventBus.publish(work, { causedBy: context }));
      const sent = watch(bus.dispatch(new Work()));
      await jest.advanceTimersByTimeAsync(100);
      expect([sent.status, signals.map(({ aborted }) => aborted)]).toEqual(["fulfilled", [true, false]]);
      await canaries(bus, eventBus);
    }));

  it("tries again in the async context of its own dispatch", () =>
    withTraps(async () => {
      const storage = new AsyncLocalStorage<string>();
      const seen: unknown[] = [];
      const waiting: Delivery[] = [];
      const bus = new CommandBus({
        middleware: [...outer, retrying({ count: 2, delayMs: 10, ...exact })] as never,
      });
      bus.deliveries(Work).subscribe((d) => {
        seen.push(storage.getStore());
        waiting.push(d);
      });
      const sent = watch(storage.run("mine", () => bus.dispatch(new Work())));
      for (const _ of [1, 2, 3]) {
        storage.run("another's", () => waiting.at(-1)!.reject(error));
        await storage.run("another", () => jest.advanceTimersByTimeAsync(10));
      }
      expect(sent.reason).toBe(error);
      expect(seen).toEqual(["mine", "mine", "mine"]);
    }));
});

describe("retrying", () => {
  it("80 retries of 1,000 messages that fail at one moment are spread", () =>
    withTraps(async () => {
      let seed = 42;
      const random = (): number => (seed = (seed * 16_807) % 2_147_483_647) / 2_147_483_647;
      const bus = new CommandBus({ middleware: [retrying({ count: 1, delayMs: 1_000, random })] });
      const buckets = new Map<number, number>();
      const began = performance.now();
      bus.register(Work, (_, { attempt }) => {
        if (attempt === 1) throw error;
        const bucket = Math.floor((performance.now() - began) / 10);
        buckets.set(bucket, (buckets.get(bucket) ?? 0) + 1);
      });
      const all = Promise.all(Array.from({ length: 1_000 }, () => bus.dispatch(new Work())));
      await jest.advanceTimersByTimeAsync(1_000);
      await all;
      expect(Math.max(...buckets.values())).toBeLessThanOrEqual(50);
      expect(buckets.size).toBeGreaterThan(80);
      await canaries(bus);
    }));

  it("doubles the pause without jitter, up to the longest", () =>
    withTraps(async () => {
      const times: number[] = [];
      const bus = new CommandBus({
        middleware: [retrying({ count: 4, delayMs: 100, maxDelayMs: 300, jitter: false })],
      });
      const began = performance.now();
      bus.register(Work, () => {
        times.push(Math.round(performance.now() - began));
        throw error;
      });
      const sent = watch(bus.dispatch(new Work()));
      await jest.advanceTimersByTimeAsync(10_000);
      expect(times).toEqual([0, 100, 300, 600, 900]);
      expect(sent.reason).toBe(error);
    }));

  it("counts attempts only for the message that it retries", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [retrying({ count: 2 })] });
      const seen: unknown[] = [];
      bus.register(Work, async ({ n }, context) => {
        seen.push([n, context.attempt]);
        if (n === 0) {
          await bus.dispatch(new Work(1), { causedBy: context });
          if (context.attempt === 1) throw error;
        }
      });
      await bus.dispatch(new Work());
      expect(seen).toEqual([[0, 1], [1, 1], [0, 2], [1, 1]]); // prettier-ignore
      await canaries(bus);
    }));

  it("does not let a superseded message come back, and lets one wait for a busy key", () =>
    withTraps(async () => {
      const again = retrying({ count: 5, delayMs: 10, ...exact });
      const handled: number[] = [];
      const sleep = ({ n }: Work) =>
        new Promise<void>((resolve) => setTimeout(() => resolve(void handled.push(n)), 25));
      const latest = new CommandBus({ middleware: [again, overlap({ strategy: "switch" })] });
      const first = new CommandBus({ middleware: [again, overlap({ strategy: "exhaust" })] });
      for (const bus of [latest, first]) bus.register(Work, sleep);

      const superseded = [1, 2].map((n) => watch(latest.dispatch(new Work(n))));
      latest.faults$.subscribe();
      await jest.advanceTimersByTimeAsync(100);
      expect(superseded.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
      expect(superseded[0]!.reason).toBeInstanceOf(SupersededError);

      handled.length = 0;
      const busy = [1, 2].map((n) => watch(first.dispatch(new Work(n))));
      await jest.advanceTimersByTimeAsync(100);
      expect([handled, busy.map(({ status }) => status)]).toEqual([
        [1, 2],
        ["fulfilled", "fulfilled"],
      ]);
      await canaries(latest, first);
    }));

  it("a time limit outside covers all attempts and pauses", () =>
    withTraps(async () => {
      const bus = new CommandBus({
        middleware: [timeLimit(250), retrying({ count: 9, delayMs: 100, ...exact })],
      });
      const attempts: number[] = [];
      bus.register(Work, (_, { attempt }) => {
        attempts.push(attempt);
        throw error;
      });
      const sent = watch(bus.dispatch(new Work()));
      await jest.advanceTimersByTimeAsync(1_000);
      expect(sent.reason).toBeInstanceOf(TimeLimitError);
      expect([attempts, jest.getTimerCount()]).toEqual([[1, 2, 3], 0]);
      await canaries(bus);
    }));

  it("a retryIf or random that throws rejects its message with that", () =>
    withTraps(async () => {
      const bug = new Error("bug");
      const throwing = (): never => {
        throw bug;
      };
      for (const options of [{ retryIf: throwing }, { delayMs: 10, random: throwing }]) {
        const bus = new CommandBus({ middleware: [retrying({ count: 1, ...options })] });
        bus.register(Work, () => Promise.reject(error));
        expect(await reasonOf(bus.dispatch(new Work()))).toBe(bug);
        await canaries(bus);
      }
    }));

  it("runs all handlers of an event again", () =>
    withTraps(async () => {
      const bus = new EventBus({ middleware: [retrying({ count: 1 })] });
      const seen: string[] = [];
      bus.register(Work, () => void seen.push("first"));
      bus.register(Work, (_: Work, { attempt }: HandlerContext) => {
        seen.push("second");
        if (attempt === 1) throw error;
      });
      await bus.publish(new Work());
      expect(seen).toEqual(["first", "second", "first", "second"]);
      await canaries(bus);
    }));

  it("under ask$ has succeeded with the stream; an error in it is not retried", () =>
    withTraps(async () => {
      const bus = new QueryBus({ middleware: [retrying({ count: 3 })] });
      let asked = 0;
      bus.register(Work, () => {
        if (++asked === 1) throw error;
        return throwError(() => error);
      });
      const seen: unknown[] = [];
      bus.ask$(new Work()).subscribe({ error: (reason: unknown) => seen.push(reason) });
      await microtasks();
      expect([asked, seen]).toEqual([2, [error]]);
      await canaries(bus);
    }));

  it("isRetryable knows cancellations", () => {
    expect(isRetryable(error)).toBe(true);
    expect(isRetryable(undefined)).toBe(true);
    expect(isRetryable(new TimeLimitError("Work", 1))).toBe(true);
    expect(isRetryable(new DOMException("gone", "AbortError"))).toBe(false);
    expect(isRetryable(new SupersededError("Work"))).toBe(false);
  });

  it.each([
    [{ count: -1 }, "count must be a whole number from 0; received -1"],
    [{ count: 1.5 }, "received 1.5"],
    [{ count: NaN }, "received NaN"],
    [{}, "received undefined"],
    [{ count: Infinity }, "delayMs must be above 0 with an infinite count"],
    [{ count: 1, delayMs: -1 }, "delayMs"],
    [{ count: 1, delayMs: Infinity }, "delayMs"],
    [{ count: 1, maxDelayMs: 0 }, "maxDelayMs"],
    [{ count: 1, backoff: "linear" }, "backoff"],
    [{ count: 1, retryIf: true }, "retryIf"],
    [{ count: 1, random: 0.5 }, "random"],
  ])("refuses %j", (options, text) => {
    expect(() => retrying(options as never)).toThrow(text);
  });

  it("has a name for describe()", () => {
    expect(new CommandBus({ middleware: [retrying({ count: 3 })] }).describe().middleware).toEqual([
      "retrying(3)",
    ]);
  });
});

describe("retrying as an operator", () => {
  beforeEach(() => void jest.useRealTimers());

  const again = (options: Partial<RetryingOptions<Work>> = {}) =>
    retrying<Work>({ count: 2, delayMs: 3, ...exact, scheduler: asyncScheduler, ...options });
  const works = () => ({ a: delivery(new Work(1)), b: delivery(new Work(2)) });
  const n = map((d: Delivery<Work>) => String(d.message.n));
  /** The rest of the pipeline: fails so often. */
  const failing = (times: number) =>
    tap((d: Delivery<Work>) => (d.attempt <= times ? d.reject(error) : d.resolve()));

  it("never, empty and error: as the source", () =>
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold<Delivery<Work>>("---").pipe(again())).toBe("---");
      expectObservable(cold<Delivery<Work>>("--|").pipe(again())).toBe("--|");
      expectObservable(cold<Delivery<Work>>("--#").pipe(again())).toBe("--#");
    }));

  it("one: comes again after each pause, and completes with the last attempt", () =>
    marbles(({ cold, expectObservable }) => {
      const { a } = works();
      const source = cold<Delivery<Work>>(" -a|", { a });
      const expected = "                    -1--1--(1|)";
      expectObservable(source.pipe(again(), failing(2), n)).toBe(expected);
    }));

  it("many: each on its own", () =>
    marbles(({ cold, expectObservable, flush }) => {
      const { a, b } = works();
      const source = cold<Delivery<Work>>(" -ab|", { a, b });
      const expected = "                    -12-12-(1)(2|)";
      expectObservable(source.pipe(again(), failing(3), n)).toBe(expected.replace("(1)(2|)", "1(2|)"));
      flush();
      expect([a.settlement, b.settlement]).toEqual([
        { status: "rejected", reason: error },
        { status: "rejected", reason: error },
      ]);
    }));

  it("throw: a retryIf that throws rejects its delivery, and the others pass", () =>
    marbles(({ cold, expectObservable, flush }) => {
      const { a, b } = works();
      const bug = new Error("bug");
      const retryIf = (_: unknown, { n }: Work): boolean => {
        if (n === 1) throw bug;
        return true;
      };
      const source = cold<Delivery<Work>>(" -ab|", { a, b });
      const expected = "                    -12--(2|)";
      expectObservable(source.pipe(again({ retryIf }), failing(1), n)).toBe(expected);
      flush();
      expect(a.settlement).toEqual({ status: "rejected", reason: bug });
    }));

  it("unsubscribe: leaves the source", () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold<Delivery<Work>>(" -a--b", works());
      const unsub = "                       ^--!";
      expectObservable(source.pipe(again(), failing(9), n), unsub).toBe("-1--");
      expectSubscriptions(source.subscriptions).toBe(unsub);
    }));

  it("synchronous: all attempts in one frame without a pause", () =>
    marbles(({ cold, expectObservable }) => {
      const { a, b } = works();
      const source = cold<Delivery<Work>>(" (ab|)", { a, b });
      const expected = "                    (1122|)";
      expectObservable(source.pipe(again({ delayMs: 0 }), failing(1), n)).toBe(expected);
    }));

  it("re-entrant: a delivery that arrives during an attempt runs inside of it", () => {
    const { a, b } = works();
    const source = new Subject<Delivery<Work>>();
    const seen: string[] = [];
    source.pipe(again({ delayMs: 0 })).subscribe((d) => {
      seen.push(`${d.message.n}.${d.attempt}`);
      if (d.message.n === 1 && d.attempt === 1) source.next(b);
      if (d.attempt === 1) d.reject(error);
      else d.resolve();
    });
    source.next(a);
    expect(seen).toEqual(["1.1", "2.1", "2.2", "1.2"]);
  });
});

describe("a message that is aborted while its next attempt is decided", () => {
  it.each(["retryIf", "random"])("by %s is rejected at once, and no timer is left", (option) =>
    withTraps(async () => {
      const leaving = new AbortController();
      const leave = (): never => {
        leaving.abort("left");
        return 1 as never;
      };
      const options = { count: 1, delayMs: 1_000, retryIf: () => true };
      const decide = option === "random" ? { random: leave } : { retryIf: () => leave() === 1 };
      const bus = new CommandBus({ middleware: [retrying({ ...options, ...decide })] });
      bus.register(Work, () => {
        throw error;
      });
      expect(await reasonOf(bus.dispatch(new Work(), { signal: leaving.signal }))).toBe("left");
      expect(jest.getTimerCount()).toBe(0);
      await canaries(bus);
    }),
  );
});
