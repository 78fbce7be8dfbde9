import type { Step } from "../core/pipeline/form.js";
import {
  aFunction,
  anObject,
  checkCopy,
  checkOption,
  checkOptions,
  invalidOption,
  milliseconds,
  required,
  syncBoolean,
  timerMilliseconds,
  wholeNumber,
  type Checks,
} from "../core/checks.js";
import { captureContext, type AsyncScope } from "../core/util/async-context.js";
import type { Cause } from "../core/delivery/delivery.js";
import type { Closeable } from "../core/delivery/delivery-host.js";
import { forkForAttempt } from "../core/delivery/attempts.js";
import { FULFILLED, LATER, LiveDelivery, REFUSED, REJECTED } from "../core/delivery/live-delivery.js";
import type { Engine } from "../core/bus/engine.js";
import type { BackgroundDescription, DispatchOptions } from "../core/bus/options.js";
import { afterWork } from "../core/delivery/unfinished-work.js";
import { MessageDroppedError, QueueFullError } from "../core/errors.js";
import { typeNameOf } from "../core/delivery/metadata.js";
import { isEnvelope, type Envelope } from "../core/messages/envelope.js";
import { backoffMs } from "../core/util/backoff.js";
import { CoalescedTask } from "./coalesced-task.js";

/** The options of an `enqueue`. */
export interface EnqueueOptions<Local extends object = object> extends DispatchOptions<Local> {
  /**
   * How long the message waits after its cause has succeeded, or after the call where no cause is in flight, in
   * milliseconds; at most 2,147,483,647, which is 24 days. @defaultValue 0
   */
  readonly delayMs?: number | undefined;
}

/** The options of enqueued events. */
export interface EventBackgroundOptions {
  /**
   * How many enqueued messages run at the same time. One runs until its handler's own work has ended, even if an abort
   * or a `timeLimit` gave it up. @defaultValue 10
   */
  readonly concurrency?: number;
  /**
   * How many enqueued messages may wait for their cause, their `delayMs`, a free place, or a retry; `Infinity` for no
   * limit. `enqueue` throws `QueueFullError` beyond it, so that a producer that is too fast does not fill the memory.
   * @defaultValue 10_000
   */
  readonly maxQueued?: number;
}

/** The options of enqueued commands. */
export interface BackgroundOptions extends EventBackgroundOptions {
  /** How commands that fail are run again. @defaultValue they are not */
  readonly retry?: BackgroundRetryOptions;
}

export interface BackgroundRetryOptions {
  /** How often to try again after the first attempt; `Infinity` only with a `delayMs`. */
  readonly count: number;
  /**
   * The wait before the first retry in milliseconds, doubled from retry to retry; meanwhile another command may run.
   * @defaultValue 0
   */
  readonly delayMs?: number;
  /** The longest wait in milliseconds. @defaultValue 30_000 */
  readonly maxDelayMs?: number;
  /** Returns whether another attempt may succeed. @defaultValue always */
  readonly retryIf?: (error: unknown, command: object) => boolean;
}

const EVENT_OPTIONS: Checks<EventBackgroundOptions> = {
  concurrency: wholeNumber(1),
  maxQueued: wholeNumber(0),
};
const OPTIONS: Checks<BackgroundOptions> = { ...EVENT_OPTIONS, retry: anObject };
const RETRY_OPTIONS: Checks<BackgroundRetryOptions> = {
  count: required(wholeNumber(0)),
  delayMs: milliseconds,
  maxDelayMs: milliseconds,
  retryIf: aFunction,
};

interface Job {
  readonly delivery: LiveDelivery;
  readonly run: Step;
  readonly scope: AsyncScope;
  readonly engine: Engine;
  attempts: number;
  timer?: ReturnType<typeof setTimeout>;
}

/**
 * Runs accepted messages later, each once its cause has succeeded and a place is free.
 *
 * Not `ready$.pipe(mergeMap(run, concurrency))`: messages that enqueue themselves would run in microtasks without
 * end, and no timer would fire.
 */
export class Background implements Closeable {
  /** Messages that wait for a time of `performance.now()`. */
  readonly delayed = new Map<unknown, number>();
  readonly #source: string;
  readonly #concurrency: number;
  readonly #maxQueued: number;
  readonly #retry: Required<BackgroundRetryOptions>;
  /** Jobs that wait for a free place, oldest first. */
  readonly #ready = new Set<Job>();
  readonly #fill = new CoalescedTask(() => this.#start());
  /** Attempts that have not settled. */
  #attempting = 0;
  /** Places that are taken: by attempts, and by work that goes on after its attempt was given up. */
  #running = 0;
  #unsettled = 0;
  readonly #drained: (() => void)[] = [];

