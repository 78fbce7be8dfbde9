import type { Envelope } from "../messages/envelope.js";

interface OutcomeOf<M> {
  /** The message as it was accepted. */
  readonly envelope: Envelope<M>;
  /** From acceptance to settlement, in milliseconds; `NaN` if nobody had looked at the message before it was settled. */
  readonly durationMs: number;
  /** How often it was tried: once, unless `retrying` or the background did so again. */
  readonly attempts: number;
}

export type FulfilledOutcome<M = object, R = unknown> = OutcomeOf<M> & PromiseFulfilledResult<R>;
export type RejectedOutcome<M = object> = OutcomeOf<M> & PromiseRejectedResult;

/**
 * How a message ended: what `Promise.allSettled` would say of its dispatch, with the envelope and the duration.
 *
 * Guarantees: every accepted message has exactly one; it agrees with the promise, and is out before the promise's continuations run.
 * The value of a command or event is `undefined`; of `ask$`, the last value of the stream.
 */
export type Outcome<M = object, R = unknown> = FulfilledOutcome<M, R> | RejectedOutcome<M>;

/**
 * Something that went wrong beside a message's own result, so that no promise can carry it.
 *
 * - `observer`: a subscriber of `messages$`, `outcomes$` or `deliveries` threw, rejected or had no error handler, or failed when the bus ended; or an
 *   injected clock did
 * - `handler`: a stream handler ended with messages unsettled
 * - `middleware`: a shared middleware crashed, or one forwarded a message twice
 * - `refresh`: what tells a live query to ask again failed
 * - `saga`: one failed, emitted what is no command, or emitted one that was rejected
 * - `background`: an enqueued command was rejected while nobody watched `outcomes$`
 * - `late`: work went on after its message had been settled, and this is how it ended
 */
export interface Fault {
  readonly kind: "observer" | "handler" | "middleware" | "refresh" | "saga" | "background" | "late";
  /** Who: the name of a bus stream, handler or middleware. */
  readonly source: string;
  readonly error: unknown;
  readonly envelope?: Envelope | undefined;
}
