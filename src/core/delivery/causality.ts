import type { Cancellable } from "./cancellation.js";

/**
 * The kinship of deliveries. One message may run as several of them:
 *
 * - `origin` is the delivery that was dispatched; every fork of it, at any depth, has it as its origin.
 * - `reply` is the delivery that holds the reply: the delivery itself, or the one that `with(message)` was called on.
 * - a fork has a reply of its own and is cancelled together with the delivery that it was forked from.
 * - a detached fork is not, because several messages may wait for it; it is the `run` of itself and of its forks.
 * - `cause` is the message in flight that dispatched this one with `causedBy`.
 *
 * A query that is coalesced, then retried: `origin` (dispatched) → detached fork (`run`, awaited by every equal
 * query) → a fork for each attempt.
 */
export interface CausalLinks<D> {
  origin: D | undefined;
  run: D | undefined;
  /** Forgotten once either is settled, because a chain of causes would keep its whole past alive. */
  cause: D | undefined;
  /** The number of this attempt, from 1; on the origin, the number that the dispatch said. */
  attempt: number;
  /** How often the message was tried in all; on the origin, for all of its forks. */
  attempts: number;
}

interface Caused<D> {
  readonly origin: Cancellable & { readonly madeLinks: CausalLinks<D> | undefined };
}

/** Iterates over the messages in flight that a delivery is an effect of, nearest first. */
export function* causesOf<D extends Caused<D>>(delivery: Caused<D>): Generator<D> {
  for (
    let cause = delivery.origin.madeLinks?.cause;
    cause !== undefined;
    cause = cause.origin.madeLinks?.cause
  )
    yield cause;
}
