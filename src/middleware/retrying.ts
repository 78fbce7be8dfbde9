import {
  aBoolean,
  aFunction,
  aScheduler,
  checkOptions,
  invalidOption,
  milliseconds,
  oneOf,
  positiveMilliseconds,
  required,
  syncBoolean,
  wholeNumber,
} from "../core/checks.js";
import { isAbortError } from "../core/delivery/abort.js";
import type { Closeable, PartsDescription } from "../core/delivery/delivery-host.js";
import { forkForAttempt } from "../core/delivery/attempts.js";
import { FULFILLED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import { CqrsError, EventHandlersFailedError } from "../core/errors.js";
import { createMiddleware, replying, stateIn, type Step } from "../core/pipeline/form.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { captureContext, type AsyncScope } from "../core/util/async-context.js";
import { ignored } from "../core/util/thenable.js";
import { startTimer, type TimerOptions } from "../core/util/timers.js";

export interface RetryingOptions<M = object> extends TimerOptions {
  /** Number of retries after the first attempt. `Infinity` needs a `delayMs`. */
  readonly count: number;
  /** Longest wait before the first retry, in milliseconds; 0 retries synchronously. @defaultValue 0 */
  readonly delayMs?: number;
  /** Growth of the wait: `"exponential"` doubles it from retry to retry. @defaultValue "exponential" */
  readonly backoff?: "exponential" | "constant";
  /** Upper bound of every wait, in milliseconds. @defaultValue 30_000 */
  readonly maxDelayMs?: number;
  /**
   * Waits a random part of the time, so that messages that failed together do not return together: "full
   * jitter" of https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/. @defaultValue true
   */
  readonly jitter?: boolean;
  /**
   * Returns true for an error that may be gone at the next attempt. For an event it is called with the error
   * of each handler that failed, and one retryable error is enough. @defaultValue {@link isRetryable}
   */
  readonly retryIf?: (error: unknown, message: M) => boolean;
  /** Source of the jitter: returns a number from 0 to 1. @defaultValue `Math.random` */
  readonly random?: () => number;
}

/**
 * Runs a message again after it failed, with a growing pause between attempts.
 *
 * Guarantees:
 * - At most `1 + count` attempts. Each has a `signal` of its own, and its number, from 1, in `context.attempt`.
 * - The last error rejects the message as it was thrown.
 * - An aborted message is rejected at once, also between two attempts, and is not retried.
 * - Without a `delayMs` the message stays synchronous as long as its attempts are.
 *
 * A retry of an event calls all of its handlers again, also those that succeeded. Under `ask$` an attempt
 * succeeds when the handler returns its stream; use RxJS's `retry` for a stream that fails later.
 *
 * @throws InvalidOptionsError
 * @example
 * new CommandBus({
 *   middleware: [retrying({ count: 3, delayMs: 100, retryIf: (error) => error instanceof ConnectionError })],
 * });
 */
export function retrying<M extends object = object, R = unknown>(
  options: RetryingOptions<M>,
): Middleware<M, R> {
  const policy = policyOf(options as unknown as RetryingOptions);
  const name = `retrying(${options.count})`;
  const retriesIn = stateIn((place) => {
    const retries = new Retries(name);
    place.attach(retries);
    return retries;
  });
  return createMiddleware(
    name,
    (rest, place) => {
      const retries = retriesIn(place);
      return replying((delivery) => new Retry(delivery, rest, policy, retries).run(), place.outermost);
    },
    { passThrough: true },
  );
}

/** Counts the retries of one bus. */
class Retries implements Closeable {
  readonly #name: string;
  count = 0;

  constructor(name: string) {
    this.#name = name;
  }

  describe({ gauges }: PartsDescription): void {
    gauges.push({ middleware: this.#name, values: { retries: this.count } });
  }
}

type Policy = Required<Omit<RetryingOptions, "scheduler">> & TimerOptions;

/** Codes of errors that the next attempt would meet again, and of refusals on purpose. */
const PERMANENT_CODES: ReadonlySet<string> = new Set([
  "BUS_CLOSED",
  "DISPATCH_DEPTH_EXCEEDED",
  "HANDLER_NOT_FOUND",
  "INVALID_MESSAGE",
  "INVALID_OPTIONS",
  "SELF_DEADLOCK",
  "SUPERSEDED",
  "UNAUTHORIZED",
]);

/**
 * Returns true unless the next attempt would fail with the same error, as after `InvalidMessageError` or
 * `UnauthorizedError`, or the work was cancelled (`AbortError`). An `EventHandlersFailedError` is retryable
 * if one of its `errors` is.
 */
export function isRetryable(error: unknown): boolean {
  if (error instanceof EventHandlersFailedError) return error.errors.some(isRetryable);
  return !(error instanceof CqrsError && PERMANENT_CODES.has(error.code)) && !isAbortError(error);
}

/** The attempts at one message: attempt, decide, wait, attempt. */
class Retry {
  readonly #delivery: LiveDelivery;
  readonly #rest: Step;
  readonly #policy: Policy;
  readonly #retries: Retries;
  #attempts = 0;
  #scope: AsyncScope | undefined;
  #stopTimer: (() => void) | undefined;

  constructor(delivery: LiveDelivery, rest: Step, policy: Policy, retries: Retries) {
    this.#delivery = delivery;
    this.#rest = rest;
    this.#policy = policy;
    this.#retries = retries;
  }

  /**
   * Attempts until one succeeds, has to be waited for, or was the last. A loop, because synchronous failures
   * would nest otherwise.
   */
  run(): void {
    while (this.#delivery.pending) {
      const attempt = forkForAttempt(this.#delivery, ++this.#attempts);
      if (this.#attempts > 1) this.#retries.count++;
      attempt.run(this.#rest);
      if (attempt.pending) return this.#continueAfter(attempt);
      if (!this.#shouldRetry(attempt)) return this.#adopt(attempt);
      if (this.#policy.delayMs > 0) return this.#wait();
    }
  }

  /**
   * Decides once a pending attempt has settled, in the async context of the message, because another context may
   * settle it.
   */
  #continueAfter(attempt: LiveDelivery): void {
    const scope = (this.#scope ??= captureContext());
    attempt.whenSettled(() =>
      scope.runInAsyncScope(() => {
        if (!this.#delivery.pending) return;
        if (!this.#shouldRetry(attempt)) this.#adopt(attempt);
        else if (this.#policy.delayMs > 0) this.#wait();
        else this.run();
      }),
    );
  }

  #shouldRetry({ status, result }: LiveDelivery): boolean {
    if (status === FULFILLED || this.#attempts > this.#policy.count) return false;
    const { message } = this.#delivery;
    const shouldRetry = (error: unknown): boolean =>
      syncBoolean(this.#policy.retryIf(error, message), "retrying()", "retryIf");
    try {
      return result instanceof EventHandlersFailedError
        ? result.errors.some(shouldRetry)
        : shouldRetry(result);
    } catch (error) {
      this.#delivery.fail(error);
      return false;
    }
  }

  /** Settles the message as its last attempt was settled. */
  #adopt(attempt: LiveDelivery): void {
    this.#delivery.run(() => attempt.asResult());
  }

  #wait(): void {
    const scope = (this.#scope ??= captureContext());
    if (this.#stopTimer === undefined) this.#delivery.whenSettled(() => this.#stopTimer?.());
    try {
      const delayMs = this.#delayMs();
      // A `retryIf` or `random` may have aborted the message.
      if (!this.#delivery.pending) return;
      this.#stopTimer = startTimer(delayMs, () => scope.runInAsyncScope(() => this.run()), {
        scheduler: this.#policy.scheduler,
        // Keep the process alive, because the sender waits for the next attempt.
        keepAlive: true,
      });
    } catch (error) {
      this.#delivery.fail(error);
    }
  }

  #delayMs(): number {
    const { delayMs, maxDelayMs, backoff, jitter, random } = this.#policy;
    const longest = Math.min(
      maxDelayMs,
      backoff === "constant" ? delayMs : delayMs * 2 ** (this.#attempts - 1),
    );
    return Math.round(jitter ? longest * fraction(random()) : longest);
  }
}

/** @throws InvalidOptionsError */
function fraction(random: unknown): number {
  if (typeof random === "number" && random >= 0 && random <= 1) return random;
  ignored(random);
  throw invalidOption("retrying()", "random", "a function that returns a number from 0 to 1", random);
}

function policyOf(options: RetryingOptions): Policy {
  const source = "retrying()";
  checkOptions<RetryingOptions>(source, options, {
    count: required(wholeNumber(0)),
    delayMs: milliseconds,
    backoff: oneOf("exponential", "constant"),
    maxDelayMs: positiveMilliseconds,
    jitter: aBoolean,
    retryIf: aFunction,
    random: aFunction,
    scheduler: aScheduler,
  });
  const { count, delayMs = 0, backoff = "exponential", maxDelayMs = 30_000, jitter = true } = options;
  const { retryIf = isRetryable, random = Math.random, scheduler } = options;
  if (delayMs === Infinity) throw invalidOption(source, "delayMs", "finite", delayMs);
  if (count === Infinity && delayMs === 0)
    throw invalidOption(source, "delayMs", "above 0 with an infinite count", delayMs);
  return { count, delayMs, backoff, maxDelayMs, jitter, retryIf, random, scheduler };
}
