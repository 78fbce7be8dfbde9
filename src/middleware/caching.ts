import type { Observable } from "rxjs";
import { aFunction, anObservable, checkOptions, invalidOption, milliseconds } from "../core/checks.js";
import { abortError } from "../core/delivery/abort.js";
import type { Closeable, DeliveryHost, PartsDescription } from "../core/delivery/delivery-host.js";
import { FULFILLED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import { afterWork } from "../core/delivery/unfinished-work.js";
import { typeKey } from "../core/messages/message-key.js";
import { typeOf, type MessageType } from "../core/messages/message.js";
import { keepUntilSettled } from "../core/pipeline/detached-work.js";
import { createMiddleware, stateIn, type BuildContext, type Step } from "../core/pipeline/form.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { resume } from "../core/pipeline/resume.js";
import { uniqueId } from "../core/util/ids.js";
import { asPromise, isThenable } from "../core/util/thenable.js";
import { whenConsumed } from "./internal/consumed.js";
import { checkForQueries } from "./internal/for-queries.js";
import { keyFunction, type KeyFunction } from "./internal/key.js";
import { nextRunNumber, numberOfResult, RunOrder } from "./internal/run-order.js";
import { expiry, isTtl, reportFault, STORE_RULES, StoreClient, type StoreOptions } from "./internal/store.js";

export interface CachingOptions<Q = object, E = unknown> extends StoreOptions {
  /**
   * Returns the key of a query in the store. Include every header and local context by which the handler decides,
   * such as a tenant, because tenants would share results otherwise. @defaultValue {@link messageKey}
   */
  readonly key?: KeyFunction<Q>;
  /** Time that a result is fresh, in milliseconds of the bus's clock. @defaultValue Infinity */
  readonly ttlMs?: number;
  /**
   * Makes all results stale whose run began before it emitted. The bus stays subscribed until it is closed.
   * @defaultValue none
   */
  readonly refreshOn?: Observable<E>;
  /**
   * Time after `ttlMs` in which the stale result is still returned, in milliseconds, while a new one is fetched.
   * @defaultValue 0
   */
  readonly staleWhileRevalidateMs?: number;
}

/**
 * An entry in the store: a result, `undefined` and `null` included, and what tells whether it is fresh. Plain
 * data if the result is.
 */
export interface CacheEntry {
  readonly value: unknown;
  /** Name of the query's type, so that two types with the same `key` do not get each other's results. */
  readonly type: string;
  /** Milliseconds since the epoch. */
  readonly storedMs: number;
  /** Milliseconds since the epoch; absent without a `ttlMs`. */
  readonly expiresMs?: number;
  /** The cache that stored it, and the number of its refreshes at that time. */
  readonly epoch: string;
}

/**
 * Keeps results of queries in a store, and answers from there. Refused by command and event buses.
 *
 * Guarantees:
 * - A failed run stores nothing. A run stores its result only if no run of the key that began later has
 *   stored one, also if it was shared by `coalescing`.
 * - A hit is synchronous if the store is.
 * - A store that throws, rejects, or does not answer within `storeTimeoutMs` is passed by, with one report on
 *   `faults$` until it works again.
 * - After `refreshOn` has emitted, the result of a run that began before is neither returned from the store
 *   nor kept. If `refreshOn` fails, the cache is passed by from then on, because no result is known to be
 *   fresh.
 * - A background refresh that fails is reported on `faults$`, and the bus aborts it when it closes. One per
 *   key, until its work has ended.
 *
 * Callers share the result in the store, so do not change it. Equal queries that miss at the same time each
 * run; put `coalescing` around it. `ask$` is not cached. A store that may outlive the process needs stable
 * names, see {@link StoreOptions.scope}.
 *
 * @throws InvalidOptionsError
 * @example
 * const refreshOn = commandBus.outcomes$.pipe(ofType(RenameUser), fulfilled());
 * const store = new LRUCache({ max: 1_000 });
 * new QueryBus({ middleware: [when(GetUser, caching({ store, ttlMs: 60_000, refreshOn }))] });
 */
export function caching<Q extends object = object, R = unknown>(
  options: CachingOptions<Q>,
): Middleware<Q, R> {
  const policy = policyOf(options as unknown as CachingOptions);
  const cacheIn = stateIn((place) => {
    checkForQueries("caching", place.host);
    const cache = new Cache(policy, place);
    place.attach(cache);
    return cache;
  });
  return createMiddleware("caching", (rest, place) => {
    const cache = cacheIn(place);
    return (delivery) => (delivery.streaming ? rest(delivery) : cache.answer(delivery, rest));
  });
}

interface Policy {
  readonly key: KeyFunction;
  readonly usesMessageKey: boolean;
  readonly store: StoreClient;
  readonly ttlMs: number;
  /** `ttlMs` and the time in which a stale result is returned. */
  readonly keepMs: number;
  readonly refreshOn: Observable<unknown> | undefined;
}

/** Per store, because two caches may share one. */
const orders = new WeakMap<object, RunOrder>();

class Cache implements Closeable {
  readonly #policy: Policy;
  readonly #host: DeliveryHost;
  readonly #perMessage: boolean;
  readonly #store: StoreClient;
  readonly #order: RunOrder;
  /** Tells entries of this cache from those of other caches. */
  readonly #id = `${uniqueId()}.`;
  /** Keys that are fetched in the background. */
  readonly #refreshing = new Map<unknown, LiveDelivery>();
  readonly #unsubscribe: () => void;
  /** The type of the last query, nearly always the only one, and its key. */
  #type: MessageType | undefined;
  #typeKey = "";
  #epoch = `${this.#id}0`;
  #refreshes = 0;
  /** Number of the last refresh in the order of runs. */
  #refreshNumber = 0;
  #refreshedMs = -Infinity;
  #blind = false;
  #stopped = false;
  #hits = 0;
  #misses = 0;

  constructor(policy: Policy, { host, perMessage = false }: BuildContext) {
    this.#policy = policy;
    this.#host = host;
    this.#perMessage = perMessage;
    this.#store = policy.store;
    const { store } = policy.store;
    this.#order = orders.get(store) ?? new RunOrder();
    orders.set(store, this.#order);
    const subscription = policy.refreshOn?.subscribe({
      next: () => {
        this.#epoch = `${this.#id}${++this.#refreshes}`;
        this.#refreshNumber = nextRunNumber();
        this.#refreshedMs = host.clock.now();
      },
      error: (error: unknown) => {
        this.#blind = true;
        host.report({ kind: "middleware", source: "refreshOn of caching", error });
      },
    });
    this.#unsubscribe = () => subscription?.unsubscribe();
  }

  describe({ gauges }: PartsDescription): void {
    gauges.push({ middleware: "caching", values: { hits: this.#hits, misses: this.#misses } });
  }

  stop(): void {
    this.#stopped = true;
    for (const run of this.#refreshing.values()) run.abort(abortError("The bus is closed."));
    // Unsubscribe last, because the teardown of the source may throw.
    this.#unsubscribe();
  }

  answer(delivery: LiveDelivery, rest: Step): unknown {
    if (this.#blind) return rest(delivery);
    const { key: keyOf, usesMessageKey } = this.#policy;
    const key = keyOf(delivery.message, delivery);
    if (!this.#store.isSafeFor(delivery, usesMessageKey ? key : undefined)) return resume(delivery, rest);
    let found: unknown;
    try {
      found = this.#store.get(key);
    } catch (error) {
      return this.#passBy(delivery, rest, error);
    }
    if (!isThenable(found)) return this.#answerWith(found, key, delivery, rest);
    return asPromise(found).then(
      (found) => this.#answerWith(found, key, delivery, rest),
      (error: unknown) => this.#passBy(delivery, rest, error),
    );
  }

  #passBy(delivery: LiveDelivery, rest: Step, error: unknown): unknown {
    this.#store.report(error, delivery);
    return resume(delivery, rest);
  }

  #answerWith(found: unknown, key: unknown, delivery: LiveDelivery, rest: Step): unknown {
    if (isEntry(found) && this.#isOfType(found, delivery)) {
      const { ttlMs, keepMs } = this.#policy;
      const nowMs = ttlMs === Infinity ? 0 : this.#host.clock.now();
      const isOver = ttlMs !== Infinity && isOld(found, keepMs, nowMs);
      if (!isOver && this.#isOfEpoch(found)) {
        if (ttlMs !== Infinity && isOld(found, ttlMs, nowMs)) this.#refresh(key, delivery, rest);
        this.#hits++;
        return found.value;
      }
      // Delete it now, because the run may fail and the key may never be asked for again.
      if (isOver || found.epoch.startsWith(this.#id)) this.#store.forget(key, delivery);
    }
    return this.#run(key, delivery, rest);
  }

  #isOfType({ type }: CacheEntry, { message }: LiveDelivery): boolean {
    return type === this.#keyOfType(message);
  }

  /** Judges an entry of another cache by its time, because that cache has refreshes of its own. */
  #isOfEpoch({ epoch, storedMs }: CacheEntry): boolean {
    return epoch === this.#epoch || (!epoch.startsWith(this.#id) && storedMs > this.#refreshedMs);
  }

  #keyOfType(message: object): string {
    // Fast path, without a look at the prototype.
    if (message.constructor !== this.#type || this.#type === undefined) {
      this.#type = typeOf(message);
      this.#typeKey = typeKey(this.#type);
    }
    return this.#typeKey;
  }

  #run(key: unknown, delivery: LiveDelivery, rest: Step): unknown {
    this.#misses++;
    const number = this.#order.begin(key);
    const keep = (value: unknown): unknown => {
      this.#keep(key, value, numberOfResult(delivery, number), delivery);
      this.#order.end(key);
      return value;
    };
    const failed = (error: unknown): never => {
      this.#order.end(key);
      throw error;
    };
    let kept: unknown;
    try {
      kept = whenConsumed(resume(delivery, rest), delivery, keep);
    } catch (error) {
      return failed(error);
    }
    return isThenable(kept) ? asPromise(kept).then(undefined, failed) : kept;
  }

  #keep(key: unknown, value: unknown, number: number, delivery: LiveDelivery): void {
    if (number < this.#refreshNumber || this.#blind || this.#stopped) return;
    if (!this.#order.mayStore(key, number)) return;
    const type = this.#keyOfType(delivery.message);
    const { keepMs } = this.#policy;
    const storedMs = this.#host.clock.now();
    const entry: CacheEntry = { value, type, storedMs, ...expiry(storedMs, keepMs), epoch: this.#epoch };
    // Do not await the store, because the caller has its result.
    void this.#store.put(key, entry, keepMs, delivery);
  }

  /** Runs the query in the background, one run per key. */
  #refresh(key: unknown, delivery: LiveDelivery, rest: Step): void {
    if (this.#refreshing.has(key) || this.#stopped) return;
    const run = delivery.detached();
    const number = this.#order.begin(key);
    if (this.#perMessage) keepUntilSettled(run);
    this.#refreshing.set(key, run);
    run.whenSettled(() => {
      afterWork(run, () => this.#refreshing.delete(key));
      if (run.status === FULFILLED) this.#keep(key, run.result, numberOfResult(run, number), delivery);
      else if (!this.#stopped) reportFault("caching", run.result, delivery);
      this.#order.end(key);
    });
    // Run a microtask later, so that the caller has its result first, also if the handler is synchronous.
    void Promise.resolve().then(() => run.run(rest));
  }
}

/**
 * A result from the future was stored before the clock was set back, and is old, too: it would otherwise be kept
 * until that time comes again.
 */
function isOld({ storedMs }: CacheEntry, ttlMs: number, nowMs: number): boolean {
  return Math.abs(nowMs - storedMs) >= ttlMs;
}

function isEntry(found: unknown): found is CacheEntry {
  return (
    typeof found === "object" &&
    found !== null &&
    typeof (found as Partial<CacheEntry>).type === "string" &&
    typeof (found as Partial<CacheEntry>).epoch === "string" &&
    typeof (found as Partial<CacheEntry>).storedMs === "number"
  );
}

function policyOf(options: CachingOptions): Policy {
  const source = "caching()";
  checkOptions<CachingOptions>(source, options, {
    ...STORE_RULES,
    key: aFunction,
    ttlMs: isTtl,
    refreshOn: anObservable,
    staleWhileRevalidateMs: milliseconds,
  });
  const { key, ttlMs = Infinity, refreshOn, staleWhileRevalidateMs = 0 } = options;
  if (staleWhileRevalidateMs !== 0 && ttlMs === Infinity)
    throw invalidOption(source, "ttlMs", "given with staleWhileRevalidateMs", options.ttlMs);
  return {
    key: keyFunction("caching", key),
    usesMessageKey: key === undefined,
    store: new StoreClient("caching", options),
    ttlMs,
    keepMs: ttlMs + staleWhileRevalidateMs,
    refreshOn,
  };
}
