import type { StandardIssue } from "./util/standard-schema.js";

/** The code of an error: stable, and the same in every copy and version of the library. */
export type CqrsErrorCode =
  | "CQRS"
  | "HANDLER_ALREADY_REGISTERED"
  | "HANDLER_NOT_FOUND"
  | "HANDLER_STOPPED"
  | "INVALID_HANDLER"
  | "INVALID_MESSAGE"
  | "INVALID_MIDDLEWARE"
  | "INVALID_OPTIONS"
  | "MESSAGE_DROPPED"
  | "MESSAGE_HELD"
  | "MIDDLEWARE_CRASHED"
  | "BUS_CLOSED"
  | "DISPATCH_DEPTH_EXCEEDED"
  | "EVENT_HANDLERS_FAILED"
  | "LOOP_DETECTED"
  | "NO_RESULT"
  | "NON_ERROR_THROWN"
  | "PAYLOAD_TOO_LARGE"
  | "QUEUE_FULL"
  | "SAGA_FAILED"
  | "TWO_COPIES"
  | (string & {});

/** Options of {@link CqrsError}. */
export interface CqrsErrorOptions {
  /** The name of the message type that the error is about. */
  readonly messageType?: string | undefined;
  readonly cause?: unknown;
}

const BRAND = Symbol.for("cqrx.error");

/**
 * The base class of every error that cqrx makes itself. Its text says what happened and what to do next, and
 * never holds a payload.
 *
 * `instanceof` works across two copies of the library, because it compares `code`.
 *
 * @example
 * await bus.dispatch(command).catch((error) => {
 *   if (error instanceof HandlerNotFoundError) console.log(error.messageType); // CreateUser
 *   else throw error;
 * });
 */
export class CqrsError extends Error {
  /**
   * The code that `instanceof` compares and `name` is derived from. A subclass without a code of its own is
   * compared by prototype.
   */
  static readonly code: CqrsErrorCode = "CQRS";

  readonly code: CqrsErrorCode;
  readonly messageType: string | undefined;

  constructor(text: string, options: CqrsErrorOptions = {}) {
    super(text, options.cause === undefined ? undefined : options);
    this.code = new.target.code;
    this.messageType = options.messageType;
  }

  /**
   * The name of the class: `HandlerNotFoundError` for `HANDLER_NOT_FOUND`. It is on the prototype because the
   * stack quotes it during construction.
   */
  override get name(): string {
    const words = String((this.constructor as typeof CqrsError).code).toLowerCase();
    return `${words.replace(/(?:^|_)(.)/g, (_, letter: string) => letter.toUpperCase())}Error`;
  }

  get [BRAND](): true {
    return true;
  }

  static override [Symbol.hasInstance](this: { readonly code?: string }, value: unknown): boolean {
    if (!(BRAND in Object(value))) return false;
    if (this === CqrsError) return true;
    return Object.hasOwn(this, "code")
      ? (value as CqrsError).code === this.code
      : super[Symbol.hasInstance](value);
  }
}

/** A command or query type already has a handler; the first handler stays. */
export class HandlerAlreadyRegisteredError extends CqrsError {
  static override readonly code = "HANDLER_ALREADY_REGISTERED";

  constructor(messageType: string) {
    super(`${messageType} already has a handler; first unsubscribe what register() returned.`, {
      messageType,
    });
  }
}

/** The type of a message has no handler. */
export class HandlerNotFoundError extends CqrsError {
  static override readonly code = "HANDLER_NOT_FOUND";

  constructor(messageType: string, hint = "") {
    super(`No handler for ${messageType}.${hint} Register one, or give the bus a fallback.`, { messageType });
  }
}

/** A stream handler completed or failed before it settled this message. */
export class HandlerStoppedError extends CqrsError {
  static override readonly code = "HANDLER_STOPPED";

  constructor(messageType: string, cause?: unknown) {
    super(`The stream handling ${messageType} ended before it settled this message; settle each delivery.`, {
      messageType,
      cause,
    });
  }
}

/** The registered value cannot be a handler. */
export class InvalidHandlerError extends CqrsError {
  static override readonly code = "INVALID_HANDLER";
}

/** Options of {@link InvalidMessageError}. */
export interface InvalidMessageErrorOptions extends CqrsErrorOptions {
  readonly path?: string | undefined;
  readonly issues?: readonly StandardIssue[];
}

/** A value is not a message, or it cannot be written or read. The text says what is wrong, `path` says where. */
export class InvalidMessageError extends CqrsError {
  static override readonly code = "INVALID_MESSAGE";

