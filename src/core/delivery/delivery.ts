import type { Observable } from "rxjs";
import type { Envelope } from "../messages/envelope.js";

/** What a handler gets beside the message. Pass it as `causedBy`, and the child inherits correlation, causation and cancellation. */
export interface HandlerContext<M = object> {
  readonly envelope: Envelope<M>;
  /** Aborted when nobody waits for the result any more. Made when it is first read. */
  readonly signal: AbortSignal;
  /** 1 for the first try, counted up by `retrying`. */
  readonly attempt: number;
}

/** What a message can be an effect of: a handler's context, or an envelope, which hands on no cancellation. */
export type Cause = (Pick<HandlerContext, "envelope"> & Partial<HandlerContext>) | Envelope;

/**
 * A message in flight, seen by middleware and by stream handlers: the message together with the address its reply goes to.
 *
 * Guarantees: the first `resolve` or `reject` settles it, later ones do nothing.
 */
export interface Delivery<M = object, R = unknown> extends HandlerContext<M> {
  readonly message: M;
  /** Fulfils the dispatch. */
  resolve(value?: R): void;
  /** Rejects the dispatch and aborts `signal`, so that what still runs for it can stop. */
  reject(reason: unknown): void;
  /** How this delivery was settled: one value, also for late subscribers. */
  readonly settled$: Observable<PromiseSettledResult<R>>;
  /** Another message with the same reply address, for middleware that changes messages. */
  with<N extends object>(message: N): Delivery<N, R>;
  /** A delivery with a reply of its own, cancelled together with this one. */
  fork(message?: M): Delivery<M, R>;
}
