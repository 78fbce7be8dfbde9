import { createMiddleware } from "../core/pipeline/form.js";
import { LONGEST_TIMEOUT_MS } from "../core/util/timers.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { InvalidMiddlewareError } from "../core/errors.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { ignored } from "../core/util/thenable.js";
import { TimeLimitError } from "./errors.js";
import { checkTimerOptions } from "./internal/options.js";
import { startTimer, type TimerOptions } from "../core/util/timers.js";

export type TimeLimitOptions = TimerOptions;

/**
 * Rejects a message with `TimeLimitError` that is not done `limitMs` after it first had to wait, and aborts its handler's `signal`.
 *
 * Guarantees: the sender is free at the limit, whatever the handler does; what an abandoned handler comes to later is reported on `faults$`.
 * What the handler dispatched with its context as `causedBy` is cancelled with it, on whichever bus: nested work inherits what is left of the limit.
 * Synchronous when everything below is; no timer outlives its message.
 *
 * Outside of `retrying` it limits all attempts together, inside of it each one; likewise the time in the queue of an `overlap`. Under `ask$` it
 * limits how long a handler takes to return its stream, not how long the stream lives: put RxJS's `timeout` on that.
 *
 * @param limitMs - milliseconds, or a function of the message; `Infinity` is no limit
 * @example
 * new CommandBus({ middleware: [timeLimit(5_000)] });
 * new QueryBus({ middleware: [timeLimit((query) => (query instanceof Report ? 60_000 : 1_000))] });
 */
export function timeLimit<M extends object = object, R = unknown>(
  limitMs: number | ((message: M) => number),
  options: TimeLimitOptions = {},
): Middleware<M, R> {
  if (typeof limitMs !== "function") checkLimit(limitMs);
  checkTimerOptions("timeLimit", options);
  const name = typeof limitMs === "function" ? "timeLimit" : `timeLimit(${limitMs} ms)`;

  return createMiddleware(name, (rest) => (delivery) => {
    const limit =
      typeof limitMs === "function" ? checkLimit(limitMs(delivery.message as unknown as M)) : limitMs;
    // Above it, a timer would fire at once.
    if (limit > LONGEST_TIMEOUT_MS) return rest(delivery);
    const attempt = delivery.fork();
    attempt.run(rest);
    if (attempt.pending) endAt(limit, attempt, options);
    return attempt.asResult();
  });
}

function endAt(limitMs: number, delivery: LiveDelivery, options: TimerOptions): void {
  delivery.whenSettled(
    startTimer(limitMs, () => delivery.abort(new TimeLimitError(delivery.typeName, limitMs)), {
      ...options,
      // Somebody waits: a process with nothing else to do must not exit before it has been told.
      keepAlive: true,
    }),
  );
}

function checkLimit(limitMs: number): number {
  if (typeof limitMs === "number" && limitMs > 0) return limitMs;
  ignored(limitMs);
  throw new InvalidMiddlewareError(`timeLimit() takes milliseconds above 0; received ${String(limitMs)}.`);
}
