import {
  aFunction,
  aScheduler,
  checkOption,
  checkOptions,
  either,
  invalidOption,
  positiveMilliseconds,
  required,
} from "../core/checks.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { createMiddleware } from "../core/pipeline/form.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { resume } from "../core/pipeline/resume.js";
import { ignored } from "../core/util/thenable.js";
import { LONGEST_TIMEOUT_MS, startTimer, type TimerOptions } from "../core/util/timers.js";
import { TimeLimitError } from "./errors.js";

export type TimeLimitOptions = TimerOptions;

/**
 * Rejects a message with `TimeLimitError` if it has not settled `limitMs` after it first had to wait, and
 * aborts its handler's `signal`.
 *
 * Guarantees:
 * - The sender is free at the limit, even if the handler ignores its signal. How that handler ends later is
 *   reported on `faults$`, and a key or slot that another middleware holds for it (`overlap`, `idempotency`,
 *   `coalescing`) is released only then.
 * - Messages that the handler sent with its context as `causedBy` are aborted, too, on any bus: nested work
 *   inherits the rest of the limit.
 * - The message stays synchronous if everything further in is. No timer outlives its message.
 *
 * Outside of `retrying` it limits all attempts together, inside of it each attempt. Outside of `overlap` it
 * includes the time in the queue. Under `ask$` it limits how long the handler takes to return its stream; use
 * RxJS's `timeout` for the stream itself.
 *
 * @param limitMs - milliseconds above 0, or a function that returns them for a message; `Infinity` for no limit
 * @throws InvalidOptionsError for a limit that is not a number above 0, also from the dispatch if the
 * function returned it
 * @example
 * new CommandBus({ middleware: [timeLimit(5_000)] });
 * new QueryBus({ middleware: [timeLimit((query) => (query instanceof Report ? 60_000 : 1_000))] });
 */
export function timeLimit<M extends object = object, R = unknown>(
  limitMs: number | ((message: M) => number),
  options: TimeLimitOptions = {},
): Middleware<M, R> {
  checkOption("timeLimit()", "limitMs", limitMs, required(either(positiveMilliseconds, aFunction)));
  checkOptions<TimeLimitOptions>("timeLimit()", options, { scheduler: aScheduler });
  const name = typeof limitMs === "function" ? "timeLimit" : `timeLimit(${limitMs} ms)`;

  return createMiddleware(name, (rest) => (delivery) => {
    const limit = typeof limitMs === "function" ? checkLimit(limitMs(delivery.message as M)) : limitMs;
    // Run without a timer, because a timer of more than 24 days would fire at once.
    if (limit > LONGEST_TIMEOUT_MS) return resume(delivery, rest);
    const limited = delivery.forked();
    limited.run(rest);
    if (limited.pending) abortAfter(limit, limited, options);
    return limited.asResult();
  });
}

function abortAfter(limitMs: number, delivery: LiveDelivery, options: TimerOptions): void {
  const stopTimer = startTimer(
    limitMs,
    () => delivery.abort(new TimeLimitError(delivery.typeName, limitMs)),
    // Keep the process alive, because the sender waits for its error.
    { ...options, keepAlive: true },
  );
  delivery.whenSettled(stopTimer);
}

function checkLimit(limitMs: unknown): number {
  if (positiveMilliseconds.accepts(limitMs)) return limitMs as number;
  ignored(limitMs);
  throw invalidOption(
    "timeLimit()",
    "limitMs",
    `a function that returns ${positiveMilliseconds.expected}`,
    limitMs,
  );
}
