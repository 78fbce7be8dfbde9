import { CqrsError } from "../core/errors.js";

/** The status of each error that cqrx makes, by its code, as RFC 9110 defines them. */
const STATUSES: Readonly<Record<string, number>> = {
  // 400 Bad Request: not a readable message. Found invalid by a schema, it is 422; see below.
  INVALID_MESSAGE: 400,

  // 403 Forbidden. Not 401, which must come with a challenge to authenticate.
  UNAUTHORIZED: 403,

  // 404 Not Found
  NO_RESULT: 404,

  // 409 Conflict: with another message that runs or that came later, or with a newer version.
  BUSY: 409,
  CONCURRENCY: 409,
  SUPERSEDED: 409,

  // 413 Content Too Large
  PAYLOAD_TOO_LARGE: 413,

  // 422 Unprocessable Content, as the draft of the Idempotency-Key header says.
  IDEMPOTENCY_CONFLICT: 422,

  // 501 Not Implemented
  HANDLER_NOT_FOUND: 501,

  // 503 Service Unavailable: the client may try again later. A time limit is not 504, because no gateway is involved.
  BUS_CLOSED: 503,
  LEASE_LOST: 503,
  LINK_CLOSED: 503,
  MESSAGE_DROPPED: 503,
  MESSAGE_HELD: 503,
  NOT_CAUGHT_UP: 503,
  NOT_SENT: 503,
  QUEUE_FULL: 503,
  SLOW_CLIENT: 503,
  SLOW_CONSUMER: 503,
  STORE_FAILED: 503,
  TIME_LIMIT: 503,

  // 504 Gateway Timeout: another process has the message, and did not answer.
  OUTCOME_UNKNOWN: 504,

  // 500 Internal Server Error: a mistake in the program.
  BATCH_RESULT: 500,
  CQRS: 500,
  DISPATCH_DEPTH_EXCEEDED: 500,
  EVENT_HANDLERS_FAILED: 500,
  HANDLER_ALREADY_REGISTERED: 500,
  HANDLER_STOPPED: 500,
  INJECTED_FAULT: 500,
  INVALID_HANDLER: 500,
  INVALID_MIDDLEWARE: 500,
  INVALID_OPTIONS: 500,
  LOOP_DETECTED: 500,
  MIDDLEWARE_CRASHED: 500,
  NON_ERROR_THROWN: 500,
  REMOTE: 500,
  SAGA_FAILED: 500,
  SELF_DEADLOCK: 500,
  TRANSACTION_ENDED: 500,
  TWO_COPIES: 500,
  UNRECOVERABLE: 500,
};

interface ErrorFields {
  readonly name?: unknown;
  readonly code?: unknown;
  readonly issues?: unknown;
}

/**
 * Returns the HTTP status for what a bus rejected with: by `code` for the errors of cqrx, of any copy of the
 * library; 503 for an `AbortError` or `TimeoutError`; 500 for every other value. Never throws.
 *
 * @param statuses - statuses by the `code` of an error, for the errors of your own and to change those of cqrx
 *
 * @example
 * app.setErrorHandler((error, request, reply) =>
 *   reply.code(httpStatusOf(error, { USER_NOT_FOUND: 404, QUEUE_FULL: 429 })).send({ error: error.code }));
 */
export function httpStatusOf(error: unknown, statuses: Readonly<Record<string, number>> = {}): number {
  try {
    const { name, code, issues } = (error ?? {}) as ErrorFields;
    if (typeof code === "string" && Object.hasOwn(statuses, code)) return statuses[code] ?? 500;
    if (error instanceof CqrsError) {
      if (code === "INVALID_MESSAGE" && Array.isArray(issues) && issues.length > 0) return 422;
      // A code that this copy does not know comes from another version.
      return typeof code === "string" && Object.hasOwn(STATUSES, code) ? (STATUSES[code] ?? 500) : 500;
    }
    return name === "AbortError" || name === "TimeoutError" ? 503 : 500;
  } catch {
    // A getter or a Proxy threw.
    return 500;
  }
}

/** Returns the code of an error that cqrx made, otherwise `INTERNAL`. Never throws. */
export function publicCodeOf(error: unknown): string {
  try {
    return error instanceof CqrsError ? String(error.code) : "INTERNAL";
  } catch {
    return "INTERNAL";
  }
}
