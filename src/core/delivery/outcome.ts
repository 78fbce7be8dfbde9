import type { Envelope } from "../messages/envelope.js";

interface OutcomeOf<M> {
  /** The message as it was accepted. */
  readonly envelope: Envelope<M>;
  /** From acceptance to settlement, in milliseconds; `NaN` if the message had no observer before it was settled. */
  readonly durationMs: number;
  /**
   * How often the message was tried: once, unless `retrying` or the background tried it again, or `attempt` of the
   * dispatch said so.
   */
  readonly attempts: number;
}

export type FulfilledOutcome<M = object, R = unknown> = OutcomeOf<M> & PromiseFulfilledResult<R>;
export type RejectedOutcome<M = object> = OutcomeOf<M> &
  PromiseRejectedResult & {
    /**
     * True if the message was cancelled: by its caller's signal or departure, by a cause that ended, by a newer
     * message (`overlap` with `"switch"`), or by the end of the bus. Everything else is a failure, a time limit,
     * a busy key and a full queue included.
     */
    readonly cancelled: boolean;
  };

/**
 * The end of a message: the result that `Promise.allSettled` gives for its dispatch, with the envelope and the
 * duration.
 *
 * Guarantees: every accepted message has exactly one outcome, which agrees with the promise and is emitted before the
 * promise's continuations run. The value of a command or event is `undefined`; of `ask$`, the last value of the stream.
 */
export type Outcome<M = object, R = unknown> = FulfilledOutcome<M, R> | RejectedOutcome<M>;

/**
 * A message that a bus refused to accept. It has neither an envelope nor an outcome; its promise is rejected with
 * `error`.
 */
export interface Refusal {
  /** The name of the message's type. */
  readonly messageType: string;
  readonly error: unknown;
  /** When it was refused, in milliseconds since the epoch. */
  readonly time: number;
}

/**
 * An error beside a message's own result, which no promise can carry.
 *
 * - `observer`: a subscriber of `messages$`, `outcomes$` or `deliveries` threw, rejected or had no error handler, or
 *   failed when the bus closed; or an injected clock or id factory failed
 * - `handler`: a stream handler ended with messages unsettled
 * - `middleware`: a shared middleware crashed, or one forwarded a message twice
 * - `refresh`: a refresh source of a live query failed
 * - `saga`: a saga failed, emitted a value that is not a command, or emitted a command that was rejected
 * - `background`: an enqueued message was rejected while `outcomes$` had no observer
 * - `durable`: a feed or a worker of `cqrx/postgres` could not handle a message, or could not reach its database
 * - `late`: work went on after its message had been settled, and has ended now
 */
export interface Fault {
  readonly kind:
    "observer" | "handler" | "middleware" | "refresh" | "saga" | "background" | "durable" | "late";
  /** The name of the stream, handler or middleware that failed. */
  readonly source: string;
  readonly error: unknown;
  readonly envelope?: Envelope | undefined;
}
