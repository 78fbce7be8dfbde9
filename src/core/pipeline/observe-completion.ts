import { FULFILLED, type LiveDelivery } from "../delivery/live-delivery.js";
import { isStream } from "../delivery/consume-stream.js";
import { isThenable } from "../util/thenable.js";

export type Settled = PromiseSettledResult<unknown>;

/**
 * Runs the rest of the pipeline and calls `ended` once: when the rest returned or its promise settled, at a cancellation if that comes first, and
 * for a stream when it has been consumed. Synchronous when the rest is.
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
    ended({ status: "rejected", reason: error });
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
  // Chained and not watched on the side, because `then` of a lazy thenable, such as a query builder, runs it and must be called once.
  return Promise.resolve(result as PromiseLike<unknown>).then(
    (value) => {
      if (isStream(value)) return value;
      delivery.forget(settled);
      end({ status: "fulfilled", value });
      return value;
    },
    (error: unknown) => {
      delivery.forget(settled);
      end({ status: "rejected", reason: error });
      throw error;
    },
  );
}

function settlementOf({ holder: { status, result } }: LiveDelivery): Settled {
  return status === FULFILLED
    ? { status: "fulfilled", value: result }
    : { status: "rejected", reason: result };
}
