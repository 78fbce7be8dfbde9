import { wasCancelledWith } from "../delivery/cancellation.js";
import { FULFILLED, type LiveDelivery } from "../delivery/live-delivery.js";
import { isStream } from "../delivery/consume-stream.js";
import { isThenable } from "../util/thenable.js";

/** The end of a message for a middleware; a rejection says whether the message was cancelled. */
export type Settled =
  PromiseFulfilledResult<unknown> | (PromiseRejectedResult & { readonly cancelled: boolean });

/**
 * Runs the rest of the pipeline and calls `ended` once: when the rest returned or its promise settled, at a
 * cancellation if that comes first, and for a stream when it has been consumed. Synchronous when the rest is.
 */
export function observeCompletion(
  delivery: LiveDelivery,
  rest: () => unknown,
  ended: (settled: Settled) => void,
): unknown {
  let result: unknown;
  try {
    result = rest();
  } catch (error) {
    ended(rejection(delivery, error));
    throw error;
  }
  const promised = isThenable(result);
  if (!promised && !isStream(result)) {
    ended({ status: "fulfilled", value: result });
    return result;
  }
  let over = false;
  const end = (settled: Settled): void => {
    if (over) return;
    over = true;
    ended(settled);
  };
  const settled = (): void => end(settlementOf(delivery));
  delivery.whenSettled(settled);
  if (!promised) return result;
  // Chained and not watched on the side, because `then` of a lazy thenable, such as a query builder, runs it and
  // must be called once.
  return Promise.resolve(result as PromiseLike<unknown>).then(
    (value) => {
      if (isStream(value)) return value;
      delivery.forget(settled);
      end({ status: "fulfilled", value });
      return value;
    },
    (error: unknown) => {
      delivery.forget(settled);
      end(rejection(delivery, error));
      throw error;
    },
  );
}

function settlementOf(delivery: LiveDelivery): Settled {
  const { status, result } = delivery.holder;
  return status === FULFILLED ? { status: "fulfilled", value: result } : rejection(delivery, result);
}

function rejection(delivery: LiveDelivery, reason: unknown): Settled {
  return { status: "rejected", reason, cancelled: wasCancelledWith(delivery, reason) };
}
