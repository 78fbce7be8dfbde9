import { consumeIfDue, isStream } from "../../core/delivery/consume-stream.js";
import type { LiveDelivery } from "../../core/delivery/live-delivery.js";
import { asPromise, isThenable } from "../../core/util/thenable.js";

/**
 * Passes the result of a step on to `then` once it is known what the caller gets: the value, that of a promise, or
 * what a stream comes to. Synchronous when the result is.
 *
 * Promises come first, because a query builder may be a promise and an async iterable at once, and a promise may
 * bring a stream.
 */
export function whenConsumed(
  result: unknown,
  delivery: LiveDelivery,
  then: (value: unknown) => unknown,
): unknown {
  const read = (value: unknown): unknown => {
    if (!isStream(value)) return then(value);
    const consumed = consumeIfDue(value, delivery);
    return isThenable(consumed) ? asPromise(consumed).then(then) : then(consumed);
  };
  return isThenable(result) ? asPromise(result).then(read) : read(result);
}
