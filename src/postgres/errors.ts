import { CqrsError } from "../core/errors.js";

/** A stream is at another version than `expectedVersion`. Load the stream, decide again, and append again. */
export class ConcurrencyError extends CqrsError {
  static override readonly code = "CONCURRENCY";

  readonly stream: string;
  readonly expectedVersion: number;
  /** The version that was found; `undefined` if another transaction appended during the statement. */
  readonly actualVersion: number | undefined;

  constructor(stream: string, expectedVersion: number, actualVersion?: number) {
    super(
      `The stream was expected at version ${expectedVersion} and ${
        actualVersion === undefined ? "was appended to at the same time" : `is at version ${actualVersion}`
      }; load it, decide again, and append again.`,
    );
    this.stream = stream;
    this.expectedVersion = expectedVersion;
    this.actualVersion = actualVersion;
  }
}

/** A feed has not handled the events that a caller waits for. The events are stored, and the feed goes on. */
export class NotCaughtUpError extends CqrsError {
  static override readonly code = "NOT_CAUGHT_UP";

  readonly feed: string;

  constructor(feed: string, problem: string) {
    super(`The feed ${feed} ${problem}`);
    this.feed = feed;
  }
}

/** A statement came after the end of the transaction that it belongs to. The statement did not run. */
export class TransactionEndedError extends CqrsError {
  static override readonly code = "TRANSACTION_ENDED";

  constructor(
    text = "The transaction of this work has ended, so its statement was not run; " +
      "await all work inside the transaction.",
    cause?: unknown,
  ) {
    super(text, { cause });
  }
}

/**
 * Another worker has taken a command over, because this one did not extend its lease in time. Its effects were
 * rolled back.
 */
export class LeaseLostError extends CqrsError {
  static override readonly code = "LEASE_LOST";

  constructor(messageType: string) {
    super(
      `The lease of ${messageType} ended before its handler did, and its effects were rolled back; ` +
        "raise leaseMs, or look for work that blocks the process.",
      { messageType },
    );
  }
}
