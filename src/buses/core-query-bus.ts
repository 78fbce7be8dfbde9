import type { Observable, Subscription } from "rxjs";
import { Bus } from "../core/bus/bus.js";
import type { Delivery } from "../core/delivery/delivery.js";
import { callTheOne, type Kind } from "../core/bus/engine.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageOf, MessageType, ResultOf } from "../core/messages/message.js";
import type { BusOptions, DispatchOptions } from "../core/bus/options.js";
import type { Handler } from "../core/handlers/registry.js";

/** What a query handler may return for a result of type `R`. */
export type QueryResult<R> = R | PromiseLike<R> | Observable<R> | AsyncIterable<R>;

const QUERIES: Kind = { kind: "query", returnsValue: true, needsHandler: true, handle: callTheOne };

/**
 * Takes queries to their one handler each and brings back the result. The `QueryBus` that is exported adds live queries, which are layered on this.
 *
 * @typeParam Unmarked - what queries resolve to whose class does not extend `Query<R>`
 */
export class CoreQueryBus<Unmarked = unknown> extends Bus {
  constructor(options?: BusOptions) {
    super(QUERIES, options);
  }

  /**
   * Makes `handler` the handler of a type; unsubscribing unregisters it.
   *
   * @throws HandlerAlreadyRegisteredError when the type has one; the first stays.
   * @throws InvalidHandlerError for what cannot be called, and for generators.
   */
  register<Q extends MessageOf<"query">>(
    type: MessageType<Q>,
    handler: Handler<Q, QueryResult<ResultOf<Q, Unmarked>>>,
  ): Subscription {
    return this.engine.registry.register(type, handler);
  }

  /** The queries of a type as a stream: whoever subscribes is their handler, and settles each of them. */
  deliveries<Q extends MessageOf<"query">>(
    type: MessageType<Q>,
  ): Observable<Delivery<Q, ResultOf<Q, Unmarked>>> {
    return this.lane(type);
  }

  /**
   * Runs a query and resolves to what its handler returned: the value, the promise's value, or the first value of a stream.
   *
   * Guarantees: never throws, always settles. Handler errors arrive as they were thrown.
   */
  ask<Q extends MessageOf<"query">>(
    query: Q | Envelope<Q>,
    options?: DispatchOptions,
  ): Promise<ResultOf<Q, Unmarked>> {
    return this.engine.send(query, options).promise() as Promise<ResultOf<Q, Unmarked>>;
  }

  /** The same, cold, with every value of a handler that returns a stream. Each subscription asks; unsubscribing aborts. */
  ask$<Q extends MessageOf<"query">>(
    query: Q | Envelope<Q>,
    options?: DispatchOptions,
  ): Observable<ResultOf<Q, Unmarked>> {
    return this.cold(query, options) as Observable<ResultOf<Q, Unmarked>>;
  }
}
