import { ABORTED, isPending, settle, type Reply } from "./settlement.js";
import { rememberWork, type WorkLinks } from "./unfinished-work.js";

/** The links of a delivery along which a cancellation spreads; made by the few deliveries that need them. */
export interface CancellationLinks {
  /** The reason with which this message was cancelled last; on the origin, for all of its forks. */
  cancellation: unknown;
  controller: AbortController | undefined;
  /** Deliveries that are cancelled together with this one. */
  effects: Set<Cancellable> | undefined;
  /** The effects of another delivery that this one is among. */
  among: Set<Cancellable> | undefined;
}

export interface Cancellable extends Reply {
  readonly origin: {
    readonly links: WorkLinks & CancellationLinks;
    readonly madeLinks: CancellationLinks | undefined;
  };
  readonly links: CancellationLinks;
  readonly madeLinks: CancellationLinks | undefined;
}

/**
 * Aborts a reply whose result is not wanted any more: by its caller, by a cause that ended, by a newer message or
 * by the end of the bus. The outcome of the message says so, if it ends with this reason.
 */
export function cancel(reply: Cancellable, reason: unknown): void {
  if (!isPending(reply)) return;
  reply.origin.links.cancellation = reason;
  abort(reply, reason);
}

/** Returns whether a rejection with this reason is a cancellation of the message, and not a failure. */
export function wasCancelledWith(reply: Cancellable, reason: unknown): boolean {
  const { madeLinks } = reply.origin;
  return madeLinks !== undefined && Object.is(madeLinks.cancellation, reason);
}

/** Rejects a reply with the reason as it is, and cancels all work that runs for it. */
export function abort(reply: Cancellable, reason: unknown): void {
  if (!isPending(reply)) return;
  // Remember the handler's promise before settling, because hooks that release a key or a slot ask for work that
  // goes on.
  if (reply.result !== undefined) rememberWork(reply.origin, reply.result as Promise<unknown>);
  // Settle first. If the signal aborted first, a listener could settle the reply with its own error of being cancelled.
  settle(reply, ABORTED, reason);
  reply.madeLinks?.controller?.abort(reason);
  // A fork is part of the same message, which may have failed; for a message that this one caused it is a cancellation.
  for (const effect of reply.madeLinks?.effects ?? [])
    (effect.origin === reply.origin ? abort : cancel)(effect, reason);
}

export function signalOf(reply: Cancellable): AbortSignal {
  const controller = (reply.links.controller ??= new AbortController());
  if (reply.status === ABORTED && !controller.signal.aborted) controller.abort(reply.result);
  return controller.signal;
}

/** Cancels `effect` together with `reply`, as long as both are pending. */
export function cancelTogether(reply: Cancellable, effect: Cancellable): void {
  if (isPending(reply)) (effect.links.among = reply.links.effects ??= new Set<Cancellable>()).add(effect);
  else if (reply.status === ABORTED) (effect.origin === reply.origin ? abort : cancel)(effect, reply.result);
}
