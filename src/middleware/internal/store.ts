import { LONGEST_TIMEOUT_MS } from "../../core/util/timers.js";
import type { LiveDelivery } from "../../core/delivery/live-delivery.js";
import { InvalidMiddlewareError } from "../../core/errors.js";
import { isSecondOfItsName } from "../../core/messages/message-key.js";
import { nameOf, typeOf } from "../../core/messages/message.js";
import { asPromise, isThenable } from "../../core/util/thenable.js";
import { StoreFailedError } from "../errors.js";
import { checkMs, checkOptions } from "./options.js";
import { startTimer } from "../../core/util/timers.js";

/**
 * Where middleware keeps things: a `Map`, an `LRUCache` of lru-cache, or an object around a database. Methods may be synchronous or return promises.
 * What is kept is plain data as far as results are, so that it may be written as JSON.
 */
export interface Store {
  /** What was set, or `undefined` or `null`. */
  get(key: unknown): unknown;
  /** @param options - how long to keep it, in milliseconds, for stores that can forget by themselves */
  set(key: unknown, value: unknown, options?: StoreSetOptions): unknown;
  delete(key: unknown): unknown;
}

export interface StoreSetOptions {
  readonly ttl?: number;
}

export interface StoreOptions {
  readonly store: Store;
  /** How long an asynchronous store may take to answer before it counts as failed; `Infinity` for ever. @defaultValue 1_000 */
  readonly storeTimeoutMs?: number;
}

type Operation = "get" | "set" | "delete";

/** A store whose failures are all of one kind, and that does not hang. */
export class CheckedStore {
  /** As it was given; what it says is to be {@link checked}. */
  readonly raw: Store;
  readonly #timeoutMs: number;
  readonly #middleware: string;
  /** What failed when it was last tried. */
  readonly #failing = new Set<Operation>();
  #toldOfNames = false;

  constructor(middleware: string, options: StoreOptions) {
    checkOptions(middleware, options);
    const { store, storeTimeoutMs = 1_000 } = options;
    const candidate = store as Partial<Store> | null | undefined;
    if (
      typeof candidate?.get !== "function" ||
      typeof candidate.set !== "function" ||
      typeof candidate.delete !== "function"
    )
      throw new InvalidMiddlewareError(`${middleware}(): store is an object with get, set and delete.`);
    checkMs(middleware, "storeTimeoutMs", storeTimeoutMs);
    this.#middleware = middleware;
    this.raw = store;
    this.#timeoutMs = storeTimeoutMs;
  }

  /** Whether nothing failed when it was last tried. */
  get works(): boolean {
    return this.#failing.size === 0;
  }

  /** The value, or a promise of it. @throws StoreFailedError */
  get(key: unknown): unknown {
    return this.#call("get", () => this.raw.get(key));
  }

  /** @throws StoreFailedError */
  set(key: unknown, value: unknown, ttlMs: number): unknown {
    return this.#call("set", () =>
      ttlMs === Infinity ? this.raw.set(key, value) : this.raw.set(key, value, { ttl: Math.ceil(ttlMs) }),
    );
  }

  /** @throws StoreFailedError */
  delete(key: unknown): unknown {
    return this.#call("delete", () => this.raw.delete(key));
  }

  #call(operation: Operation, call: () => unknown): unknown {
    let result: unknown;
    try {
      result = call();
    } catch (cause) {
      throw this.failed(operation, cause);
    }
    return this.checked(operation, result);
  }

  /** What the raw store returned: the value, or a promise that settles in time. */
  checked(operation: Operation, result: unknown): unknown {
    return isThenable(result) ? this.#inTime(operation, result) : this.#worked(operation, result);
  }

  #worked<T>(operation: Operation, result: T): T {
    if (this.#failing.size > 0) this.#failing.delete(operation);
    return result;
  }

  #inTime(operation: Operation, result: PromiseLike<unknown>): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const stopTimer =
        this.#timeoutMs > LONGEST_TIMEOUT_MS
          ? undefined
          : startTimer(
              this.#timeoutMs,
              () => reject(this.#error(operation, `did not answer within ${this.#timeoutMs} ms`)),
              { keepAlive: true },
            );
      asPromise(result).then(
        (value) => {
          stopTimer?.();
          resolve(this.#worked(operation, value));
        },
        (cause: unknown) => {
          stopTimer?.();
          reject(this.failed(operation, cause));
        },
      );
    });
  }

  failed(operation: Operation, cause: unknown): StoreFailedError {
    return this.#error(operation, "failed", cause);
  }

  #error(operation: Operation, problem: string, ...cause: [cause?: unknown]): StoreFailedError {
    return new StoreFailedError(this.#middleware, operation, problem, ...cause);
  }

  /**
   * Whether what was got may be another process's, for another type of one name: which of two had it first differs from process to process. Only what
   * takes time may be. `faults$` is told once, for it is a mistake in the program.
   */
  confuses(found: unknown, delivery: LiveDelivery, consequence: string): boolean {
    if (!isThenable(found)) return false;
    const type = typeOf(delivery.message);
    if (!isSecondOfItsName(type)) return false;
    if (!this.#toldOfNames) {
      this.#toldOfNames = true;
      const name = nameOf(type);
      const text = `Two message types are called ${name}; give the second one a static messageName: ${consequence}.`;
      reportFault(this.#middleware, new InvalidMiddlewareError(text, { messageType: name }), delivery);
    }
    return true;
  }

  /** On `faults$`, once until the operation works again: a store that is down fails for each message. */
  report(error: unknown, delivery: LiveDelivery): void {
    const operation = (error as StoreFailedError).operation as Operation;
    if (this.#failing.has(operation)) return;
    this.#failing.add(operation);
    reportFault(this.#middleware, error, delivery);
  }
}

/** Tells `faults$` of what no promise carries. */
export function reportFault(source: string, error: unknown, delivery: LiveDelivery): void {
  delivery.host.report({ kind: "middleware", source, error, envelope: delivery.origin.envelope });
}
