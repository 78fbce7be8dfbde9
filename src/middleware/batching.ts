import {
  aFunction,
  aScheduler,
  checkOptions,
  invalidOption,
  milliseconds,
  required,
  wholeNumber,
} from "../core/checks.js";
import { abortError } from "../core/delivery/abort.js";
import type { Closeable, PartsDescription } from "../core/delivery/delivery-host.js";
import { ABORTED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import { rememberWork } from "../core/delivery/unfinished-work.js";
import type { ResultOf } from "../core/messages/message.js";
import { createMiddleware, replying, stateIn } from "../core/pipeline/form.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { captureContext, type AsyncScope } from "../core/util/async-context.js";
import { asPromise, ignored, isThenable } from "../core/util/thenable.js";
import { startTimer, type TimerOptions } from "../core/util/timers.js";
import { BatchResultError } from "./errors.js";
import { checkForQueries } from "./internal/for-queries.js";

export interface BatchingOptions<Q = object, R = ResultOf<Q>> extends TimerOptions {
  /** Number of queries at which a batch is loaded at once. @defaultValue Infinity */
  readonly maxSize?: number;
  /**
   * Time in which a batch gathers queries, from its first query on, in milliseconds; 0 gathers those of one
   * microtask. @defaultValue 0
   */
  readonly windowMs?: number;
  /**
   * Loads the results of a batch: returns one result for each query, in the same order, and not a promise among them;
   * an `Error` rejects its query only. The signal is aborted when every caller of the batch has left.
   */
  readonly load: (
    queries: readonly Q[],
    context: { readonly signal: AbortSignal },
  ) => readonly (R | Error)[] | PromiseLike<readonly (R | Error)[]>;
}

/**
 * Calls `load` once for many queries, instead of their handler; usually inside `when(Type, ...)`, innermost.
 * Register a handler all the same, because the bus refuses a type without one; it is not called. Refused by
 * command and event buses.
 *
 * Guarantees:
 * - Each query gets its own result or error. An error of `load` rejects all queries of the batch, and so does
 *   `BatchResultError` if `load` does not return one result for each.
 * - An aborted query leaves its batch, and is not loaded if it left in time.
 * - When the bus closes, the queries gathered so far are loaded at once.
 *
 * `load` runs in the async context of the first query of the batch. Put `coalescing` before it to load equal
 * queries once.
 *
 * @throws InvalidOptionsError
 * @example
 * const load = (queries: readonly GetUser[]) => users.findMany(queries.map(({ userId }) => userId));
 * new QueryBus({ middleware: [when(GetUser, batching({ load }))] });
 */
export function batching<Q extends object = object, R = ResultOf<Q>>(
  options: BatchingOptions<Q, R>,
): Middleware<Q, R> {
  const policy = policyOf(options as unknown as BatchingOptions);
  const batchesIn = stateIn(({ host, attach }) => {
    checkForQueries("batching", host);
    const batches = new Batches(policy);
    attach(batches);
    return batches;
  });
  return createMiddleware(
    "batching",
    (_, place) => {
      const batches = batchesIn(place);
      return replying((delivery) => batches.add(delivery), place.outermost);
    },
    { passThrough: true },
  );
}

type Policy = Required<Omit<BatchingOptions, "scheduler">> & TimerOptions;

interface Batch {
  readonly waiting: Set<LiveDelivery>;
  readonly scope: AsyncScope;
  stopTimer: () => void;
}

class Batches implements Closeable {
  readonly #policy: Policy;
  #gathering: Batch | undefined;
  #closing = false;
  #loads = 0;
  #queries = 0;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  add(delivery: LiveDelivery): void {
    const batch = (this.#gathering ??= this.#begin());
    const { waiting } = batch;
    waiting.add(delivery);
    delivery.whenSettled(() => {
      // Stop the timer of an empty batch, because it would keep the process alive.
      if (waiting.delete(delivery) && waiting.size === 0 && this.#gathering === batch) this.stop();
    });
    if (waiting.size >= this.#policy.maxSize || this.#closing) this.#load(batch);
  }

  describe({ gauges }: PartsDescription): void {
    gauges.push({ middleware: "batching", values: { loads: this.#loads, queries: this.#queries } });
  }

  flush(): void {
    this.#closing = true;
    if (this.#gathering !== undefined) this.#load(this.#gathering);
  }

  stop(): void {
    this.#gathering?.stopTimer();
    this.#gathering = undefined;
  }

  #begin(): Batch {
    const batch: Batch = { waiting: new Set(), scope: captureContext(), stopTimer: () => undefined };
    const load = (): void => {
      if (this.#gathering === batch) this.#load(batch);
    };
    const { windowMs, scheduler } = this.#policy;
    // A promise, not queueMicrotask(), because fake timers hold that back.
    if (windowMs === 0) void Promise.resolve().then(load);
    else batch.stopTimer = startTimer(windowMs, load, { scheduler, keepAlive: true });
    return batch;
  }

  #load(batch: Batch): void {
    this.#gathering = undefined;
    batch.stopTimer();
    // An aborted query leaves after its outcome is out, whose observers may ask the query that fills the batch.
    const deliveries: LiveDelivery[] = [];
    for (const delivery of batch.waiting) if (delivery.pending) deliveries.push(delivery);
    if (deliveries.length === 0) return;
    this.#loads++;
    this.#queries += deliveries.length;
    batch.scope.runInAsyncScope(load, undefined, deliveries, this.#policy);
  }
}

function load(deliveries: readonly LiveDelivery[], policy: Policy): void {
  const controller = new AbortController();
  let left = deliveries.length;
  let loading: Promise<unknown> | undefined;
  const whenLeft = (delivery: LiveDelivery): void => {
    if (loading === undefined) return;
    // Remember the load as work of an aborted query, so that a middleware further out holds its slot until the load
    // has ended.
    if (delivery.holder.status === ABORTED) rememberWork(delivery.origin, loading);
    if (--left === 0) controller.abort(abortError("Every caller of this batch has left."));
  };

  const fail = (error: unknown): void => {
    loading = undefined;
    let late = true;
    for (const delivery of deliveries) {
      if (delivery.pending) late = false;
      delivery.fail(error);
    }
    // Report the error, because every caller has left.
    if (late) deliveries[0]!.lateFailure(error);
  };
  const distribute = (results: unknown): void => {
    loading = undefined;
    if (!Array.isArray(results) || results.length !== deliveries.length || results.some(isThenable)) {
      if (Array.isArray(results)) results.forEach(ignored);
      return fail(new BatchResultError(deliveries[0]!.typeName, deliveries.length, results));
    }
    for (const [index, delivery] of deliveries.entries()) {
      const result: unknown = results[index];
      if (isError(result)) delivery.fail(result);
      else delivery.succeed(result);
    }
  };

  try {
    const results: unknown = policy.load(
      deliveries.map(({ message }) => message),
      { signal: controller.signal },
    );
    if (!isThenable(results)) return distribute(results);
    loading = asPromise(results);
    loading.then(distribute, fail);
    for (const delivery of deliveries) delivery.whenSettled(() => whenLeft(delivery));
  } catch (error) {
    fail(error);
  }
}

/** Returns true for errors of any realm. */
function isError(value: unknown): boolean {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

function policyOf(options: BatchingOptions): Policy {
  checkOptions<BatchingOptions>("batching()", options, {
    maxSize: wholeNumber(1),
    windowMs: milliseconds,
    load: required(aFunction),
    scheduler: aScheduler,
  });
  const { maxSize = Infinity, windowMs = 0, load, scheduler } = options;
  if (windowMs === Infinity) throw invalidOption("batching()", "windowMs", "finite", windowMs);
  return { maxSize, windowMs, load, scheduler };
}
