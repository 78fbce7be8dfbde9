import { CqrsError, type CqrsErrorOptions } from "../core/errors.js";

export { PayloadTooLargeError } from "../core/errors.js";

/** The message has not left this process: nothing has happened, and it can be sent again. */
export class NotSentError extends CqrsError {
  static override readonly code = "NOT_SENT";

  constructor(messageType: string, why: string, cause?: unknown) {
    super(`${messageType} was not sent: ${why}. Nothing has happened; send it again.`, {
      messageType,
      cause,
    });
  }
}

/** The message was sent and no result came back: it may have been handled, be running, or be lost. */
export class OutcomeUnknownError extends CqrsError {
  static override readonly code = "OUTCOME_UNKNOWN";

  /** The id of the message, by which its effects can be looked for. */
  readonly id: string;

  constructor(messageType: string, id: string, why: string, cause?: unknown) {
    super(
      `${messageType} was sent, and ${why}; it may have been handled. ` +
        "Look for its effects by its id before you send it again.",
      { messageType, cause },
    );
    this.id = id;
  }
}

/** A handler in another process failed with an error whose class is not among the `errors` of the link. */
export class RemoteError extends CqrsError {
  static override readonly code: string = "REMOTE";

  /** The name of the error there. */
  readonly remoteName: string;

  constructor(remoteName: string, text: string | undefined, options: CqrsErrorOptions) {
    super(
      `The remote handler of ${options.messageType} failed with ${remoteName}` +
        `${text === undefined ? "" : `: ${text}`}. ` +
        "Give its class a static code and list it in the errors of both links to catch it by class.",
      options,
    );
    this.remoteName = remoteName;
  }
}

/** A subscriber of a remote stream is slower than its handler by more than `streamBuffer` values. */
export class SlowConsumerError extends CqrsError {
  static override readonly code = "SLOW_CONSUMER";

  constructor(messageType: string, streamBuffer: number) {
    super(
      `${messageType} has ${streamBuffer} values that its subscriber has not taken; emit less, or raise streamBuffer.`,
      { messageType },
    );
  }
}

/** The link is closed. */
export class LinkClosedError extends CqrsError {
  static override readonly code = "LINK_CLOSED";

  constructor(messageType?: string) {
    super(
      `The link is closed${messageType === undefined ? "" : `; ${messageType} was not sent`}. Make a new one.`,
      { messageType },
    );
  }
}

/** Thrown by a handler of a stored message: it is not tried again, and goes to the dead letters at once. */
export class UnrecoverableError extends CqrsError {
  static override readonly code = "UNRECOVERABLE";

  constructor(text: string, options?: CqrsErrorOptions) {
    super(text, options);
  }
}
