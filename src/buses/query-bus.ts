import type { Subscription } from "rxjs";
import type { MessageOf, MessageType, ResultOf } from "../core/messages/message.js";
import { CoreQueryBus, type QueryResult } from "./core-query-bus.js";
import type { Handler, RefreshOptions } from "../core/handlers/registry.js";
import { liveQuery, type LiveQuery } from "../reactive/live-query.js";
import { checkRefreshOptions, type WatchOptions } from "../reactive/watcher.js";

/**
 * Takes queries to their one handler each and brings back the result, once or for as long as somebody watches.
 *
 * @typeParam Unmarked - what queries resolve to whose class does not extend `Query<R>`
 * @example
 * const queryBus = new QueryBus();
 * queryBus.register(GetUserEmail, ({ userId }) => users.get(userId) ?? null);
 * const email = await queryBus.ask(new GetUserEmail("u1")); // string | null
 */
export class QueryBus<Unmarked = unknown> extends CoreQueryBus<Unmarked> {
  /**
   * Makes `handler` the handler of a type; unsubscribing unregisters it. With `refreshOn`, every {@link watch} of the type is asked again
   * when that emits, or only those queries that the emission `affects`.
   *
   * @throws HandlerAlreadyRegisteredError when the type has one; the first stays.
   * @throws InvalidHandlerError for what cannot be called, and for generators.
   * @throws InvalidMessageError for options that make no sense.
   */
  override register<Q extends MessageOf<"query">, E = unknown>(
    type: MessageType<Q>,
    handler: Handler<Q, QueryResult<ResultOf<Q, Unmarked>>>,
    refresh?: RefreshOptions<Q, E>,
  ): Subscription {
    if (refresh != null) checkRefreshOptions(refresh);
    return this.engine.registry.register(
      type,
      handler,
      (refresh ?? undefined) as RefreshOptions<Q, never> | undefined,
    );
  }

  /**
   * The results of a query, now and whenever `refreshOn` says that they may have changed.
   *
   * Guarantees: the latest state always arrives, and no older result after a newer one. Watchers of equal queries share each run, and see the latest
   * result at once when they come later; the last one to leave aborts the run. There is one run at a time: refreshes that come meanwhile
   * are answered by one more after it. A handler that returned a stream and has emitted is unsubscribed from, and asked again.
   * A failure errors the watchers that have no `onError`; the others stay, and the next refresh tries again. So does a new handler of the type.
   * Closing the bus completes them.
   *
   * @throws InvalidMessageError for options that make no sense; a query that is none errors its watchers.
   * @example
   * const created$ = commandBus.outcomes$.pipe(ofType(CreateUser), fulfilled());
   * queryBus.watch(new CountUsers(), { refreshOn: created$ }).subscribe((count) => console.log(count));
   */
  watch<Q extends MessageOf<"query">>(
    query: Q,
    options: WatchOptions<ResultOf<Q, Unmarked>> = {},
  ): LiveQuery<ResultOf<Q, Unmarked>> {
    return liveQuery(this.engine, query, options) as LiveQuery<ResultOf<Q, Unmarked>>;
  }
}