  /** The place in the envelope, such as `payload.items[2].price`; at most 200 characters. */
  readonly path: string | undefined;
  /**
   * The issues that a schema found. Their texts are those of the schema library and may quote values of the
   * message. The property is not enumerable, so that `inspect` and loggers do not show it unasked.
   */
  declare readonly issues: readonly StandardIssue[];

  constructor(text: string, options: InvalidMessageErrorOptions = {}) {
    super(text, options);
    this.path = options.path === undefined ? undefined : excerpt(options.path);
    Object.defineProperty(this, "issues", { value: options.issues ?? [] });
  }
}

/** A message is too large to be written, read or sent. */
export class PayloadTooLargeError extends CqrsError {
  static override readonly code = "PAYLOAD_TOO_LARGE";

  /** The size at which it was refused; the message may be larger. Characters for texts, bytes for a transport. */
  readonly bytes: number;
  /** The largest size that is allowed. */
  readonly maxBytes: number;

  constructor(path: string, bytes: number, maxBytes: number, options: CqrsErrorOptions = {}) {
    super(
      `${excerpt(path)} is larger than ${maxBytes} characters or bytes; send a reference instead.`,
      options,
    );
    this.bytes = bytes;
    this.maxBytes = maxBytes;
  }
}

/** A value that was passed as middleware is not a middleware. */
export class InvalidMiddlewareError extends CqrsError {
  static override readonly code = "INVALID_MIDDLEWARE";
}

/** An option is unknown or missing, or has a value that it cannot have. */
export class InvalidOptionsError extends CqrsError {
  static override readonly code = "INVALID_OPTIONS";

  /** The name of the option, with dots for an option of an option: `restart.count`. */
  readonly option: string;
  /** The values that the option may have. */
  readonly expected: string;

  constructor(text: string, option: string, expected: string) {
    super(text);
    this.option = option;
    this.expected = expected;
  }
}

/** A middleware filtered the message out, or the message that enqueued it failed (`cause`). */
export class MessageDroppedError extends CqrsError {
  static override readonly code = "MESSAGE_DROPPED";

  constructor(messageType: string, middleware: string | undefined, cause?: unknown) {
    super(
      middleware === undefined
        ? `The message that enqueued ${messageType} failed (see cause); enqueue it without causedBy to run it anyway.`
        : `Middleware ${middleware} completed without forwarding ${messageType}; forward it, or settle it.`,
      { messageType, cause },
    );
  }
}

/** A shared middleware held the message longer than its `holdTimeoutMs`. */
export class MessageHeldError extends CqrsError {
  static override readonly code = "MESSAGE_HELD";

  constructor(messageType: string, holder: string, holdTimeoutMs: number) {
    super(
      `${holder} neither forwarded nor settled ${messageType} within ${holdTimeoutMs} ms; ` +
        "settle what it drops, or raise holdTimeoutMs.",
      { messageType },
    );
  }
}

/** A middleware broke its contract, or a shared middleware failed or completed while it held the message. */
export class MiddlewareCrashedError extends CqrsError {
  static override readonly code = "MIDDLEWARE_CRASHED";
}

/** The bus is closing or closed. */
export class BusClosedError extends CqrsError {
  static override readonly code = "BUS_CLOSED";

  constructor(bus: string, messageType?: string) {
    super(
      `${bus} is closed${messageType === undefined ? "" : ` and did not finish ${messageType}`}; ` +
        "dispatch before close(), or on a new bus.",
      { messageType },
    );
  }
}

/**
 * Dispatches were nested deeper than `maxDepth` or than the stack allows, most often by a handler or observer
 * that causes itself.
 */
export class DispatchDepthExceededError extends CqrsError {
  static override readonly code = "DISPATCH_DEPTH_EXCEEDED";

  constructor(bus: string, messageType: string, depth: number) {
    super(
      `${messageType} was dispatched ${depth} levels deep on ${bus}; ` +
        "break the cycle, or raise maxDepth as far as the stack allows.",
      { messageType },
    );
  }
}

/**
 * Sagas reacted to each other, or to themselves, more often than `maxHops` or `maxPerSecond` allows; or the runs of a
 * live query kept triggering its refresh.
 */
export class LoopDetectedError extends CqrsError {
  static override readonly code = "LOOP_DETECTED";

  /** The names of the message types that cause each other; the first name is repeated at the end. */
  readonly cycle: readonly string[];

