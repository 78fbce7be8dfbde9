import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import {
  around,
  CommandBus,
  EventBus,
  QueryBus,
  when,
  type Delivery,
  type Fault,
  type HandlerContext,
} from "cqrx";
import { overlap, timeLimit, TimeLimitError } from "cqrx/middleware";
import { delivery, marbles } from "cqrx/testing";
import fc from "fast-check";
import { asyncScheduler, map, mergeMap, of, Subject, tap, timer } from "rxjs";
import { microtasks, reasonOf, watch } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";

class Work {
  readonly n: number;

  constructor(n = 0) {
    this.n = n;
  }
}
class Child extends Work {}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const never = (): Promise<never> => new Promise(() => {});
const inner = around((_, next) => next());

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe.each([
  ["outermost", []],
  ["inside of a function", [inner]],
  ["inside of an operator", [tap<Delivery>()]],
])("timeLimit %s", (_, outer) => {
  it("rejects a message that takes too long, and aborts its signal", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [...outer, timeLimit(100)] as never });
      let signal!: AbortSignal;
      bus.register(Work, (_, context) => ((signal = context.signal), never()));
      const sent = watch(bus.dispatch(new Work()));
      await jest.advanceTimersByTimeAsync(99);
      expect([sent.status, signal.aborted]).toEqual(["pending", false]);
      await jest.advanceTimersByTimeAsync(1);
      expect(sent.reason).toBeInstanceOf(TimeLimitError);
      expect(sent.reason).toMatchObject({ code: "TIME_LIMIT", messageType: "Work", limitMs: 100 });
      expect(signal.reason).toBe(sent.reason);
      await canaries(bus);
    }));

  it("changes nothing for a message that ends in time, and leaves no timer", () =>
    withTraps(async () => {
      const bus = new QueryBus({ middleware: [...outer, timeLimit(100)] as never });
      const error = new Error("no");
      bus.register(Work, ({ n }) => (n === 0 ? sleep(99).then(() => "done") : Promise.reject(error)));
      const sent = [watch(bus.ask(new Work(0))), watch(bus.ask(new Work(1)))];
      await jest.advanceTimersByTimeAsync(99);
      expect(sent[0]!.value).toBe("done");
      expect(sent[1]!.reason).toBe(error);
      expect(jest.getTimerCount()).toBe(0);
      await canaries(bus);
    }));

  it("is synchronous, and starts no timer, where nothing waits", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [...outer, timeLimit(100)] as never });
      const handled: number[] = [];
      bus.register(Work, ({ n }) => void handled.push(n));
      bus.dispatch(new Work(1));
      expect([handled, jest.getTimerCount()]).toEqual([[1], 0]);
      await canaries(bus);
    }));

  it("42 the limit and the end in one turn make one outcome, which agrees with the promise", () =>
    withTraps(async () => {
      await fc.assert(
        fc.asyncProperty(fc.scheduler(), fc.boolean(), async (scheduler, fails) => {
          const bus = new CommandBus({ middleware: [...outer, timeLimit(10)] as never });
          bus.faults$.subscribe();
          const outcomes: string[] = [];
          bus.outcomes$.subscribe(({ status }) => outcomes.push(status));
          const error = new Error("no");
          bus.register(Work, () => {
            const work = fails ? Promise.reject(error) : Promise.resolve();
            return scheduler.schedule(work, "handler");
          });
          const sent = watch(bus.dispatch(new Work()));
          scheduler.schedule(Promise.resolve(), "timer").then(() => jest.advanceTimersByTime(10));
          await scheduler.waitAll();
          await microtasks();
          expect(outcomes).toEqual([sent.status]);
          expect(sent.settlements).toBe(1);
          expect(jest.getTimerCount()).toBe(0);
          await canaries(bus);
        }),
      );
    }));

  it("44 effects inherit the rest of the limit: they are cancelled with it, none is orphaned", () =>
    withTraps(async () => {
      const queryBus = new QueryBus({ middleware: [timeLimit(5_000)] });
      const commandBus = new CommandBus({ middleware: [...outer, timeLimit(100)] as never });
      const children: AbortSignal[] = [];
      queryBus.register(Child, (_, { signal }) => (children.push(signal), never()));
      commandBus.register(Work, async (_, context) => {
        await sleep(60);
        await queryBus.ask(new Child(), { causedBy: context });
      });
      const sent = watch(commandBus.dispatch(new Work()));
      await jest.advanceTimersByTimeAsync(99);
      expect([sent.status, children[0]!.aborted]).toEqual(["pending", false]);
      await jest.advanceTimersByTimeAsync(1);
      expect(sent.reason).toMatchObject({ code: "TIME_LIMIT", limitMs: 100, messageType: "Work" });
      expect(children[0]!.reason).toBe(sent.reason);
      expect([queryBus.inFlight, commandBus.inFlight, jest.getTimerCount()]).toEqual([0, 0, 0]);
      await canaries(commandBus, queryBus);
    }));

  it("48 a handler that ignores its signal does not keep its caller, but its turn until its work has ended", () =>
    withTraps(async () => {
      const limited = { middleware: [...outer, overlap({ strategy: "concat" }), timeLimit(100)] as never };
      const bus = new CommandBus(limited);
      const started: number[] = [];
      bus.register(Work, ({ n }) => (started.push(n), n === 0 ? sleep(150) : undefined) as never);
      bus.faults$.subscribe();
      const sent = [0, 1].map((n) => watch(bus.dispatch(new Work(n))));
      await jest.advanceTimersByTimeAsync(100);
      expect(sent.map(({ status }) => status)).toEqual(["rejected", "pending"]);
      await jest.advanceTimersByTimeAsync(50);
      expect(sent.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
      expect(started).toEqual([0, 1]);
      await canaries(bus);
    }));

  it("49 a failure after the limit is reported, and nothing else", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [...outer, timeLimit(100)] as never });
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      const error = new Error("late");
      bus.register(Work, async () => {
        await sleep(1_100);
        throw error;
      });
      const sent = watch(bus.dispatch(new Work()));
      await jest.advanceTimersByTimeAsync(1_100);
      expect([sent.settlements, sent.reason]).toEqual([1, expect.any(TimeLimitError)]);
      expect(faults).toEqual([expect.objectContaining({ kind: "late", error })]);
      await canaries(bus);
    }));
});

