import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { CqrsError } from "../core/errors.js";

/**
 * A newer message took the turn of this one: `overlap` with `strategy: "switch"`. The `signal` of the older one
 * is aborted.
 */
export class SupersededError extends CqrsError {
  static override readonly code = "SUPERSEDED";

  constructor(messageType: string) {
    super(
      `${messageType} was superseded by a newer message; ignore this, or use strategy "concat" if each one matters.`,
      { messageType },
    );
  }
}

/** The message arrived while `concurrency` others ran: `overlap` with `strategy: "exhaust"`. */
export class BusyError extends CqrsError {
  static override readonly code = "BUSY";

  constructor(messageType: string, limit: number) {
    super(
      `${messageType} was refused while ${limit === 1 ? "another message was" : `${limit} others were`} running; ` +
        'send it again later, or use strategy "concat" to let it wait.',
      { messageType },
    );
  }
}

/**
 * The message would wait for a message that it was caused by, and that one waits for it: `overlap`,
 * `coalescing`, `idempotency`.
 */
export class SelfDeadlockError extends CqrsError {
  static override readonly code = "SELF_DEADLOCK";

  /** The messages from the one that runs to the one that was refused, each caused by the one before it. */
  readonly chain: readonly { readonly messageType: string; readonly id: string }[];

  constructor(messageType: string, chain: SelfDeadlockError["chain"]) {
    const links = chain.map((link) => `${link.messageType} (${link.id})`).join(" > ");
    super(
      `${messageType} would wait for itself: ${links}. Do its work in the same handler or under another key; ` +
        "if the handler does not await it, pass only the envelope as causedBy.",
      { messageType },
    );
    this.chain = chain;
  }
}

/**
 * Returns the error for a message that would wait for the first of `causes`, which cause each other and then the
 * message.
 */
export function selfDeadlock(causes: readonly LiveDelivery[], message: LiveDelivery): SelfDeadlockError {
  const chain = [...causes, message].map(({ typeName, id }) => ({ messageType: typeName, id }));
  return new SelfDeadlockError(message.typeName, chain);
}

/** The message had not settled at its limit: `timeLimit`. */
export class TimeLimitError extends CqrsError {
  static override readonly code = "TIME_LIMIT";

  /** Milliseconds. */
  readonly limitMs: number;

  constructor(messageType: string, limitMs: number) {
    super(
      `${messageType} did not settle within ${limitMs} ms; ` +
        "stop its work when its signal is aborted, or raise the limit.",
      { messageType },
    );
    this.limitMs = limitMs;
  }
}

/** The check did not return `true`: `authorization`. */
export class UnauthorizedError extends CqrsError {
  static override readonly code = "UNAUTHORIZED";

  constructor(messageType: string) {
    super(`${messageType} was not allowed; send it as a user who is allowed to, or change the check.`, {
      messageType,
    });
  }
}

/** Another message was sent under the same key: `idempotency`. */
export class IdempotencyConflictError extends CqrsError {
  static override readonly code = "IDEMPOTENCY_CONFLICT";

  constructor(messageType: string) {
    super(
      `${messageType} was sent under the idempotency key of a different message; ` +
        "use a new key for a new message, and the same message for a retry.",
      { messageType },
    );
  }
}

/** A store threw, rejected or did not answer; its own error is the `cause`. */
export class StoreFailedError extends CqrsError {
  static override readonly code = "STORE_FAILED";

  /** The method that failed: `get`, `set` or `delete`. */
  readonly operation: string;

  constructor(middleware: string, operation: string, problem: string, ...cause: [cause?: unknown]) {
    super(
      `${operation} of the store of ${middleware} ${problem}; check the store.`,
      cause.length === 0 ? {} : { cause: cause[0] },
    );
    this.operation = operation;
  }
}

/** `load` did not return one result for each query, or returned promises among the results: `batching`. */
export class BatchResultError extends CqrsError {
  static override readonly code = "BATCH_RESULT";

  constructor(messageType: string, queries: number, results: unknown) {
    const count = Array.isArray(results) ? results.length : undefined;
    const returned = count === undefined ? "something that is not an array" : `${count} results`;
    super(
      count === queries
        ? "load returned promises among its results; await them in load: Promise.all(results)."
        : `load returned ${returned} for ${queries} queries; ` +
            "return one result, or one Error, for each query, in the same order.",
      { messageType },
    );
  }
}
