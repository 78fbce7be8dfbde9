import { createMiddleware, replying, stateIn, type BuildContext, type Step } from "../core/pipeline/form.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { typeOf } from "../core/messages/message.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { checkedKey, type KeyFunction } from "./internal/key.js";
import { checkForQueries, checkOptions } from "./internal/options.js";
import { SharedRun } from "./internal/shared-run.js";

export interface CoalescingOptions<Q = object> {
  /**
   * Queries of one type with the same key share a run; compared as keys of a `Map` are. The context is given, too: a key that leaves out a header
   * by which the handler decides, such as a tenant, shares results between tenants. @defaultValue {@link messageKey}
   */
  readonly key?: KeyFunction<Q>;
}

/**
 * Equal queries that are asked while one of them runs share its run. Refused by other buses than query buses.
 *
 * Guarantees: a caller that is aborted hurts no other, and the last one to leave aborts the run. An error reaches all who wait; the next ask
 * runs again. Synchronous when everything below is. A query that would wait for a run that it was `causedBy` is rejected with `SelfDeadlockError`.
 *
 * Who joins a run gets what that run began to read before: for what must not be older than the ask, leave the type out by `when`.
 * The run has the envelope and async context of the one that started it. `ask$` passes by.
 *
 * @example
 * new QueryBus({ middleware: [when(GetUser, coalescing())] });
 */
export function coalescing<Q extends object = object, R = unknown>(
  options: CoalescingOptions<Q> = {},
): Middleware<Q, R> {
  checkOptions("coalescing", options);
  const keyOf = checkedKey("coalescing", options.key);
  const runsIn = stateIn((place) => {
    checkForQueries("coalescing", place.host);
    return new Runs(keyOf, place);
  });
  return createMiddleware(
    "coalescing",
    (rest, place) => {
      const runs = runsIn(place);
      const joined = replying((delivery) => runs.join(delivery, rest), place.outermost);
      return (delivery) => (delivery.streaming ? rest(delivery) : joined(delivery));
    },
    { passThrough: true },
  );
}

class Runs {
  readonly #keyOf: KeyFunction;
  readonly #place: BuildContext;
  readonly #ofType = new WeakMap<object, Map<unknown, SharedRun>>();

  constructor(keyOf: KeyFunction, place: BuildContext) {
    this.#keyOf = keyOf;
    this.#place = place;
  }

  join(delivery: LiveDelivery, rest: Step): void {
    const key = this.#keyOf(delivery.message, delivery);
    const type = typeOf(delivery.message) ?? Object;
    let runs = this.#ofType.get(type);
    if (runs === undefined) this.#ofType.set(type, (runs = new Map<unknown, SharedRun>()));
    const running = runs.get(key);
    if (running !== undefined) return running.join(delivery);
    const run = new SharedRun(delivery, this.#place);
    runs.set(key, run);
    // Before anybody learns of the result, and may ask again.
    run.delivery.whenSettled(() => runs.delete(key));
    run.start(rest);
  }
}
