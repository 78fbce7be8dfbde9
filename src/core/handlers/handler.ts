import type { Observable } from "rxjs";
import type { HandlerContext } from "../delivery/delivery.js";

/** A function of the message and its context. Async functions and Observables are awaited; generators are refused. */
export type HandlerFunction<M, R, Local extends object = object> = (
  message: M,
  context: HandlerContext<M, Local>,
) => R;

/** An object with a `handle` method, which is looked up at each message and called on the object. */
export interface HandlerObject<M, R, Local extends object = object> {
  /** Handles a message, like a handler that is a function. */
  handle(message: M, context: HandlerContext<M, Local>): R;
  /** @deprecated The method is called `handle`. The name stands here so that the compiler's error says so. */
  readonly execute?: unknown;
}

/** A function, or an object with a `handle` method. */
export type Handler<M = never, R = unknown, Local extends object = object> =
  HandlerFunction<M, R, Local> | HandlerObject<M, R, Local>;

/** Options of a query handler that keep its watchers up to date. */
export interface RefreshOptions<Q = object, E = unknown> {
  /** Watched queries of the type are asked again at each emission, whatever its value. */
  readonly refreshOn?: Observable<E>;
  /** Returns whether an emission concerns a query. @defaultValue every emission does */
  readonly affects?: (emission: E, query: Q) => boolean;
}

/** A registered handler, ready to run. */
export interface Registration {
  /** The handler as it was passed to `register`. */
  readonly handler: unknown;
  readonly name: string;
  /** When the results of a query change. */
  readonly refresh?: RefreshOptions<never, never>;
  /** The names of the middleware around this handler alone, outermost first. */
  readonly middleware?: readonly string[];
  /** A function, whichever form the handler has. */
  readonly call: HandlerFunction<never, unknown>;
}
