import { createMiddleware, replying, stateIn, type BuildContext, type Step } from "../core/pipeline/form.js";
import { captureContext } from "../core/util/async-context.js";
import type { HandlerContext } from "../core/delivery/delivery.js";
import { FULFILLED, LATER, REJECTED, type LiveDelivery } from "../core/delivery/live-delivery.js";
import type { DeliveryHost } from "../core/delivery/delivery-host.js";
import { InvalidMiddlewareError } from "../core/errors.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { consume, isStream } from "../core/delivery/consume-stream.js";
import { asPromise, ignored, isThenable } from "../core/util/thenable.js";
import { goOn } from "./authorization.js";
import { IdempotencyConflictError } from "./errors.js";
import { messageKey } from "./internal/key.js";
import { SharedRun } from "./internal/shared-run.js";
import { checkMs } from "./internal/options.js";
import { CheckedStore, type StoreOptions } from "./internal/store.js";

export interface IdempotencyOptions<M = object> extends StoreOptions {
  /** Names what is to be done once, such as a header that the client chose; `undefined` lets a message pass. */
  readonly key: (message: M, context: HandlerContext<M>) => string | undefined;
  /** How long an outcome is remembered, in milliseconds of the bus's clock. @defaultValue Infinity */
  readonly ttlMs?: number;
  /**
   * What tells whether two messages under one key are the same; kept in the store. Hash it where payloads must not be kept. The default tells
   * two types of one name apart by which was used first: give each a static `messageName`, or `faults$` is told where the store is asynchronous.
   * @defaultValue {@link messageKey}
   */
  readonly fingerprint?: (message: M) => string;
}

/** What the store keeps of a message that was fulfilled. Plain data if the result is; that of a command is `undefined`. */
export interface IdempotencyRecord {
  readonly fingerprint: string;
  readonly value: unknown;
  /** Milliseconds since the epoch. */
  readonly storedMs: number;
}

/**
 * Does once what is sent under one key, however often it is sent: later ones get the outcome of the first.
 *
 * Guarantees: duplicates at the same time share one run; a caller that is aborted hurts no other, and the last one to leave aborts the run. An aborted
 * run keeps its key until its work has really ended, so that a retry never runs beside it. Another payload or type under a key in use is rejected with
 * `IdempotencyConflictError`. A failure reaches those who wait for it and is not remembered, so that a retry can succeed.
 *
 * The outcome is out once it is stored. If the store cannot be read, the message is rejected with `StoreFailedError`, and nothing is run: better
 * not done than done twice. If it cannot be written after the run, the true outcome is given, and `faults$` hears of it: until then a retry would
 * run again. Two processes with one store do not see each other's runs, only their outcomes.
 *
 * Synchronous when the store and everything below are.
 *
 * @example
 * new CommandBus({
 *   middleware: [idempotency({ key: (_, { envelope }) => envelope.meta.headers["idempotency-key"], store: new Map() })],
 * });
 */
export function idempotency<M extends object = object, R = unknown>(
  options: IdempotencyOptions<M>,
): Middleware<M, R> {
  const policy = checked(options as unknown as IdempotencyOptions);
  const deskIn = stateIn((place) => new Desk(policy, place));
  return createMiddleware("idempotency", (rest, place) => {
    const desk = deskIn(place);
    return (delivery) => {
      const key = policy.key(delivery.message, delivery);
      if (key === undefined) return rest(delivery);
      if (typeof key !== "string") refuseMade("key", "is a string, or undefined for none", key);
      return replying((delivery) => desk.admit(key, delivery, rest), place.outermost)(delivery);
    };
  });
}

type Policy = Required<Pick<IdempotencyOptions, "key" | "ttlMs" | "fingerprint">> & {
  readonly store: CheckedStore;
};

/** A run, and those who come for its key when it has been aborted and still works. */
interface Entry {
  readonly fingerprint: string;
  readonly run: SharedRun;
  readonly next: (() => void)[];
}

class Desk {
  readonly #policy: Policy;
  readonly #place: BuildContext;
  readonly #host: DeliveryHost;
  readonly #entries = new Map<string, Entry>();

  constructor(policy: Policy, place: BuildContext) {
    this.#policy = policy;
    this.#place = place;
    this.#host = place.host;
  }

