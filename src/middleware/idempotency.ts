import { aFunction, checkOptions, invalidOption, required } from "../core/checks.js";
import type { HandlerContext } from "../core/delivery/delivery.js";
import { type LiveDelivery } from "../core/delivery/live-delivery.js";
import { messageKey } from "../core/messages/message-key.js";
import { InvalidMiddlewareError } from "../core/errors.js";
import { createMiddleware, replying, stateIn, type BuildContext, type Step } from "../core/pipeline/form.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { resume } from "../core/pipeline/resume.js";
import { asPromise, ignored, isThenable } from "../core/util/thenable.js";
import { IdempotencyConflictError } from "./errors.js";
import { whenConsumed } from "./internal/consumed.js";
import { KeyedRuns } from "./internal/shared-run.js";
import { STORE_RULES, StoreClient, expiry, isExpired, isTtl, type StoreOptions } from "./internal/store.js";

export interface IdempotencyOptions<M = object> extends StoreOptions {
  /**
   * Returns the name of the work that is to be done once, such as a header that the client chose; `undefined`
   * lets a message pass.
   */
  readonly key: (message: M, context: HandlerContext<M>) => string | undefined;
  /** Time that an outcome is remembered, in milliseconds of the bus's clock. @defaultValue Infinity */
  readonly ttlMs?: number;
  /**
   * Returns a text that is equal for equal messages; it is kept in the store. Return a hash if the store must
   * not hold payloads.
   * @defaultValue {@link messageKey}
   */
  readonly fingerprint?: (message: M) => string;
}

/**
 * A record in the store of a message that was fulfilled. Plain data if the result is; the result of a command is
 * `undefined`.
 */
export interface IdempotencyRecord {
  readonly fingerprint: string;
  readonly value: unknown;
  /** Milliseconds since the epoch. */
  readonly storedMs: number;
  /** Milliseconds since the epoch; absent without a `ttlMs`. */
  readonly expiresMs?: number;
}

/**
 * Does the work of a key once: messages with the same key get the outcome of the first.
 *
 * Guarantees:
 * - Duplicates at the same time share one run. An aborted caller does not affect the others; the last one to
 *   leave aborts the run.
 * - A key is held until the handler's own work has ended, even if an abort or a `timeLimit` gave it up, so
 *   that a retry never runs beside it. The end of such work is not remembered: a retry runs it again.
 * - A message with another payload or of another type under a key in use is rejected with
 *   `IdempotencyConflictError`.
 * - A failure rejects every caller that waits for it and is not remembered, so that a retry can succeed.
 * - The message settles after its outcome is stored. If the store cannot be read, it is rejected with
 *   `StoreFailedError` and nothing runs. If the store cannot be written, the true outcome arrives, and
 *   `faults$` reports that a retry would run again.
 * - The message stays synchronous if the store and everything further in are.
 *
 * Two processes that share a store see each other's outcomes, not each other's runs. A store that may outlive
 * the process needs stable names, see {@link StoreOptions.scope}; for a type without one, only messages in
 * flight share a run.
 *
 * @throws InvalidOptionsError
 * @example
 * const once = idempotency({
 *   key: (_, { envelope }) => envelope.meta.headers["idempotency-key"],
 *   store: new Map(),
 * });
 * new CommandBus({ middleware: [once] });
 */
export function idempotency<M extends object = object, R = unknown>(
  options: IdempotencyOptions<M>,
): Middleware<M, R> {
  const policy = policyOf(options as unknown as IdempotencyOptions);
  const deskIn = stateIn((place) => {
    if (place.everyHandler)
      throw new InvalidMiddlewareError(
        "idempotency() in handlerMiddleware would run one handler of an event and take the others for done; " +
          "register each handler with an idempotency() and a key of its own.",
      );
    return new Desk(policy, place);
  });
  return createMiddleware("idempotency", (rest, place) => {
    const desk = deskIn(place);
    return (delivery) => {
      const key = policy.key(delivery.message, delivery);
      if (key === undefined) return resume(delivery, rest);
      if (typeof key !== "string") throw wrongResult("key", "a string or undefined", key);
      return replying((delivery) => desk.admit(key, delivery, rest), place.outermost)(delivery);
    };
  });
}

