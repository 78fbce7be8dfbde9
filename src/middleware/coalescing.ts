import { aFunction, checkOptions } from "../core/checks.js";
import type { Closeable, PartsDescription } from "../core/delivery/delivery-host.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { typeOf } from "../core/messages/message.js";
import { createMiddleware, replying, stateIn, type BuildContext, type Step } from "../core/pipeline/form.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { checkForQueries } from "./internal/for-queries.js";
import { keyFunction, type KeyFunction } from "./internal/key.js";
import { KeyedRuns } from "./internal/shared-run.js";

export interface CoalescingOptions<Q = object> {
  /**
   * Returns the key of a query; queries of one type with the same key share a run. Compared as `Map` does.
   * Include every header by which the handler decides, such as a tenant, because tenants would share results
   * otherwise. @defaultValue {@link messageKey}
   */
  readonly key?: KeyFunction<Q>;
}

/**
 * Lets equal queries share one run while it is in flight. Refused by command and event buses.
 *
 * Guarantees:
 * - An aborted caller does not affect the others; the last one to leave aborts the run.
 * - An error rejects every caller that waits for the run. The next query runs again.
 * - No second run of equal queries works beside one that an abort or a `timeLimit` gave up: the next query
 *   waits until that work has ended. So pass the `signal` on to what the handler waits for.
 * - A query stays synchronous if everything further in is.
 * - A query that would wait for a run that it was `causedBy` is rejected with `SelfDeadlockError`.
 *
 * A query that joins a run gets a result that was read from the start of that run on, which may be before the
 * query was sent; leave a type out by `when` if that is too old. The run has the envelope and the async
 * context of the query that started it. `ask$` is not coalesced.
 *
 * @throws InvalidOptionsError
 * @example
 * new QueryBus({ middleware: [when(GetUser, coalescing())] });
 */
export function coalescing<Q extends object = object, R = unknown>(
  options: CoalescingOptions<Q> = {},
): Middleware<Q, R> {
  checkOptions<CoalescingOptions<Q>>("coalescing()", options, { key: aFunction });
  const keyOf = keyFunction("coalescing", options.key as KeyFunction | undefined);
  const runsIn = stateIn((place) => {
    checkForQueries("coalescing", place.host);
    const runs = new RunsByType(keyOf, place);
    place.attach(runs);
    return runs;
  });
  return createMiddleware(
    "coalescing",
    (rest, place) => {
      const runs = runsIn(place);
      const joined = replying((delivery) => runs.admit(delivery, rest), place.outermost);
      return (delivery) => (delivery.streaming ? rest(delivery) : joined(delivery));
    },
    { passThrough: true },
  );
}

class RunsByType implements Closeable {
  readonly #keyOf: KeyFunction;
  readonly #place: BuildContext;
  readonly #runs = new WeakMap<object, KeyedRuns>();
  #shared = 0;

  constructor(keyOf: KeyFunction, place: BuildContext) {
    this.#keyOf = keyOf;
    this.#place = place;
  }

  admit(delivery: LiveDelivery, rest: Step): void {
    const key = this.#keyOf(delivery.message, delivery);
    const type = typeOf(delivery.message) ?? Object;
    let runs = this.#runs.get(type);
    if (runs === undefined) this.#runs.set(type, (runs = new KeyedRuns(this.#place)));
    if (runs.admit(key, delivery, rest, () => this.admit(delivery, rest))) this.#shared++;
  }

  describe({ gauges }: PartsDescription): void {
    gauges.push({ middleware: "coalescing", values: { shared: this.#shared } });
  }
}
