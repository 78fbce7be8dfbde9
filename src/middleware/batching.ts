import { createMiddleware, replying, stateIn } from "../core/pipeline/form.js";
import type { Closeable } from "../core/delivery/delivery-host.js";
import { captureContext, type AsyncScope } from "../core/util/async-context.js";
import { abortError } from "../core/delivery/abort.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import type { ResultOf } from "../core/messages/message.js";
import { asPromise, ignored, isThenable } from "../core/util/thenable.js";
import { BatchResultError } from "./errors.js";
import { checkForQueries, checkMs, checkTimerOptions, refuseOption } from "./internal/options.js";
import { startTimer, type TimerOptions } from "../core/util/timers.js";

export interface BatchingOptions<Q = object, R = ResultOf<Q>> extends TimerOptions {
  /** A batch of this size is loaded at once. @defaultValue Infinity */
  readonly maxSize?: number;
  /** How long queries are gathered, from the first one on, in milliseconds; 0 gathers those of one microtask. @defaultValue 0 */
  readonly windowMs?: number;
  /** One result for each query, in their order, and none a promise; an `Error` rejects that query only. The signal is aborted when nobody waits any more. */
  readonly load: (
    queries: readonly Q[],
    context: { readonly signal: AbortSignal },
  ) => readonly (R | Error)[] | PromiseLike<readonly (R | Error)[]>;
}

/**
 * One `load` for many queries, in place of their handler: usually inside `when(Type, ...)`, innermost. The type is registered all the same, so that the
 * bus knows it; that handler is not called.
 *
 * Guarantees: each query gets its own result or error. What `load` throws or rejects with reaches all of its queries, and so does `BatchResultError`
 * if it does not return one result for each. A query that is aborted leaves its batch, and is not loaded if it did so in time. When the bus
 * closes, what was gathered is loaded at once.
 *
 * A load runs in the async context of the first query of its batch. Put `coalescing` before it to load equal queries once.
 *
 * @example
 * new QueryBus({
 *   middleware: [when(GetUser, batching({ load: (queries) => users.findMany(queries.map(({ userId }) => userId)) }))],
 * });
 */
export function batching<Q extends object = object, R = ResultOf<Q>>(
  options: BatchingOptions<Q, R>,
): Middleware<Q, R> {
  const policy = checked(options as unknown as BatchingOptions);
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

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  add(delivery: LiveDelivery): void {
    const batch = (this.#gathering ??= this.#begin());
    const { waiting } = batch;
    waiting.add(delivery);
    delivery.whenSettled(() => {
      // Who is left behind when all have gone is a timer, which would keep the process alive.
      if (waiting.delete(delivery) && waiting.size === 0 && this.#gathering === batch) this.stop();
    });
    if (waiting.size >= this.#policy.maxSize || this.#closing) this.#load(batch);
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
    if (windowMs === 0) queueMicrotask(load);
    else batch.stopTimer = startTimer(windowMs, load, { scheduler, keepAlive: true });
    return batch;
  }

  #load(batch: Batch): void {
    this.#gathering = undefined;
    batch.stopTimer();
    const deliveries = [...batch.waiting];
    if (deliveries.length > 0) batch.scope.runInAsyncScope(load, undefined, deliveries, this.#policy);
  }
}

function load(deliveries: readonly LiveDelivery[], policy: Policy): void {
  const controller = new AbortController();
  let left = deliveries.length;
  let loading = true;
  for (const delivery of deliveries)
    delivery.whenSettled(() => {
      if (--left === 0 && loading) controller.abort(abortError("Nobody waits for this batch any more."));
    });

  const fail = (error: unknown): void => {
    loading = false;
    let late = true;
    for (const delivery of deliveries) {
      if (delivery.pending) late = false;
      delivery.fail(error);
    }
    // Nobody is left to hear of it.
    if (late) deliveries[0]!.lateFailure(error);
  };
  const distribute = (results: unknown): void => {
    loading = false;
    if (!Array.isArray(results) || results.length !== deliveries.length || results.some(isThenable)) {
      if (Array.isArray(results)) results.forEach(ignored);
      return fail(new BatchResultError(deliveries[0]!.typeName, deliveries.length, results));
    }
    for (const [index, delivery] of deliveries.entries()) {
      const result: unknown = results[index];
      if (isError(result)) delivery.fail(result);
      else delivery.resolve(result);
    }
  };

  try {
    const results: unknown = policy.load(
      deliveries.map(({ message }) => message),
      { signal: controller.signal },
    );
    if (isThenable(results)) asPromise(results).then(distribute, fail);
    else distribute(results);
  } catch (error) {
    fail(error);
  }
}

/** Also of another realm. */
function isError(value: unknown): boolean {
  return value instanceof Error || Object.prototype.toString.call(value) === "[object Error]";
}

function checked(options: BatchingOptions): Policy {
  checkTimerOptions("batching", options);
  const { maxSize = Infinity, windowMs = 0, load, scheduler } = options;
  const refuse = (problem: string, received: unknown): never => refuseOption("batching", problem, received);
  if (typeof load !== "function") refuse("load is a function of the queries", load);
  if (!(maxSize >= 1) || (!Number.isInteger(maxSize) && maxSize !== Infinity))
    refuse("maxSize is a whole number from 1", maxSize);
  checkMs("batching", "windowMs", windowMs, { orZero: true });
  if (windowMs === Infinity) refuse("windowMs is finite", windowMs);
  return { maxSize, windowMs, load, scheduler };
}
