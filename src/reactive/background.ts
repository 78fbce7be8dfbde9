import type { Step } from "../core/pipeline/form.js";
import { syncBoolean } from "../core/checks.js";
import { captureContext, type AsyncScope } from "../core/util/async-context.js";
import type { Cause } from "../core/delivery/delivery.js";
import { FULFILLED, LATER, LiveDelivery, REJECTED } from "../core/delivery/live-delivery.js";
import type { Engine } from "../core/bus/engine.js";
import { checkObject, MessageDroppedError, refuse } from "../core/errors.js";
import { backoffMs, checkMs, checkWhole } from "./retry-options.js";
import { CoalescedTask } from "./coalesced-task.js";

export interface BackgroundOptions {
  /** How many enqueued commands run at a time. @defaultValue 10 */
  readonly concurrency?: number;
  /** Whether, and how, those that fail are run again. @defaultValue they are not */
  readonly retry?: BackgroundRetryOptions;
}

export interface BackgroundRetryOptions {
  /** How often to try again after the first attempt; `Infinity` only with a `delayMs`. */
  readonly count: number;
  /** The wait before the first retry, doubled from retry to retry. It takes up none of the concurrency. @defaultValue 0 */
  readonly delayMs?: number;
  /** What no wait exceeds. @defaultValue 30_000 */
  readonly maxDelayMs?: number;
  /** Whether an error may be gone at the next attempt. @defaultValue always */
  readonly retryIf?: (error: unknown, command: object) => boolean;
}

function checkedRetry(options: BackgroundRetryOptions, path: string): Required<BackgroundRetryOptions> {
  checkObject(options, path);
  const { count = 0, delayMs = 0, maxDelayMs = 30_000, retryIf = () => true } = options;
  checkWhole(count, 0, `${path}.count`);
  checkMs(delayMs, `${path}.delayMs`);
  checkMs(maxDelayMs, `${path}.maxDelayMs`);
  if (typeof retryIf !== "function") refuse(`${path}.retryIf`, "is not a function");
  if (count === Infinity && Math.min(delayMs, maxDelayMs) === 0)
    refuse(`${path}.count`, "is Infinity, which needs delayMs and maxDelayMs above 0");
  return { count, delayMs, maxDelayMs, retryIf };
}

interface Job {
  readonly delivery: LiveDelivery;
  readonly run: Step;
  readonly scope: AsyncScope;
  attempts: number;
  retryTimer?: ReturnType<typeof setTimeout>;
}

/** Commands that were accepted and run later, each when what caused it has succeeded and there is room. */
export class Background {
  readonly #concurrency: number;
  readonly #retry: Required<BackgroundRetryOptions>;
  /** What may run as soon as there is room, oldest first. */
  readonly #ready = new Set<Job>();
  readonly #fill = new CoalescedTask(() => this.#start());
  #running = 0;
  #unsettled = 0;
  #drained: (() => void)[] = [];

  constructor(options: BackgroundOptions = {}) {
    checkObject(options, "options.background");
    const { concurrency = 10, retry } = options;
    checkWhole(concurrency, 1, "options.background.concurrency");
    this.#concurrency = concurrency;
    this.#retry = checkedRetry(retry ?? { count: 0 }, "options.background.retry");
  }

  /** Takes an accepted delivery, and the pipeline that will run it. */
  keep(delivery: LiveDelivery, run: Step, causedBy: Cause | undefined, engine: Engine): unknown {
    const job: Job = { delivery, run, scope: captureContext(), attempts: 0 };
    this.#unsettled++;
    const forget =
      causedBy instanceof LiveDelivery
        ? whenSucceeded(
            causedBy as LiveDelivery,
            () => this.#makeReady(job),
            (reason) => delivery.fail(new MessageDroppedError(delivery.typeName, undefined, reason)),
          )
        : this.#makeReady(job);
    delivery.whenSettled(() => {
      forget?.();
      clearTimeout(job.retryTimer);
      this.#ready.delete(job);
      const { status, result, typeName, envelope } = delivery;
      if (status === REJECTED && !engine.observers.outcomes.observed)
        engine.report({ kind: "background", source: typeName, error: result, envelope });
      if (--this.#unsettled > 0) return;
      const drained = this.#drained;
      this.#drained = [];
      for (const resolve of drained) resolve();
    });
    return LATER;
  }

  drain(): Promise<void> {
    return this.#unsettled === 0
      ? Promise.resolve()
      : new Promise((resolve) => void this.#drained.push(resolve));
  }

  #makeReady(job: Job): undefined {
    if (!job.delivery.pending) return;
    this.#ready.add(job);
    this.#fill.schedule();
  }

  #start(): void {
    // Not those that get ready meanwhile: commands that enqueue themselves would never let go.
    let count = this.#ready.size;
    for (const job of this.#ready) {
      if (count-- === 0 || this.#running >= this.#concurrency) return;
      this.#ready.delete(job);
      this.#attempt(job);
    }
  }

  #attempt(job: Job): void {
    this.#running++;
    const attempt = job.delivery.forkForAttempt(++job.attempts);
    attempt.whenSettled(() => {
      this.#running--;
      if (this.#ready.size > 0) this.#fill.schedule();
      if (attempt.status === FULFILLED) job.delivery.resolve();
      else if (job.delivery.pending) this.#failed(job, attempt.result);
    });
    attempt.runIn(job.scope, job.run);
  }

  #failed(job: Job, error: unknown): void {
    const { count, delayMs, maxDelayMs, retryIf } = this.#retry;
    try {
      if (
        job.attempts > count ||
        !syncBoolean(retryIf(error, job.delivery.message), "background", "retry.retryIf")
      )
        return job.delivery.fail(error);
    } catch (failure) {
      return job.delivery.fail(failure);
    }
    const waitMs = backoffMs(job.attempts, delayMs, maxDelayMs);
    if (waitMs === 0) this.#makeReady(job);
    else job.retryTimer = setTimeout(() => this.#makeReady(job), waitMs);
  }
}

/**
 * Tells how a cause ended, at once if it has: the handler's own reply, which middleware may have asked for again, and then the whole, which is not the
 * dispatch where several share a run. The dispatch has its outcome first all the same.
 */
function whenSucceeded(
  cause: LiveDelivery,
  succeeded: () => void,
  failed: (reason: unknown) => void,
): () => void {
  const { reply, settlingRun, origin } = cause;
  const ended = (): void =>
    settlingRun.status === FULFILLED ? origin.whenSettled(succeeded) : failed(settlingRun.result);
  const part = (): void =>
    reply.status === FULFILLED ? settlingRun.whenSettled(ended) : failed(reply.result);
  reply.whenSettled(part);
  return () => {
    reply.forget(part);
    settlingRun.forget(ended);
    origin.forget(succeeded);
  };
}
