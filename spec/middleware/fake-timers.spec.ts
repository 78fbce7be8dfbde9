import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";
import { EventBus, Query, QueryBus, type Middleware } from "cqrx";
import {
  authorization,
  batching,
  caching,
  coalescing,
  idempotency,
  isRetryable,
  overlap,
  retrying,
  timeLimit,
  validation,
} from "cqrx/middleware";

class Find extends Query<number> {}

// The defaults of Jest fake queueMicrotask and process.nextTick, too; promises alone keep working.
beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

it.each<[string, () => Middleware]>([
  ["authorization", () => authorization(async () => true)],
  ["batching", () => batching({ load: async (queries) => queries.map(() => 1) })],
  ["caching", () => caching({ store: new Map() })],
  ["coalescing", () => coalescing()],
  ["idempotency", () => idempotency({ key: () => "key", store: new Map() })],
  ["overlap", () => overlap({ strategy: "concat" })],
  ["retrying", () => retrying({ count: 1 })],
  ["timeLimit", () => timeLimit(1_000)],
  ["validation", () => validation()],
])("%s settles under fake timers that do not advance", async (_, make) => {
  const bus = new QueryBus({ middleware: [make()] });
  bus.register(Find, async () => 1);
  expect(await Promise.all([bus.ask(new Find()), bus.ask(new Find())])).toEqual([1, 1]);
});

it("caching fetches a new result behind a stale one under fake timers", async () => {
  const store = new Map();
  const bus = new QueryBus({ middleware: [caching({ store, ttlMs: 10, staleWhileRevalidateMs: 10 })] });
  let runs = 0;
  bus.register(Find, () => ++runs);
  await bus.ask(new Find());
  jest.advanceTimersByTime(15);
  expect(await bus.ask(new Find())).toBe(1);
  await Promise.resolve();
  expect(await bus.ask(new Find())).toBe(2);
});

it.each([
  [[new DOMException("gone", "AbortError")], 1],
  [[new DOMException("gone", "AbortError"), new Error("busy")], 2],
])("an event is retried only if an error of a handler is retryable: %p", async (errors, runs) => {
  const bus = new EventBus({ middleware: [retrying({ count: 1 })] });
  class Happened {}
  let succeeded = 0;
  bus.register(Happened, () => void succeeded++);
  for (const error of errors)
    bus.register(Happened, () => {
      throw error;
    });
  const reason: unknown = await bus.publish(new Happened()).catch((error: unknown) => error);
  expect(isRetryable(reason)).toBe(runs > 1);
  expect(succeeded).toBe(runs);
});
