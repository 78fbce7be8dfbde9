import type { Observable } from "rxjs";
import type { Envelope } from "../messages/envelope.js";

/**
 * The values of a handler that the caller waits for: the first (`ask`, and the end of a command or event), each of
 * them (`ask$`), or the latest for as long as it stays (`watch`).
 */
export type ReplyForm = "one" | "many" | "live";

/**
 * The second argument of a handler. Pass it as `causedBy`, and the child inherits correlation, causation and
 * cancellation.
 */
export interface HandlerContext<M = object, Local extends object = object> {
  readonly envelope: Envelope<M>;
  /** Aborted when the caller no longer waits for the result. Made when it is first read. */
  readonly signal: AbortSignal;
  /** The number of this attempt, from 1. */
  readonly attempt: number;
  /**
   * The values that the caller waits for: `"one"` under `ask`, `dispatch` and `publish`, `"many"` under `ask$`,
   * `"live"` under `watch`. A handler that can do less work for one value reads it before it returns a stream.
   */
  readonly reply: ReplyForm;
  /**
   * The local context: the `context` of the dispatch, or else that of the message whose context was its
   * `causedBy`. Stays in the process: in no envelope, log or transport.
   */
  readonly local: Local | undefined;
}

/** The cause of a message: a handler's context, or an envelope, which passes no cancellation on. */
export type Cause = (Pick<HandlerContext, "envelope"> & Partial<HandlerContext>) | Envelope;

/**
 * A message in flight, seen by middleware and by stream handlers: the message together with the address its reply
 * goes to.
 *
 * Guarantees: the first `resolve` or `reject` settles it, later ones do nothing. The four functions can be taken
 * out: `({ message, resolve }) => resolve(load(message))`.
 */
export interface Delivery<M = object, R = unknown, Local extends object = object> extends HandlerContext<
  M,
  Local
> {
  readonly message: M;
  /** Fulfils the dispatch. */
  resolve(this: void, value?: R): void;
  /** Rejects the dispatch and aborts `signal`, so that work that still runs can stop. */
  reject(this: void, reason: unknown): void;
  /** Emits once how this delivery was settled, also to late subscribers. */
  readonly settled$: Observable<PromiseSettledResult<R>>;
  /** Returns a delivery of another message with the same reply, for middleware that changes messages. */
  with<N extends object>(this: void, message: N): Delivery<N, R, Local>;
  /** Returns a delivery with a reply of its own, which is cancelled together with this one. */
  fork(this: void, message?: M): Delivery<M, R, Local>;
}