  constructor(bus: "CommandBus" | "EventBus", options: BackgroundOptions = {}) {
    const source = (this.#source = `new ${bus}()`);
    checkOptions(source, options, bus === "CommandBus" ? OPTIONS : EVENT_OPTIONS, "background.");
    const { concurrency = 10, maxQueued = 10_000, retry = { count: 0 } } = options;
    this.#concurrency = concurrency;
    this.#maxQueued = maxQueued;
    checkOptions<BackgroundRetryOptions>(source, retry, RETRY_OPTIONS, "background.retry.");
    const { count, delayMs = 0, maxDelayMs = 30_000, retryIf = () => true } = retry;
    if (count === Infinity && Math.min(delayMs, maxDelayMs) === 0)
      throw invalidOption(
        source,
        "background.retry.count",
        "finite, or delayMs and maxDelayMs above 0",
        count,
      );
    this.#retry = { count, delayMs, maxDelayMs, retryIf };
  }

  /**
   * Accepts a message now and runs it later.
   *
   * @throws QueueFullError, InvalidOptionsError, and every error that rejects a message at the door
   */
  enqueue<M extends object>(
    engine: Engine,
    message: M | Envelope<M>,
    options: EnqueueOptions = {},
  ): Envelope<M> {
    checkOption("enqueue()", "options", options, anObject);
    const { delayMs = 0, ...others } = options;
    checkOption("enqueue()", "delayMs", delayMs, timerMilliseconds);
    checkCopy("causedBy", others.causedBy);
    this.#checkRoom(message, engine);
    const delivery = engine.send(message, others, {
      defer: (accepted, run) => this.#keep(accepted, run, others.causedBy, delayMs, engine),
    });
    if (delivery.status === REFUSED) throw delivery.result;
    return delivery.envelope as Envelope<M>;
  }

  /** @throws QueueFullError, before the message is accepted, so that it has neither an envelope nor an outcome */
  #checkRoom(message: unknown, engine: Engine): void {
    if (this.#waiting < this.#maxQueued) return;
    const messageType = typeNameOf(isEnvelope(message) ? message.payload : message);
    const error = new QueueFullError(messageType, this.#maxQueued);
    engine.refuse(messageType, error);
    throw error;
  }

  /** Takes an accepted delivery and the pipeline that will run it. */
  #keep(
    delivery: LiveDelivery,
    run: Step,
    causedBy: Cause | undefined,
    delayMs: number,
    engine: Engine,
  ): unknown {
    const job: Job = { delivery, run, scope: captureContext(), engine, attempts: 0 };
    this.#unsettled++;
    const forget =
      causedBy instanceof LiveDelivery
        ? whenSucceeded(
            causedBy as LiveDelivery,
            () => this.#readyAfter(job, delayMs),
            (reason) => delivery.fail(new MessageDroppedError(delivery.typeName, undefined, reason)),
          )
        : this.#readyAfter(job, delayMs);
    delivery.whenSettled(() => {
      forget?.();
      this.#endWait(job);
      this.#ready.delete(job);
      const { status, result, typeName, envelope } = delivery;
      // The promise of the cause carries the failure of a message that is dropped, before any attempt.
      if (status === REJECTED && job.attempts > 0 && !engine.observers.outcomes.handled)
        engine.report({ kind: "background", source: typeName, error: result, envelope });
      if (--this.#unsettled === 0) for (const resolve of this.#drained.splice(0)) resolve();
    });
    return LATER;
  }

  describe(): BackgroundDescription {
    return { queued: this.#waiting, running: this.#running };
  }

  get #waiting(): number {
    return this.#unsettled - this.#attempting;
  }

  drain(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#unsettled === 0) resolve();
      else this.#drained.push(resolve);
    });
  }

  #readyAfter(job: Job, waitMs: number): undefined {
    if (!job.delivery.pending) return;
    if (waitMs === 0) return this.#makeReady(job);
    const { engine } = job;
    engine.attach(this);
    this.delayed.set(job, performance.now() + waitMs);
    job.timer = setTimeout(() => {
      this.#endWait(job);
      this.#makeReady(job);
    }, waitMs);
    // A bus that closes does not wait for a message that cannot start before its deadline.
    engine.endIfIdle();
  }

  #endWait(job: Job): void {
    clearTimeout(job.timer);
    this.delayed.delete(job);
  }

  #makeReady(job: Job): undefined {
    this.#ready.add(job);
    this.#fill.schedule();
  }

  #start(): void {
    // Leave the jobs that become ready meanwhile, because commands that enqueue themselves would never end this loop.
    let count = this.#ready.size;
    for (const job of this.#ready) {
      if (count-- === 0 || this.#running >= this.#concurrency) return;
      this.#ready.delete(job);
      this.#attempt(job);
    }
  }

  #attempt(job: Job): void {
    this.#attempting++;
    this.#running++;
    const attempt = forkForAttempt(job.delivery, ++job.attempts);
    attempt.whenSettled(() => {
      afterWork(attempt, () => {
        this.#running--;
        if (this.#ready.size > 0) this.#fill.schedule();
      });
      if (attempt.status === FULFILLED) job.delivery.succeed();
      else if (job.delivery.pending) this.#failed(job, attempt);
      // Count the attempt until now, because an observer of the outcome may enqueue, and a message that has settled
      // does not wait.
      this.#attempting--;
    });
    attempt.runIn(job.scope, job.run);
  }

  #failed(job: Job, attempt: LiveDelivery): void {
    const error = attempt.result;
    const { count, delayMs, maxDelayMs, retryIf } = this.#retry;
    try {
      if (
        job.attempts > count ||
        !syncBoolean(retryIf(error, job.delivery.message), this.#source, "background.retry.retryIf")
      )
        return job.delivery.fail(error);
    } catch (failure) {
      return job.delivery.fail(failure);
    }
    // Wait for the attempt's own work, because a retry must not run beside it.
    afterWork(attempt, () => this.#readyAfter(job, backoffMs(job.attempts, delayMs, maxDelayMs)));
  }
}

/**
 * Calls one of the functions once a cause has ended, synchronously if it has: first its own reply, which may be
 * one attempt of several, then the run that settles it, which several messages may share, then the dispatch, so
 * that its outcome is out before the effect runs.
 */
function whenSucceeded(
  cause: LiveDelivery,
  succeeded: () => void,
  failed: (reason: unknown) => void,
): () => void {
  const { holder: reply, settlingRun, origin } = cause;
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