type Policy = Required<Pick<IdempotencyOptions, "key" | "ttlMs" | "fingerprint">> & {
  readonly store: StoreClient;
};

/** Admits the messages of one place in a bus. */
class Desk {
  readonly #policy: Policy;
  readonly #runs: KeyedRuns;
  /** Fingerprints of the keys that belong to a run. */
  readonly #fingerprints = new Map<string, string>();

  constructor(policy: Policy, place: BuildContext) {
    this.#policy = policy;
    this.#runs = new KeyedRuns(place, (key) => this.#fingerprints.delete(key as string));
  }

  admit(key: string, delivery: LiveDelivery, rest: Step): void {
    const fingerprint: unknown = this.#policy.fingerprint(delivery.message);
    if (typeof fingerprint !== "string") throw wrongResult("fingerprint", "a string", fingerprint);
    const current = this.#fingerprints.get(key);
    if (current === undefined) this.#fingerprints.set(key, fingerprint);
    else if (current !== fingerprint) throw new IdempotencyConflictError(delivery.typeName);
    const run: Step = (delivery) => this.#run(key, fingerprint, delivery, rest);
    this.#runs.admit(key, delivery, run, () => this.admit(key, delivery, rest));
  }

  #run(key: string, fingerprint: string, delivery: LiveDelivery, rest: Step): unknown {
    const { store, fingerprint: fingerprintOf } = this.#policy;
    const isNamed = fingerprintOf !== messageKey || store.isSafeFor(delivery, fingerprint);
    if (!isNamed) return resultOf(delivery, rest, (value) => value);
    const settle = (found: unknown): unknown => {
      const { host } = delivery;
      if (isRecord(found) && !isExpired(found, this.#policy.ttlMs, host.clock.now())) {
        if (found.fingerprint !== fingerprint) throw new IdempotencyConflictError(delivery.typeName);
        return found.value;
      }
      if (isRecord(found)) store.forget(key, delivery);
      return resultOf(delivery, rest, (value) => this.#remember(key, fingerprint, value, delivery));
    };
    const found = store.get(key);
    return isThenable(found) ? asPromise(found).then(settle) : settle(found);
  }

  #remember(key: string, fingerprint: string, value: unknown, delivery: LiveDelivery): unknown {
    const { store, ttlMs } = this.#policy;
    const storedMs = delivery.host.clock.now();
    const record: IdempotencyRecord = { fingerprint, value, storedMs, ...expiry(storedMs, ttlMs) };
    const stored = store.put(key, record, ttlMs, delivery);
    return isThenable(stored) ? asPromise(stored).then(() => value) : value;
  }
}

/**
 * Returns the result that the caller gets, passed through `then`: a stream is consumed, also one that a promise
 * brings, and a command has none.
 */
function resultOf(delivery: LiveDelivery, rest: Step, then: (value: unknown) => unknown): unknown {
  const finish = (value: unknown): unknown => then(delivery.host.returnsValue ? value : undefined);
  return whenConsumed(resume(delivery, rest), delivery, finish);
}

function isRecord(found: unknown): found is IdempotencyRecord {
  const { fingerprint, storedMs } = (found ?? {}) as Partial<IdempotencyRecord>;
  return typeof fingerprint === "string" && typeof storedMs === "number";
}

/**
 * Returns the error for an option that returned something else; a promise is caught, because its rejection would
 * end the process.
 */
function wrongResult(option: string, expected: string, made: unknown): Error {
  ignored(made);
  return invalidOption("idempotency()", option, `a function that returns ${expected}`, made);
}

function policyOf(options: IdempotencyOptions): Policy {
  checkOptions<IdempotencyOptions>("idempotency()", options, {
    ...STORE_RULES,
    key: required(aFunction),
    ttlMs: isTtl,
    fingerprint: aFunction,
  });
  const { key, ttlMs = Infinity, fingerprint = messageKey } = options;
  return { key, ttlMs, fingerprint, store: new StoreClient("idempotency", options) };
}
