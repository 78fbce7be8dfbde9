// Public bug reports of libraries that do this job, whose claims hold here. What failed has its spec beside its area.
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { CommandBus, DomainEvent, EventBus, ofType, Query, QueryBus, saga, when } from "cqrx";
import { batching, overlap, retrying, timeLimit } from "cqrx/middleware";
import { logTo } from "cqrx/pino";
import { pino } from "pino";
import { map, merge, mergeMap, of, take } from "rxjs";
import { canaries, macrotask, withTraps } from "../support/traps.js";
import { microtasks, reasonOf } from "./support.js";

class Work {
  constructor(readonly name = "a") {}
}
class Fetch extends Query<unknown> {
  constructor(readonly id = 1) {
    super();
  }
}
class Started extends DomainEvent {
  constructor(readonly n = 1) {
    super();
  }
}
class Answered extends Started {}
class Ask {
  constructor(readonly n: number) {}
}
class Finish extends Ask {}

afterEach(() => void jest.useRealTimers());

describe("public reports", () => {
  // sindresorhus/p-queue#168 and #241, connor4312/cockatiel#114
  it("a queue goes on after its running and its waiting message are aborted together, and one that came aborted", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [when(Work, overlap({ strategy: "concat" }))] });
      bus.register(
        Work,
        (_, { signal }) =>
          new Promise<void>((_resolve, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason as Error));
          }),
      );
      const [running, waiting] = [new AbortController(), new AbortController()];
      const signals = [running.signal, waiting.signal, AbortSignal.abort()];
      const reasons = signals.map((signal) => reasonOf(bus.dispatch(new Work(), { signal })));
      running.abort();
      waiting.abort();
      expect((await Promise.all(reasons)).map((reason) => (reason as Error).name)).toEqual(
        Array.from(signals, () => "AbortError"),
      );
      await microtasks();
      expect(bus.inFlight).toBe(0);
      expect(bus.describe().gauges?.[0]?.values).toEqual({ running: 0, waiting: 0, keys: 0 });
      await canaries(bus);
    }));

  // redux-saga/redux-saga#277 and #598
  it("a saga does not miss an event that its own command publishes synchronously", () =>
    withTraps(async () => {
      const [eventBus, commandBus] = [new EventBus(), new CommandBus()];
      const finished: number[] = [];
      commandBus.register(Ask, ({ n }, context) => eventBus.publish(new Answered(n), { causedBy: context }));
      commandBus.register(Finish, ({ n }) => void finished.push(n));
      saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Started),
          mergeMap(({ payload }) =>
            payload instanceof Answered
              ? []
              : merge(
                  events$.pipe(ofType(Answered), take(1)).pipe(map((event) => new Finish(event.payload.n))),
                  of(new Ask(payload.n)),
                ),
          ),
        ),
      );
      await eventBus.publish(new Started(1));
      await eventBus.publish(new Started(2));
      expect(finished).toEqual([1, 2]);
      await canaries(eventBus, commandBus);
    }));

  // LuckyPennySoftware/MediatR#946
  it("handlers of a class and of its base class are each called once", () =>
    withTraps(async () => {
      const bus = new EventBus();
      const called: string[] = [];
      bus.register(Started, () => void called.push("base"));
      bus.register(Answered, () => void called.push("class"));
      await bus.publish(new Answered());
      expect(called).toEqual(["base", "class"]);
      await canaries(bus);
    }));

  // MassTransit/MassTransit#1089
  it("an event that a failed attempt enqueued is not published, that of the attempt that succeeds once", () =>
    withTraps(async () => {
      const eventBus = new EventBus();
      const commandBus = new CommandBus({ middleware: [when(Work, retrying({ count: 2 }))] });
      const published: number[] = [];
      eventBus.register(Started, ({ n }) => void published.push(n));
      commandBus.register(Work, (_, context) => {
        eventBus.enqueue(new Started(context.attempt), { causedBy: context });
        if (context.attempt < 3) throw new Error("again");
      });
      await commandBus.dispatch(new Work());
      await eventBus.drain();
      expect(published).toEqual([3]);
      await canaries(eventBus, commandBus);
    }));

  // taskforcesh/bullmq#4163
  it("commands that delay themselves for ever do not hold close() beyond its time", async () => {
    jest.useFakeTimers();
    const bus = new CommandBus({ background: { retry: { count: Infinity, delayMs: 10 } } });
    bus.outcomes$.subscribe();
    bus.register(Work, ({ name }, context) => {
      if (name === "retried") throw new Error("again");
      bus.enqueue(new Work(name), { causedBy: context, delayMs: 10 });
    });
    const retried = bus.enqueue(new Work("retried"));
    bus.enqueue(new Work("sent again"));
    await jest.advanceTimersByTimeAsync(50);
    const closing = bus.close({ timeoutMs: 100 });
    await jest.advanceTimersByTimeAsync(101);
    const { aborted } = await closing;
    expect(aborted).toContain(retried.meta.id);
    expect(aborted).toHaveLength(2);
    expect([bus.inFlight, jest.getTimerCount()]).toEqual([0, 0]);
  });

  // connor4312/cockatiel#81
  it("attempts under time limits leave no listener on the signal of the caller", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [when(Work, retrying({ count: 15 })), timeLimit(60_000)] });
      let left = 15;
      bus.register(Work, async () => {
        await Promise.resolve();
        if (left-- > 0) throw new Error("again");
      });
      const { signal } = new AbortController();
      let listeners = 0;
      const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
      signal.addEventListener = (...args: Parameters<typeof add>) => (listeners++, add(...args));
      signal.removeEventListener = (...args: Parameters<typeof remove>) => (listeners--, remove(...args));
      const sent = bus.dispatch(new Work(), { signal });
      expect(listeners).toBe(1);
      await sent;
      expect(listeners).toBe(0);
      await canaries(bus);
    }));

  // syrusakbary/promise#29, overblog/dataloader-php#84
  it.each<[string, () => unknown]>([
    ["a number", () => 23],
    ["a Set", () => new Set([1, 2])],
    ["nothing", () => undefined],
  ])("a batch whose load returns %s rejects each query, and the next batch is loaded", (_, wrong) =>
    withTraps(async () => {
      let loads = 0;
      const load = (queries: readonly Fetch[]): never =>
        (++loads === 1 ? wrong() : queries.map(({ id }) => id)) as never;
      const bus = new QueryBus({ middleware: [when(Fetch, batching({ load }))] });
      bus.register(Fetch, () => undefined);
      const reasons = await Promise.all([1, 2].map((id) => reasonOf(bus.ask(new Fetch(id)))));
      for (const reason of reasons) expect(reason).toMatchObject({ code: "BATCH_RESULT" });
      expect(await Promise.all([1, 2].map((id) => bus.ask(new Fetch(id))))).toEqual([1, 2]);
      await canaries(bus);
    }),
  );

  // pinojs/redact#25, davidmarkclements/fast-redact#46
  it("a path with several wildcards reaches lists in lists, and passes null by", () =>
    withTraps(async () => {
      const lines: { payload?: unknown }[] = [];
      const logger = pino({}, { write: (line: string) => lines.push(JSON.parse(line) as object) });
      const bus = new CommandBus();
      class Report {
        readonly all = [{ samples: [{ runId: "secret", a: 1 }, null] }, null];
      }
      bus.register(Report, () => undefined);
      const logs = logTo(bus, logger, { payload: true, redact: ["*[*].samples.*.runId"] });
      await bus.dispatch(new Report());
      logs.unsubscribe();
      expect(lines[0]!.payload).toEqual({ all: [{ samples: [{ runId: "[Redacted]", a: 1 }, null] }, null] });
      await canaries(bus);
    }));

  // enisdenjo/graphql-ws#653 and tc39/proposal-async-iteration#126
  it("a reader that leaves is free at once, and an iterator that waits hears of it by the signal", () =>
    withTraps(async () => {
      const bus = new QueryBus<number>();
      const log: string[] = [];
      async function* waiting(signal: AbortSignal): AsyncGenerator<number> {
        try {
          yield 1;
          await sleep(3_600_000, undefined, { signal });
        } finally {
          log.push("released");
        }
      }
      bus.register(Fetch, (_, { signal }) => waiting(signal));
      const reader = bus.ask$(new Fetch()).subscribe((value) => log.push(`value ${String(value)}`));
      await microtasks();
      reader.unsubscribe();
      log.push("left");
      expect(bus.inFlight).toBe(0);
      await macrotask();
      expect(log).toEqual(["value 1", "left", "released"]);
      await canaries(bus);
    }));
});