  constructor(text: string, messageType: string, cycle: readonly string[]) {
    super(text, { messageType });
    this.cycle = cycle;
  }
}

/** The message arrived while `maxQueued` others waited: `enqueue`, and `overlap` of `cqrx/middleware`. */
export class QueueFullError extends CqrsError {
  static override readonly code = "QUEUE_FULL";

  constructor(messageType: string, maxQueued: number) {
    super(
      `${messageType} was refused: ${maxQueued} messages are waiting already; send less, or raise maxQueued.`,
      { messageType },
    );
  }
}

/** A saga failed more often in a row than `restart.count` allows. */
export class SagaFailedError extends CqrsError {
  static override readonly code = "SAGA_FAILED";

  constructor(saga: string, failures: number, cause: unknown) {
    super(
      `Saga ${saga} failed ${failures} times in a row (see cause) and is not restarted; ` +
        "fix it, or raise restart.count.",
      { cause },
    );
  }
}

/**
 * A value that only works within one copy of the library was handed to another copy. Messages, handlers, envelopes,
 * errors, streams and operators of RxJS pass between copies.
 */
export class TwoCopiesError extends CqrsError {
  static override readonly code = "TWO_COPIES";

  constructor(what: string, version: string, otherVersion: string) {
    super(
      `${what} comes from the other of two copies of cqrx (versions ${version} and ${otherVersion}). ` +
        "Install one (npm ls cqrx), bundle it once, and import all of it again after resetModules().",
    );
  }
}

/** A query's stream completed without a value. */
export class NoResultError extends CqrsError {
  static override readonly code = "NO_RESULT";

  constructor(messageType: string) {
    super(`The handler of ${messageType} completed without a value; emit one, or use ask$.`, { messageType });
  }
}

/** Code threw or rejected with a value that is not an Error; the value is the `cause`. */
export class NonErrorThrownError extends CqrsError {
  static override readonly code = "NON_ERROR_THROWN";

  constructor(messageType: string, cause: unknown) {
    super(`Handling ${messageType} threw a value that is not an Error (see cause); throw an Error.`, {
      messageType,
      cause,
    });
  }
}

/**
 * Handlers of an event failed; every handler was called. It is an `AggregateError` whose `errors` are in
 * order of registration, and a `CqrsError` by `instanceof` and by `code`.
 */
export class EventHandlersFailedError extends AggregateError {
  static readonly code = "EVENT_HANDLERS_FAILED";
  override get name(): string {
    return "EventHandlersFailedError";
  }

  readonly code: CqrsErrorCode = EventHandlersFailedError.code;
  readonly messageType: string;

  constructor(messageType: string, errors: readonly unknown[], handlers: number) {
    super(errors, `${errors.length} of ${handlers} handlers of ${messageType} failed; see errors.`);
    this.messageType = messageType;
    // A property instead of a getter, because bundlers keep an unused class whose member has a computed name.
    Object.defineProperty(this, BRAND, { value: true });
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return value instanceof CqrsError && value.code === this.code;
  }
}

/**
 * Returns an Error as it is and wraps any other value, because callers rely on a stack and a `message`. Never throws.
 */
export function asError(reason: unknown, { typeName }: { readonly typeName: string }): unknown {
  return isError(reason) ? reason : new NonErrorThrownError(typeName, reason);
}

/** Returns true for errors of any realm, such as Node's own inside Jest, and false for a Proxy whose traps throw. */
function isError(value: unknown): boolean {
  try {
    return (
      value instanceof Error ||
      /^\[object (Error|DOMException)\]$/.test(Object.prototype.toString.call(value))
    );
  } catch {
    return false;
  }
}

/** @throws InvalidMessageError if the value is not an object */
export function checkObject(value: unknown, path: string): void {
  if (typeof value !== "object" || value === null) refuse(path, "is not an object");
}

/** @throws InvalidMessageError that says where something is wrong, and what */
export function refuse(path: string, problem: string, cause?: unknown): never {
  throw new InvalidMessageError(`${excerpt(path)} ${problem}.`, { path, cause });
}

/**
 * Returns the start of a text that a sender wrote, for the text of an error: at most 200 characters, with
 * those escaped that a terminal or a log would not show as they are.
 */
export function excerpt(text: string): string {
  const shown = text
    .slice(0, 201)
    .replace(/[\p{C}\p{Zl}\p{Zp}]/gu, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return shown.length > 200 ? `${shown.slice(0, 199)}…` : shown;
}
