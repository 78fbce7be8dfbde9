import type { Observable, Subscription } from "rxjs";
import { Bus } from "../core/bus/bus.js";
import { callOne } from "../core/bus/call-handlers.js";
import type { BusKind } from "../core/bus/engine.js";
import { checkOptions, type Checks } from "../core/checks.js";
import {
  BUS_OPTIONS,
  HANDLER_OPTIONS,
  type BusOptions,
  type DeliveriesOptions,
  type DispatchOptions,
  type HandlerOptions,
} from "../core/bus/options.js";
import type { Delivery } from "../core/delivery/delivery.js";
import type { Handler, RefreshOptions } from "../core/handlers/handler.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageOf, MessageType, ResultOf } from "../core/messages/message.js";
import { liveQuery, type LiveQuery } from "../reactive/live-query.js";
import { REFRESH_OPTIONS, type WatchOptions } from "../reactive/watcher.js";

/** The types that a query handler may return for a result of type `R`. */
export type QueryResult<R> = R | PromiseLike<R> | Observable<R> | AsyncIterable<R>;

/** Options of a query handler. */
export interface QueryHandlerOptions<Q extends object = object, E = unknown, R = unknown>
  extends RefreshOptions<Q, E>, HandlerOptions<Q, R> {}

const OPTIONS: Checks<HandlerOptions & RefreshOptions> = { ...HANDLER_OPTIONS, ...REFRESH_OPTIONS };

const QUERIES: BusKind = { kind: "query", name: "QueryBus", handle: callOne };

/**
 * Takes each query to the one handler of its type and brings back the result, once or for as long as a caller watches.
 *
 * @typeParam Unmarked - the result type of queries whose class does not extend `Query<R>`
 * @typeParam Local - the local context of its messages, see `DispatchOptions.context`
 * @example
 * const queryBus = new QueryBus();
 * queryBus.register(GetUserEmail, ({ userId }) => users.get(userId) ?? null);
 * const email = await queryBus.ask(new GetUserEmail("u1")); // string | null
 */
export class QueryBus<Unmarked = unknown, Local extends object = object> extends Bus {
  constructor(options?: BusOptions) {
    super(QUERIES, options, BUS_OPTIONS);
  }

  /**
   * Makes `handler` the handler of a type; unsubscribing unregisters it. With `refreshOn`, every {@link watch} of
   * the type is asked again when that emits, or only those queries that the emission `affects`.
   *
   * @throws HandlerAlreadyRegisteredError when the type has a handler; the first handler stays.
   * @throws InvalidHandlerError for a value that cannot be called, and for generators.
   * @throws InvalidOptionsError for a wrong option.
   */
  register<Q extends MessageOf<"query">, E = unknown>(
    type: MessageType<Q>,
    handler: Handler<Q, QueryResult<ResultOf<Q, Unmarked>>, Local>,
    options: QueryHandlerOptions<Q, E, ResultOf<Q, Unmarked>> = {},
  ): Subscription {
    checkOptions<QueryHandlerOptions<Q, E, ResultOf<Q, Unmarked>>>("register()", options, OPTIONS);
    const { middleware, ...refresh } = options;
    return this.addHandler(
      type,
      handler as Handler<Q>,
      middleware as never,
      refresh as unknown as RefreshOptions<never, never>,
    );
  }

  /** The queries of a type as a stream: its subscriber is their handler, and settles each of them. */
  deliveries<Q extends MessageOf<"query">>(
    type: MessageType<Q>,
    options?: DeliveriesOptions,
  ): Observable<Delivery<Q, ResultOf<Q, Unmarked>, Local>> {
    return this.streamOf(type, options);
  }

  /**
   * Runs a query and resolves to the result of its handler: the value, the promise's value, or the first value of
   * a stream.
   *
   * Guarantees: never throws, always settles. Handler errors arrive as they were thrown.
   */
  ask<Q extends MessageOf<"query">>(
    query: Q | Envelope<Q>,
    options?: DispatchOptions<Local>,
  ): Promise<ResultOf<Q, Unmarked>> {
    return this.engine.send(query, options).promise() as Promise<ResultOf<Q, Unmarked>>;
  }

  /**
   * Returns a cold `ask` that emits every value of a handler that returns a stream. Each subscription asks;
   * unsubscribing aborts.
   */
  ask$<Q extends MessageOf<"query">>(
    query: Q | Envelope<Q>,
    options?: DispatchOptions<Local>,
  ): Observable<ResultOf<Q, Unmarked>> {
    return this.cold(query, options) as Observable<ResultOf<Q, Unmarked>>;
  }

  /**
   * Returns the results of a query, now and whenever `refreshOn` says that they may have changed.
   *
   * Guarantees: the latest state always arrives, and no older result after a newer one. Watchers of equal queries share
   * each run; a later watcher sees the latest result at once, and the last to leave aborts the run. There is one run at
   * a time: refreshes that come meanwhile are answered by one more run after it. A handler that returned a stream and
   * has emitted is unsubscribed from, and asked again. A failure errors the watchers that have no `onError`; the others
   * stay, and the next refresh tries again. So does a new handler of the type. Closing the bus completes them.
   *
   * @throws InvalidOptionsError for a wrong option; a value that is not a query errors its watchers.
   * @example
   * const created$ = commandBus.outcomes$.pipe(ofType(CreateUser), fulfilled());
   * queryBus.watch(new CountUsers(), { refreshOn: created$ }).subscribe((count) => console.log(count));
   */
  watch<Q extends MessageOf<"query">>(
    query: Q,
    options: WatchOptions<ResultOf<Q, Unmarked>, Local> = {},
  ): LiveQuery<ResultOf<Q, Unmarked>> {
    return liveQuery(this.engine, query, options);
  }
}
