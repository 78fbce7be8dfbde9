import type { Observable } from "rxjs";
import type { Delivery } from "../delivery/delivery.js";
import { MiddlewareCrashedError } from "../errors.js";

/**
 * A middleware is an RxJS operator over deliveries, whichever of the three ways it is written:
 *
 * 1. any operator: `tap`, `filter`, `mergeMap`, ... Each message runs through its own subscription of it: what it throws rejects that message only,
 *    what it filters out rejects that message with `MessageDroppedError`, what it delays is delayed.
 * 2. {@link around}: the function form.
 * 3. {@link shared}: one instance of an operator across all messages.
 */
export type Middleware<M = object, R = unknown> = {
  // As a method, whose parameter is compared both ways: a middleware for some messages fits where one for all is taken.
  operator(source: Observable<Delivery<M, R>>): Observable<Delivery<M, R>>;
}["operator"];

/** What a middleware is called in errors and in `describe()`. */
export function middlewareName(middleware: Middleware): string {
  return middleware.name || "(operator)";
}

/** The error for an operator that emits something of its own, such as the message. */
export function notADelivery(middleware: string, messageType?: string): MiddlewareCrashedError {
  return new MiddlewareCrashedError(
    `${middleware} forwarded something that is not a delivery; forward the delivery, or delivery.with(message).`,
    {
      messageType,
    },
  );
}
