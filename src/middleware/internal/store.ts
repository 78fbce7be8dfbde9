import { oneOf, positiveMilliseconds, required, withMethods } from "../../core/checks.js";
import type { LiveDelivery } from "../../core/delivery/live-delivery.js";
import { InvalidMiddlewareError } from "../../core/errors.js";
import { isSecondOfItsName } from "../../core/messages/message-key.js";
import { nameOf, typeOf, type MessageType } from "../../core/messages/message.js";
import { asPromise, isThenable } from "../../core/util/thenable.js";
import { LONGEST_TIMEOUT_MS, startTimer } from "../../core/util/timers.js";
import { StoreFailedError } from "../errors.js";

/**
 * A place where middleware keeps results: a `Map`, an `LRUCache` of lru-cache, or an object around a
 * database. Methods may be synchronous or return promises. Entries are plain data if the results are, so that
 * they can be written as JSON.
 */
export interface Store {
  /** Returns what was set, or `undefined` or `null`. */
  get(key: unknown): unknown;
  /** @param options - the time to keep it, in milliseconds, for stores that expire entries themselves */
  set(key: unknown, value: unknown, options?: StoreSetOptions): unknown;
  delete(key: unknown): unknown;
}

export interface StoreSetOptions {
  /** Milliseconds. */
  readonly ttl?: number;
}

export interface StoreOptions {
  /** The store. Expired entries of a `Map` are deleted as it grows; bound the number of entries by an `LRUCache`. */
  readonly store: Store;
  /**
   * Time for an asynchronous store to answer before it counts as failed, in milliseconds; `Infinity` for no
   * limit. @defaultValue 1_000
   */
  readonly storeTimeoutMs?: number;
  /**
   * `"process"` says that the store is emptied when the process ends, and is not shared with another process.
   * Entries are kept by the names of message types. Class names are unique within a process only, because another build
   * may give them to other classes. So a store that may outlive the process is used only for types with a `static
   * messageName` of their own; for any other type it is not used, with one report on `faults$`.
   *
   * @defaultValue "process" for a `Map` and for an `LRUCache` of lru-cache, undefined for any other store
   */
  readonly scope?: "process";
}

export const isTtl = positiveMilliseconds;

/** The rules for {@link StoreOptions}. */
export const STORE_RULES = {
  store: required(withMethods("an object with get, set and delete", "get", "set", "delete")),
  storeTimeoutMs: positiveMilliseconds,
  scope: oneOf("process"),
};

interface Expiring {
  readonly storedMs: number;
}

/**
 * Returns the field of an entry that tells any middleware when it expires, so that one that shares the store can
 * delete it.
 */
export function expiry(storedMs: number, ttlMs: number): { readonly expiresMs?: number } {
  return ttlMs === Infinity ? {} : { expiresMs: storedMs + ttlMs };
}

export function isExpired({ storedMs }: Expiring, ttlMs: number, nowMs: number): boolean {
  return nowMs - storedMs >= ttlMs;
}

type Operation = "get" | "set" | "delete";

/** A store with one kind of failure, a time limit, and a check that names in it are stable. */
export class StoreClient {
  readonly #store: Store;
  readonly #timeoutMs: number;
  readonly #middleware: string;
  readonly #needsNames: boolean;
  readonly #sweeper: Sweeper | undefined;
  /** Operations that failed when they were last called. */
  readonly #failing = new Set<Operation>();
  /** Types that were reported because they have no stable name. */
  readonly #unnamed = new WeakSet<object>();

  constructor(middleware: string, { store, storeTimeoutMs = 1_000, scope }: StoreOptions) {
    const kind = Object.prototype.toString.call(store);
    this.#store = store;
    this.#middleware = middleware;
    this.#timeoutMs = storeTimeoutMs;
    this.#needsNames = scope !== "process" && kind !== "[object Map]" && kind !== "[object LRUCache]";
    this.#sweeper = kind === "[object Map]" ? new Sweeper(store as Map<unknown, unknown>) : undefined;
  }

  /** Returns the value, or a promise of it. @throws StoreFailedError */
  get(key: unknown): unknown {
    let found: unknown;
    try {
      found = this.#store.get(key);
    } catch (cause) {
      throw this.#failed("get", cause);
    }
    return this.#answer("get", found);
  }

