import { createMiddleware, replying, type Step } from "../core/pipeline/form.js";
import { captureContext, type AsyncScope } from "../core/util/async-context.js";
import { isAbortError } from "../core/delivery/abort.js";
import { syncBoolean } from "../core/checks.js";
import { FULFILLED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import { CqrsError, InvalidMiddlewareError } from "../core/errors.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { ignored } from "../core/util/thenable.js";
import { checkMs, checkTimerOptions, refuseOption } from "./internal/options.js";
import { startTimer, type TimerOptions } from "../core/util/timers.js";

export interface RetryingOptions<M = object> extends TimerOptions {
  /** How often to try again after the first attempt; `Infinity` only with a `delayMs`. */
  readonly count: number;
  /** The longest wait before the first retry, in milliseconds. @defaultValue 0, at once */
  readonly delayMs?: number;
  /** `"exponential"` doubles the wait from retry to retry. @defaultValue "exponential" */
  readonly backoff?: "exponential" | "constant";
  /** What no wait exceeds, in milliseconds. @defaultValue 30_000 */
  readonly maxDelayMs?: number;
  /**
   * Waits a random part of the time, so that what failed together does not come back together ("full jitter" of
   * https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/). @defaultValue true
   */
  readonly jitter?: boolean;
  /** Whether an error may be gone at the next attempt. @defaultValue {@link mayGetBetter} */
  readonly retryIf?: (error: unknown, message: M) => boolean;
  /** From 0 to 1, for the jitter. @defaultValue `Math.random` */
  readonly random?: () => number;
}

/**
 * Handles a message again that failed, after a pause that grows.
 *
 * Guarantees: every attempt has a `signal` of its own, and its number, from 1, in `context.attempt`; there are at most `1 + count`. The last error
 * arrives as it was thrown. A message that is aborted is rejected at once, also between two attempts, and not tried again. Without a `delayMs`
 * it is synchronous as long as the attempts are.
 *
 * An event is retried as a whole: all of its handlers run again. Under `ask$` an attempt has succeeded once the handler returns its stream;
 * RxJS's `retry` is for streams that fail later.
 *
 * @example
 * new CommandBus({ middleware: [retrying({ count: 3, delayMs: 100, retryIf: (error) => error instanceof ConnectionError })] });
 */
export function retrying<M extends object = object, R = unknown>(
  options: RetryingOptions<M>,
): Middleware<M, R> {
  const policy = checked(options as unknown as RetryingOptions);
  return createMiddleware(
    `retrying(${options.count})`,
    (rest, { outermost }) => replying((delivery) => new Attempts(delivery, rest, policy).run(), outermost),
    { passThrough: true },
  );
}

type Policy = Required<Omit<RetryingOptions, "scheduler">> & TimerOptions;

// What is wrong with the message or its sender, and what was decided on purpose.
const LASTING: ReadonlySet<string> = new Set([
  "BUS_CLOSED",
  "DISPATCH_DEPTH_EXCEEDED",
  "HANDLER_NOT_FOUND",
  "INVALID_MESSAGE",
  "SELF_DEADLOCK",
  "SUPERSEDED",
  "UNAUTHORIZED",
]);

/** All errors but those that the next attempt would meet as well, such as `InvalidMessageError` and `UnauthorizedError`, and cancellations. */
export function mayGetBetter(error: unknown): boolean {
  return !(error instanceof CqrsError && LASTING.has(error.code)) && !isAbortError(error);
}

/** All attempts at one message. */
class Attempts {
  readonly #delivery: LiveDelivery;
  readonly #rest: Step;
  readonly #policy: Policy;
  #made = 0;
  #scope: AsyncScope | undefined;
  #stopTimer: (() => void) | undefined;

  constructor(delivery: LiveDelivery, rest: Step, policy: Policy) {
    this.#delivery = delivery;
    this.#rest = rest;
    this.#policy = policy;
  }

  /** Attempts until one succeeds, has to be waited for, or was the last; a loop, however many fail synchronously. */
  run(): void {
    while (this.#delivery.pending) {
      const attempt = this.#delivery.forkForAttempt(++this.#made);
      attempt.run(this.#rest);
      if (attempt.pending) {
        // Whatever ends it will do so in a context of its own.
        const scope = (this.#scope ??= captureContext());
        attempt.whenSettled(() => scope.runInAsyncScope(() => this.#goesOn(attempt) && this.run()));
        return;
      }
      if (!this.#goesOn(attempt)) return;
    }
  }

  /** Whether to try again at once; if not, the message has been settled or the next attempt has been scheduled. */
  #goesOn(attempt: LiveDelivery): boolean {
    const delivery = this.#delivery;
    if (!delivery.pending) return false;
    try {
      if (!this.#failedForNow(attempt)) delivery.run(() => attempt.asResult());
      else if (this.#policy.delayMs === 0) return true;
      else this.#sleep();
    } catch (error) {
      delivery.fail(error);
    }
    return false;
  }

  #failedForNow({ status, result }: LiveDelivery): boolean {
    const { count, retryIf } = this.#policy;
    return (
      status !== FULFILLED &&
      this.#made <= count &&
      syncBoolean(retryIf(result, this.#delivery.message), "retrying()", "retryIf")
    );
  }

  #sleep(): void {
    const { delayMs, maxDelayMs, backoff, jitter, random, scheduler } = this.#policy;
    const longest = Math.min(maxDelayMs, backoff === "constant" ? delayMs : delayMs * 2 ** (this.#made - 1));
    const scope = (this.#scope ??= captureContext());
    if (this.#stopTimer === undefined) this.#delivery.whenSettled(() => this.#stopTimer?.());
    // Keeps the process alive, as the work would that is still to be done.
    this.#stopTimer = startTimer(
      Math.round(jitter ? longest * fraction(random()) : longest),
      () => scope.runInAsyncScope(() => this.run()),
      {
        scheduler,
        keepAlive: true,
      },
    );
  }
}

/** @throws InvalidMiddlewareError */
function fraction(random: unknown): number {
  if (typeof random === "number" && random >= 0 && random <= 1) return random;
  ignored(random);
  throw new InvalidMiddlewareError(
    `The random of retrying() is a number from 0 to 1; received ${String(random)}.`,
  );
}

function checked(options: RetryingOptions): Policy {
  checkTimerOptions("retrying", options);
  const {
    count,
    delayMs = 0,
    backoff = "exponential",
    maxDelayMs = 30_000,
    jitter = true,
    retryIf = mayGetBetter,
    random = Math.random,
    scheduler,
  } = options;
  const refuse = (problem: string, received: unknown): never => refuseOption("retrying", problem, received);
  if (!(Number.isInteger(count) || count === Infinity) || count < 0)
    refuse("count is the number of retries, 0 or more", count);
  checkMs("retrying", "delayMs", delayMs, { orZero: true });
  if (delayMs === Infinity) refuse("delayMs is finite", delayMs);
  checkMs("retrying", "maxDelayMs", maxDelayMs);
  if (count === Infinity && delayMs === 0) refuse("retrying for ever needs a delayMs above 0", delayMs);
  if (!["exponential", "constant"].includes(backoff))
    refuse('backoff is "exponential" or "constant"', backoff);
  if (typeof retryIf !== "function") refuse("retryIf is a function (error, message) => boolean", retryIf);
  if (typeof jitter !== "boolean") refuse("jitter is true or false", jitter);
  if (typeof random !== "function") refuse("random is a function", random);
  return { count, delayMs, backoff, maxDelayMs, jitter, retryIf, random, scheduler };
}
