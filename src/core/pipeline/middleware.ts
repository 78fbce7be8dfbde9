import type { Observable } from "rxjs";
import type { Delivery } from "../delivery/delivery.js";
import { otherCopyError } from "../checks.js";
import { MiddlewareCrashedError, type CqrsError } from "../errors.js";

/**
 * A middleware is an RxJS operator over deliveries, whichever of the three ways it is written:
 *
 * 1. any operator: `tap`, `filter`, `mergeMap`, ... Each message runs through its own subscription of it: an
 * error rejects that message only,
 *    a message that is filtered out is rejected with `MessageDroppedError`, a delay delays that message.
 * 2. {@link around}: the function form.
 * 3. {@link shared}: one instance of an operator across all messages.
 */
export type Middleware<M = object, R = unknown> = {
  // A method, because its parameter is compared bivariantly: a middleware for some messages fits where one for
  // all is expected.
  operator(source: Observable<Delivery<M, R>>): Observable<Delivery<M, R>>;
}["operator"];

/**
 * Makes the error for an operator that emits a value of its own, such as the message, or a delivery of another
 * copy of the library.
 */
export function notADelivery(middleware: string, value: unknown, messageType?: string): CqrsError {
  return (
    otherCopyError(`a delivery that reached ${middleware}`, value) ??
    new MiddlewareCrashedError(
      `${middleware} forwarded something that is not a delivery; forward the delivery, or delivery.with(message).`,
      { messageType },
    )
  );
}