  /**
   * Writes an entry. Reports a failure on `faults$`, because the result that was to be kept is right.
   *
   * @returns a promise if the store is asynchronous, which never rejects
   */
  put(key: unknown, value: unknown, ttlMs: number, delivery: LiveDelivery): unknown {
    this.#sweeper?.sweep(delivery.host.clock.now());
    const { store } = this;
    return this.#attempt("set", delivery, () =>
      ttlMs === Infinity ? store.set(key, value) : store.set(key, value, { ttl: Math.ceil(ttlMs) }),
    );
  }

  /** Deletes an entry that has expired. Reports a failure on `faults$`. */
  forget(key: unknown, delivery: LiveDelivery): void {
    this.#attempt("delete", delivery, () => this.store.delete(key));
  }

  /** The store itself, for what is known of a store by several caches. */
  get store(): Store {
    return this.#store;
  }

  #attempt(operation: Operation, delivery: LiveDelivery, call: () => unknown): unknown {
    try {
      const result = this.#answer(operation, call());
      return isThenable(result)
        ? asPromise(result).then(undefined, (error: unknown) => this.report(error, delivery))
        : result;
    } catch (cause) {
      return this.report(this.#failed(operation, cause), delivery);
    }
  }

  /** Returns what the store answered: the value, or a promise that settles in time. */
  #answer(operation: Operation, result: unknown): unknown {
    return isThenable(result) ? this.#inTime(operation, result) : this.#worked(operation, result);
  }

  #worked<T>(operation: Operation, result: T): T {
    if (this.#failing.size > 0) this.#failing.delete(operation);
    return result;
  }

  #inTime(operation: Operation, result: PromiseLike<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const timeoutMs = this.#timeoutMs;
      const timedOut = (): void => reject(this.#error(operation, `did not answer within ${timeoutMs} ms`));
      const stopTimer =
        timeoutMs > LONGEST_TIMEOUT_MS ? undefined : startTimer(timeoutMs, timedOut, { keepAlive: true });
      asPromise(result).then(
        (value) => {
          stopTimer?.();
          resolve(this.#worked(operation, value));
        },
        (cause: unknown) => {
          stopTimer?.();
          reject(this.#failed(operation, cause));
        },
      );
    });
  }

  #failed(operation: Operation, cause: unknown): StoreFailedError {
    return this.#error(operation, "failed", cause);
  }

  #error(operation: Operation, problem: string, ...cause: [cause?: unknown]): StoreFailedError {
    return new StoreFailedError(this.#middleware, operation, problem, ...cause);
  }

  /**
   * Returns whether the store may be used for a message: always within the process, otherwise only if its type has a
   * stable name, and its key holds no number that was counted in this process. Reports each other type once.
   *
   * @param key - the key that {@link messageKey} made, if it did
   */
  isSafeFor(delivery: LiveDelivery, key?: unknown): boolean {
    if (!this.#needsNames) return true;
    const type = typeOf(delivery.message);
    const problem = unstable(type, key);
    if (problem === undefined) return true;
    if (type !== undefined && !this.#unnamed.has(type)) {
      this.#unnamed.add(type);
      const text =
        `${this.#middleware}() does not use its store for ${nameOf(type)}: the store may outlive this process, ` +
        `and ${problem}, or pass scope: "process".`;
      reportFault(
        this.#middleware,
        new InvalidMiddlewareError(text, { messageType: nameOf(type) }),
        delivery,
      );
    }
    return false;
  }

  /**
   * Reports a failure on `faults$`, once until the operation works again, because a store that is down fails for
   * each message.
   */
  report(error: unknown, delivery: LiveDelivery): void {
    const operation = (error as StoreFailedError).operation as Operation;
    if (this.#failing.has(operation)) return;
    this.#failing.add(operation);
    reportFault(this.#middleware, error, delivery);
  }
}

/**
 * Returns what makes a name or a key mean something else in another process, with the cure; `undefined` if
 * nothing does.
 */
function unstable(type: MessageType | undefined, key: unknown): string | undefined {
  // Compare with nameOf(), because it ignores a messageName that the class inherits.
  if (type?.messageName === undefined || nameOf(type) !== type.messageName)
    return "class names are unique within a process only; give the class a static messageName of its own";
  if (isSecondOfItsName(type))
    return "another type has its messageName; give the class a static messageName of its own";
  // messageKey() writes "#" outside of texts only before numbers that it counts per process.
  if (typeof key === "string" && /#\d/.test(key.replace(/"(?:[^"\\]|\\.)*"/g, "")))
    return "it holds an object that is equal only to itself; give the class of that object a toJSON()";
  return undefined;
}

/** Deletes expired entries of a Map as it grows, at an amortised constant cost per entry that is set. */
class Sweeper {
  readonly #map: Map<unknown, unknown>;
  #entries: Iterator<[unknown, unknown]> | undefined;

  constructor(map: Map<unknown, unknown>) {
    this.#map = map;
  }

  /** Moves on by two entries that are still good, so that a pass ends before the Map has grown by half. */
  sweep(nowMs: number): void {
    this.#entries ??= this.#map.entries();
    for (let good = 0; good < 2;) {
      const next = this.#entries.next();
      if (next.done === true) {
        this.#entries = undefined;
        return;
      }
      const [key, value] = next.value;
      const expiresMs = (value as { readonly expiresMs?: number } | null)?.expiresMs;
      if (expiresMs !== undefined && expiresMs <= nowMs) this.#map.delete(key);
      else good++;
    }
  }
}

/** Reports an error on `faults$` that no promise carries. */
export function reportFault(source: string, error: unknown, delivery: LiveDelivery): void {
  delivery.host.report({ kind: "middleware", source, error, envelope: delivery.origin.envelope });
}