  admit(key: string, delivery: LiveDelivery, rest: Step): void {
    const fingerprint = this.#policy.fingerprint(delivery.message);
    if (typeof fingerprint !== "string") refuseMade("fingerprint", "is a string", fingerprint);
    const entry = this.#entries.get(key);
    if (entry === undefined) return this.#start(key, fingerprint, delivery, rest);
    if (entry.fingerprint !== fingerprint) throw new IdempotencyConflictError(delivery.typeName);
    if (entry.run.delivery.pending) return entry.run.join(delivery);
    const scope = captureContext();
    entry.next.push(() =>
      scope.runInAsyncScope(() =>
        delivery.run(() => {
          this.admit(key, delivery, rest);
          return LATER;
        }),
      ),
    );
  }

  #start(key: string, fingerprint: string, first: LiveDelivery, rest: Step): void {
    const run = new SharedRun(first, this.#place);
    const entry: Entry = { fingerprint, run, next: [] };
    this.#entries.set(key, entry);
    const free = (): void => {
      this.#entries.delete(key);
      for (const admit of entry.next) admit();
    };
    const { delivery } = run;
    const aborted = (): boolean => delivery.status !== FULFILLED && delivery.status !== REJECTED;
    // Before anybody learns of the outcome, and may send again.
    delivery.whenSettled(() => {
      if (!aborted()) free();
    });
    let work: unknown;
    run.start((delivery) => (work = this.#execute(key, fingerprint, delivery, rest)));
    delivery.whenSettled(() => {
      if (!aborted()) return;
      if (isThenable(work)) asPromise(work).then(free, free);
      else free();
    });
  }

  #execute(key: string, fingerprint: string, delivery: LiveDelivery, rest: Step): unknown {
    const { store } = this.#policy;
    const found = store.get(key);
    const settle = (found: unknown): unknown => {
      if (!this.#isRecord(found)) return this.#handle(key, fingerprint, delivery, rest);
      if (found.fingerprint !== fingerprint) throw new IdempotencyConflictError(delivery.typeName);
      return found.value;
    };
    // Told, and no more: to let the message pass would be to do it again.
    if (this.#policy.fingerprint === messageKey)
      store.confuses(found, delivery, "after a restart, what was done may be taken for the other type's");
    return isThenable(found) ? asPromise(found).then(settle) : settle(found);
  }

  #isRecord(found: unknown): found is IdempotencyRecord {
    return (
      typeof found === "object" &&
      found !== null &&
      typeof (found as Partial<IdempotencyRecord>).fingerprint === "string" &&
      this.#host.clock.now() - (found as IdempotencyRecord).storedMs < this.#policy.ttlMs
    );
  }

  #handle(key: string, fingerprint: string, delivery: LiveDelivery, rest: Step): unknown {
    let result = goOn(delivery, rest);
    // What is remembered is what the caller gets, not how it comes about.
    if (isStream(result)) result = consume(result, delivery);
    const remember = (value: unknown): unknown =>
      this.#remember(key, fingerprint, this.#host.returnsValue ? value : undefined, delivery);
    return isThenable(result) ? asPromise(result).then(remember) : remember(result);
  }

  #remember(key: string, fingerprint: string, value: unknown, delivery: LiveDelivery): unknown {
    const { store, ttlMs } = this.#policy;
    const record: IdempotencyRecord = { fingerprint, value, storedMs: this.#host.clock.now() };
    const forgotten = (error: unknown): unknown => {
      store.report(error, delivery);
      return value;
    };
    try {
      const stored = store.set(key, record, ttlMs);
      return isThenable(stored) ? asPromise(stored).then(() => value, forgotten) : value;
    } catch (error) {
      return forgotten(error);
    }
  }
}

/** @throws InvalidMiddlewareError */
function refuseMade(option: string, rule: string, made: unknown): never {
  ignored(made);
  throw new InvalidMiddlewareError(
    `The ${option} of idempotency() ${rule}; received a value of type ${typeof made}.`,
  );
}

function checked(options: IdempotencyOptions): Policy {
  const store = new CheckedStore("idempotency", options);
  const { key, ttlMs = Infinity, fingerprint = messageKey } = options;
  if (typeof key !== "function")
    throw new InvalidMiddlewareError(
      "idempotency(): key is a function (message, context) => string | undefined.",
    );
  if (typeof fingerprint !== "function")
    throw new InvalidMiddlewareError("idempotency(): fingerprint is a function of the message.");
  checkMs("idempotency", "ttlMs", ttlMs);
  return { key, ttlMs, fingerprint, store };
}