describe("timeLimit", () => {
  it("takes a function of the message", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [timeLimit(({ n }: Work) => n)] });
      bus.register(Work, never);
      const sent = [10, 20].map((n) => watch(bus.dispatch(new Work(n))));
      await jest.advanceTimersByTimeAsync(10);
      expect(sent.map(({ status }) => status)).toEqual(["rejected", "pending"]);
      await jest.advanceTimersByTimeAsync(10);
      expect(sent[1]!.reason).toMatchObject({ limitMs: 20 });
    }));

  it.each([0, -1, NaN, "100", undefined])("refuses %p", async (limit) => {
    expect(() => timeLimit(limit as never)).toThrow(
      "timeLimit(): limitMs must be a number of milliseconds above 0 or a function",
    );
    const bus = new CommandBus({ middleware: [timeLimit(() => limit as never)] });
    const handler = jest.fn();
    bus.register(Work, handler);
    expect(await reasonOf(bus.dispatch(new Work()))).toMatchObject({ code: "INVALID_OPTIONS" });
    expect(handler).not.toHaveBeenCalled();
  });

  it.each([2 ** 31, Infinity])("sets no timer for %p", (limit) =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [timeLimit(limit)] });
      bus.register(Work, () => sleep(10));
      const sent = watch(bus.dispatch(new Work()));
      expect(jest.getTimerCount()).toBe(1);
      await jest.advanceTimersByTimeAsync(10);
      expect(sent.status).toBe("fulfilled");
    }),
  );

  it("a function that throws rejects its message only", () =>
    withTraps(async () => {
      const error = new Error("no limit");
      const bus = new CommandBus({
        middleware: [
          timeLimit(({ n }: Work) => {
            if (n === 0) throw error;
            return 100;
          }),
        ],
      });
      bus.register(Work, () => undefined);
      expect(await reasonOf(bus.dispatch(new Work()))).toBe(error);
      await bus.dispatch(new Work(1));
      await canaries(bus);
    }));

  it("limits all handlers of an event together", () =>
    withTraps(async () => {
      const bus = new EventBus({ middleware: [timeLimit(100)] });
      const signals: AbortSignal[] = [];
      for (const _ of [1, 2])
        bus.register(Work, (_: Work, { signal }: HandlerContext) => (signals.push(signal), never()));
      const sent = watch(bus.publish(new Work()));
      await jest.advanceTimersByTimeAsync(100);
      expect(sent.reason).toBeInstanceOf(TimeLimitError);
      expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
      await canaries(bus);
    }));

  it("under ask$ limits the way to the stream, not the stream", () =>
    withTraps(async () => {
      const bus = new QueryBus({ middleware: [timeLimit(100)] });
      const stream = new Subject<string>();
      bus.register(Work, ({ n }) => (n === 0 ? stream : never()));
      const seen: unknown[] = [];
      const open = bus.ask$(new Work(0)).subscribe((value) => seen.push(value));
      bus.ask$(new Work(1)).subscribe({ error: (error: unknown) => seen.push(error) });
      await jest.advanceTimersByTimeAsync(100);
      stream.next("still");
      expect(seen).toEqual([expect.any(TimeLimitError), "still"]);
      open.unsubscribe();
      await canaries(bus);
    }));

  it("has a name for describe()", () => {
    const bus = new CommandBus({ middleware: [timeLimit(100), timeLimit(() => 100)] });
    expect(bus.describe().middleware).toEqual(["timeLimit(100 ms)", "timeLimit"]);
  });
});

