import { CqrsError } from "../core/errors.js";

/** A newer message took the place of this one: `overlap` with `strategy: "switch"`. Its `signal` has been aborted. */
export class SupersededError extends CqrsError {
  static override readonly code = "SUPERSEDED";

  constructor(messageType: string) {
    super(
      `${messageType} was superseded by a newer message; ignore this, or use strategy "concat" if each one matters.`,
      { messageType },
    );
  }
}

/** As many messages as may are running already: `overlap` with `strategy: "exhaust"`. */
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

/** As many messages as may are waiting already: `overlap` with a `maxQueued`. */
export class QueueFullError extends CqrsError {
  static override readonly code = "QUEUE_FULL";

  constructor(messageType: string, maxQueued: number) {
    super(
      `${messageType} was refused: ${maxQueued} messages are waiting already; send less, or raise maxQueued.`,
      {
        messageType,
      },
    );
  }
}

/** A message that would have had to wait for the end of what it was caused by, which itself waits for it: `overlap`. */
export class SelfDeadlockError extends CqrsError {
  static override readonly code = "SELF_DEADLOCK";

  /** From the message that holds the turn to the one that was refused, each caused by the one before it. */
  readonly chain: readonly { readonly messageType: string; readonly id: string }[];

  constructor(messageType: string, chain: SelfDeadlockError["chain"]) {
    const links = chain.map((link) => `${link.messageType} (${link.id})`).join(" > ");
    super(
      `${messageType} would wait for itself: ${links}. Do its work in the same handler or under another key; ` +
        "if nobody awaits it, give only the envelope as causedBy.",
      { messageType },
    );
    this.chain = chain;
  }
}

/** A message that was not done in time: `timeLimit`. */
export class TimeLimitError extends CqrsError {
  static override readonly code = "TIME_LIMIT";

  readonly limitMs: number;

  constructor(messageType: string, limitMs: number) {
    super(
      `${messageType} was not done within ${limitMs} ms; stop its work when the signal says so, or raise the limit.`,
      { messageType },
    );
    this.limitMs = limitMs;
  }
}

/** The check said no: `authorization`. */
export class UnauthorizedError extends CqrsError {
  static override readonly code = "UNAUTHORIZED";

  constructor(messageType: string) {
    super(`${messageType} was not allowed; send it as somebody who may, or change the check.`, {
      messageType,
    });
  }
}

/** Another message has the key already: `idempotency`. */
export class IdempotencyConflictError extends CqrsError {
  static override readonly code = "IDEMPOTENCY_CONFLICT";

  constructor(messageType: string) {
    super(
      `${messageType} was sent under the idempotency key of a different message; use a new key for a new message, and the same message for a retry.`,
      { messageType },
    );
  }
}

/** A store threw, rejected or did not answer: what it did is the `cause`. */
export class StoreFailedError extends CqrsError {
  static override readonly code = "STORE_FAILED";

  /** Which of its methods: `get`, `set` or `delete`. */
  readonly operation: string;

  constructor(middleware: string, operation: string, problem: string, ...cause: [cause?: unknown]) {
    super(
      `${operation} of the store of ${middleware} ${problem}; see to the store.`,
      cause.length === 0 ? {} : { cause: cause[0] },
    );
    this.operation = operation;
  }
}

/** What `load` returned is not one result for each query, or has promises for results: `batching`. */
export class BatchResultError extends CqrsError {
  static override readonly code = "BATCH_RESULT";

  constructor(messageType: string, queries: number, results: unknown) {
    const count = Array.isArray(results) ? results.length : undefined;
    super(
      count === queries
        ? "load returned promises for results; await them in load: Promise.all(results)."
        : `load returned ${count === undefined ? "something that is not an array" : `${count} results`} for ${queries} queries; return one result, or one Error, for each query, in the same order.`,
      { messageType },
    );
  }
}
