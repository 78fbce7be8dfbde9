import { createMiddleware, stateIn, type BuildContext, type Step } from "../core/pipeline/form.js";
import type { Observable } from "rxjs";
import { uniqueId } from "../core/util/ids.js";
import { abortError } from "../core/delivery/abort.js";
import { FULFILLED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import type { DeliveryHost, Closeable } from "../core/delivery/delivery-host.js";
import { InvalidMiddlewareError } from "../core/errors.js";
import { typeOf, type MessageType } from "../core/messages/message.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { keepUntilSettled } from "../core/pipeline/detached-work.js";
import { isStream } from "../core/delivery/consume-stream.js";
import { asPromise, ignored, isThenable } from "../core/util/thenable.js";
import { goOn } from "./authorization.js";
import { checkedKey, typeKey, type KeyFunction } from "./internal/key.js";
import { checkForQueries, checkMs } from "./internal/options.js";
import { CheckedStore, reportFault, type Store, type StoreOptions } from "./internal/store.js";

export interface CachingOptions<Q = object, E = unknown> extends StoreOptions {
  /**
   * Under what the result is kept. The context is given, too: a key that leaves out a header by which the handler decides, such as a tenant,
   * shares results between tenants. @defaultValue {@link messageKey}
   */
  readonly key?: KeyFunction<Q>;
  /** How long a result is good, in milliseconds of the bus's clock. @defaultValue Infinity */
  readonly ttlMs?: number;
  /** Whatever it emits, no result is good any more whose run had begun before. Subscribed to until the bus is closed. @defaultValue none */
  readonly refreshOn?: Observable<E>;
  /** For how long after `ttlMs` the old result is still given, in milliseconds, while a new one is fetched behind it. @defaultValue 0 */
  readonly staleWhileRevalidate?: number;
}

/** What the store keeps: a result, `undefined` and `null` included, and what tells whether it is good. Plain data if the result is. */
export interface CacheEntry {
  readonly value: unknown;
  /** Of the query. Two types that get one key from a `key` option do not take each other's results. */
  readonly type: string;
  /** Milliseconds since the epoch. */
  readonly storedMs: number;
  /** Which cache stored it, and how often that had been refreshed. */
  readonly epoch: string;
}

/**
 * Keeps results of queries in a store, and answers from there. Refused by other buses than query buses.
 *
 * Guarantees: a run that fails keeps nothing. A hit is synchronous if the store is. A store that throws, rejects, or does not answer within
 * `storeTimeoutMs` is passed by, with one report on `faults$` until it works again. After `refreshOn` has emitted, no result of a run that began before
 * is given or kept; should `refreshOn` fail, the cache is passed by from then on, because nobody knows any more what is good.
 * A refresh in the background that fails is reported on `faults$`, and ends with the bus.
 *
 * Those who get a result from the store share it: do not change it. Equal queries that miss at the same time each run; put `coalescing` around it.
 * `ask$` passes by. So does, where the store is asynchronous and may be another process's, too, a type whose name another one had first, with a report
 * on `faults$`: give each a static `messageName`.
 *
 * @example
 * const userChanged$ = commandBus.outcomes$.pipe(ofType(RenameUser), fulfilled());
 * new QueryBus({
 *   middleware: [when(GetUser, caching({ store: new LRUCache({ max: 1_000 }), ttlMs: 60_000, refreshOn: userChanged$ }))],
 * });
 */
export function caching<Q extends object = object, R = unknown>(
  options: CachingOptions<Q>,
): Middleware<Q, R> {
  const policy = checked(options as unknown as CachingOptions);
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
  readonly store: CheckedStore;
  readonly ttlMs: number;
  readonly staleWhileRevalidate: number;
  readonly refreshOn: Observable<unknown> | undefined;
}

class Cache implements Closeable {
  readonly #policy: Policy;
  readonly #host: DeliveryHost;
  readonly #perMessage: boolean;
  readonly #store: CheckedStore;
  // Taken out of others, for the sake of a hit.
  readonly #raw: Store;
  readonly #key: KeyFunction;
  readonly #keepsForGood: boolean;
  /** Tells what it stored itself from what others did. */
  readonly #id = `${uniqueId()}.`;
  readonly #refreshing = new Map<unknown, LiveDelivery>();
  readonly #unsubscribe: () => void;
  /** The type that was asked for last, nearly always the only one, and its key. */
  #type: MessageType | undefined;
  #typeKey = "";
  #epoch = `${this.#id}0`;
  #refreshes = 0;
  #refreshedMs = -Infinity;
  #blind = false;
  #stopped = false;

  constructor(policy: Policy, { host, perMessage = false }: BuildContext) {
    this.#policy = policy;
    this.#host = host;
    this.#perMessage = perMessage;
    this.#store = policy.store;
    this.#raw = policy.store.raw;
    this.#key = policy.key;
    this.#keepsForGood = policy.ttlMs === Infinity;
    const subscription = policy.refreshOn?.subscribe({
      next: () => {
        this.#epoch = `${this.#id}${++this.#refreshes}`;
        this.#refreshedMs = host.clock.now();
      },
      error: (error: unknown) => {
        this.#blind = true;
        host.report({ kind: "middleware", source: "refreshOn of caching", error });
      },
    });
    this.#unsubscribe = () => subscription?.unsubscribe();
  }

  stop(): void {
    this.#stopped = true;
    this.#unsubscribe();
    for (const run of this.#refreshing.values()) run.abort(abortError("The bus is closed."));
  }

  answer(delivery: LiveDelivery, rest: Step): unknown {
    if (this.#blind) return rest(delivery);
    const key = this.#key(delivery.message, delivery);
    let found: unknown;
    try {
      found = this.#raw.get(key);
    } catch (cause) {
      return this.#passBy(delivery, rest, this.#store.failed("get", cause));
    }
    // What this cache has stored since the last refresh, and for good: there is nothing more to look at, and it is what a cache is for.
    if (
      this.#keepsForGood &&
      this.#store.works &&
      (found as CacheEntry | null | undefined)?.epoch === this.#epoch &&
      (found as CacheEntry).type === this.#keyOfType(delivery.message)
    )
      return (found as CacheEntry).value;
    if (this.#store.confuses(found, delivery, "it is not cached")) {
      ignored(found);
      return rest(delivery);
    }
    const checked = this.#store.checked("get", found);
    if (!isThenable(checked)) return this.#answerWith(checked, key, delivery, rest);
    return asPromise(checked).then(
      (found) => this.#answerWith(found, key, delivery, rest),
      (error: unknown) => this.#passBy(delivery, rest, error),
    );
  }

  #passBy(delivery: LiveDelivery, rest: Step, error: unknown): unknown {
    this.#store.report(error, delivery);
    return goOn(delivery, rest);
  }

  #answerWith(found: unknown, key: unknown, delivery: LiveDelivery, rest: Step): unknown {
    if (isEntry(found) && this.#isValid(found, delivery)) {
      const { ttlMs, staleWhileRevalidate } = this.#policy;
      if (ttlMs === Infinity) return found.value;
      const ageMs = this.#host.clock.now() - found.storedMs;
      if (ageMs < ttlMs) return found.value;
      if (ageMs < ttlMs + staleWhileRevalidate) {
        this.#refresh(key, delivery, rest);
        return found.value;
      }
    }
    const epoch = this.#epoch;
    const result = goOn(delivery, rest);
    if (isThenable(result)) return asPromise(result).then((value) => this.#keep(key, value, epoch, delivery));
    return this.#keep(key, result, epoch, delivery);
  }

  #keyOfType(message: object): string {
    // The cheap look first.
    if (message.constructor !== this.#type || this.#type === undefined) {
      this.#type = typeOf(message);
      this.#typeKey = typeKey(this.#type);
    }
    return this.#typeKey;
  }

  /** What another cache stored in a store that is shared is judged by its time. */
  #isValid({ type, epoch, storedMs }: CacheEntry, { message }: LiveDelivery): boolean {
    if (type !== this.#keyOfType(message)) return false;
    return epoch === this.#epoch || (!epoch.startsWith(this.#id) && storedMs > this.#refreshedMs);
  }

  #keep(key: unknown, value: unknown, epoch: string, delivery: LiveDelivery): unknown {
    // A stream that a middleware made is consumed further out.
    if (epoch !== this.#epoch || this.#blind || this.#stopped || isStream(value)) return value;
    const type = this.#keyOfType(delivery.message);
    const { ttlMs, staleWhileRevalidate } = this.#policy;
    const entry: CacheEntry = { value, type, storedMs: this.#host.clock.now(), epoch };
    try {
      const kept = this.#store.set(key, entry, ttlMs + staleWhileRevalidate);
      // The caller does not wait for the store.
      if (isThenable(kept)) kept.then(undefined, (error: unknown) => this.#store.report(error, delivery));
    } catch (error) {
      this.#store.report(error, delivery);
    }
    return value;
  }

  /** Runs the query again behind an old result, one run per key. */
  #refresh(key: unknown, delivery: LiveDelivery, rest: Step): void {
    if (this.#refreshing.has(key) || this.#stopped) return;
    const epoch = this.#epoch;
    const run = delivery.detached();
    if (this.#perMessage) keepUntilSettled(run);
    this.#refreshing.set(key, run);
    run.whenSettled(() => {
      this.#refreshing.delete(key);
      if (run.status === FULFILLED) this.#keep(key, run.result, epoch, delivery);
      else if (!this.#stopped) reportFault("caching", run.result, delivery);
    });
    // After the caller has its answer, also where the handler is synchronous.
    queueMicrotask(() => run.run(rest));
  }
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

function checked(options: CachingOptions): Policy {
  const store = new CheckedStore("caching", options);
  const { ttlMs = Infinity, refreshOn, staleWhileRevalidate = 0 } = options;
  checkMs("caching", "ttlMs", ttlMs);
  checkMs("caching", "staleWhileRevalidate", staleWhileRevalidate, { orZero: true });
  if (staleWhileRevalidate !== 0 && ttlMs === Infinity)
    throw new InvalidMiddlewareError(
      "caching(): staleWhileRevalidate needs a ttlMs, after which a result is stale.",
    );
  if (
    refreshOn !== undefined &&
    typeof (refreshOn as Partial<typeof refreshOn> | null)?.subscribe !== "function"
  )
    throw new InvalidMiddlewareError("caching(): refreshOn is an Observable.");
  return {
    key: checkedKey("caching", options.key),
    store,
    ttlMs,
    staleWhileRevalidate,
    refreshOn,
  };
}