describe("timeLimit as an operator", () => {
  beforeEach(() => void jest.useRealTimers());

  const limited = () => timeLimit<Work>(3, { scheduler: asyncScheduler });
  const works = () => ({ a: delivery(new Work(1)), b: delivery(new Work(2)) });
  const n = map((d: Delivery<Work>) => String(d.message.n));
  const handle = (ms: number) =>
    mergeMap((d: Delivery) => {
      timer(ms).subscribe(() => d.resolve());
      return of(d);
    });
  const settle = tap((d: Delivery) => d.resolve());

  it("never, empty and error: as the source", () =>
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold<Delivery<Work>>("---").pipe(limited())).toBe("---");
      expectObservable(cold<Delivery<Work>>("--|").pipe(limited())).toBe("--|");
      expectObservable(cold<Delivery<Work>>("--#").pipe(limited())).toBe("--#");
    }));

  it("one, many: passes at once, and completes with the last", () =>
    marbles(({ cold, expectObservable }) => {
      const source = cold<Delivery<Work>>(" -ab|", works());
      const expected = "                    -12|";
      expectObservable(source.pipe(limited(), settle as never, n)).toBe(expected);
    }));

  it("aborts a delivery that takes longer", () =>
    marbles(({ cold, expectObservable, flush }) => {
      const aborted: number[] = [];
      const source = cold<Delivery<Work>>(" -a---b", works());
      const expected = "                    -1---2";
      const watching = tap((d: Delivery<Work>) => {
        d.signal.addEventListener("abort", () => aborted.push(asyncScheduler.now()));
      });
      const handling = mergeMap((d: Delivery<Work>) => handle(d.message.n === 1 ? 4 : 2)(of(d)));
      expectObservable(source.pipe(limited(), watching, handling as never, n)).toBe(expected);
      flush();
      expect(aborted).toEqual([4]);
    }));

  it("throw: a limit that throws rejects its delivery, and the others pass", () =>
    marbles(({ cold, expectObservable, flush }) => {
      const values = works();
      const error = new Error("no");
      const source = cold<Delivery<Work>>(" -ab|", values);
      const expected = "                    --2|";
      const throwing = timeLimit<Work>(({ n }) => {
        if (n === 1) throw error;
        return 3;
      });
      expectObservable(source.pipe(throwing, settle as never, n)).toBe(expected);
      flush();
      expect(values.a.settlement).toEqual({ status: "rejected", reason: error });
    }));

  it("unsubscribe: leaves the source", () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold<Delivery<Work>>(" -a-b", works());
      const unsub = "                       ^-!";
      expectObservable(source.pipe(limited(), n), unsub).toBe("-1-");
      expectSubscriptions(source.subscriptions).toBe(unsub);
    }));

  it("synchronous and re-entrant: in the order of a call stack", () => {
    const { a, b } = works();
    const source = new Subject<Delivery<Work>>();
    const seen: string[] = [];
    source.pipe(timeLimit(3)).subscribe((d) => {
      seen.push(`begin ${d.message.n}`);
      if (d.message.n === 1) source.next(b);
      d.resolve();
      seen.push(`end ${d.message.n}`);
    });
    source.next(a);
    expect(seen).toEqual(["begin 1", "begin 2", "end 2", "end 1"]);
    expect([a.settlement, b.settlement]).toMatchObject([{ status: "fulfilled" }, { status: "fulfilled" }]);
  });
});

describe("a message without a limit", () => {
  it("that the function for the limit aborts does not reach its handler", () =>
    withTraps(async () => {
      const leaving = new AbortController();
      const limit = (): number => {
        leaving.abort("left");
        return Infinity;
      };
      const bus = new CommandBus({ middleware: [when(Work, timeLimit(limit))] });
      let runs = 0;
      bus.register(Work, () => void runs++);
      expect(await reasonOf(bus.dispatch(new Work(), { signal: leaving.signal }))).toBe("left");
      expect(runs).toBe(0);
      await canaries(bus);
    }));
});
