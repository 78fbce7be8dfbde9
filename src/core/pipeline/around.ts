import { createMiddleware, type Step } from "./form.js";
import type { Delivery } from "../delivery/delivery.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import { InvalidMessageError, InvalidMiddlewareError, MiddlewareCrashedError } from "../errors.js";
import { type Middleware } from "./middleware.js";
import { isThenable } from "../util/thenable.js";

/**
 * Runs the rest of the pipeline: later middleware, then the handler. Returns its value, or a promise of it; throws what a synchronous rest throws.
 * Without an argument the message goes on as it is. May be called again (retries) or never (short circuit).
 */
export type Next<M = object, R = unknown> = (message?: M) => R | PromiseLike<R>;

/** What {@link around} takes. Synchronous when everything below it is. */
export type AroundFunction<M = object, R = unknown> = (
  message: M,
  next: Next<M, R>,
  delivery: Delivery<M, R>,
) => R | PromiseLike<R>;

/**
 * A middleware as a function: `(message, next, delivery) => result`. Costs about as much as a function call, and keeps dispatch synchronous
 * when everything below is.
 *
 * @example
 * const timing = around(async (message, next) => {
 *   const started = performance.now();
 *   try {
 *     return await next(message);
 *   } finally {
 *     console.log(message.constructor.name, performance.now() - started);
 *   }
 * });
 */
export function around<M extends object = object, R = unknown>(call: AroundFunction<M, R>): Middleware<M, R> {
  if (typeof call !== "function")
    throw new InvalidMiddlewareError("around() takes a function (message, next, delivery) => result.");
  const untyped = call as unknown as AroundFunction;
  return createMiddleware(call.name || "around", (rest) => aroundStep(untyped, rest));
}

function aroundStep(call: AroundFunction, rest: Step): Step {
  return (delivery) => {
    let below: unknown;
    let returned = false;
    const next = (message?: object): unknown => {
      if (!delivery.pending) throw afterTheEnd(call, delivery);
      if (message === null) throw nextOfNull(call);
      // Called once more: the earlier result may have been forgotten.
      if (below !== undefined) minded(below, delivery);
      below = rest(message === undefined || message === delivery.message ? delivery : delivery.with(message));
      if (returned) minded(below, delivery);
      return below;
    };
    let result: unknown;
    try {
      result = call(delivery.message, next, delivery);
    } catch (error) {
      returned = true;
      minded(below, delivery);
      throw error;
    }
    returned = true;
    if (below !== result) {
      // As minded() does, without a second scope for the closure: nearly every asynchronous middleware comes here.
      if (below instanceof Promise) below.then(undefined, (error: unknown) => late(delivery, error));
      else minded(below, delivery);
    }
    return result;
  };
}

/** What a middleware may have forgotten to await: the rest goes on, and what it fails with after the end must neither be lost nor end the process. */
function minded(below: unknown, delivery: LiveDelivery): void {
  if (isThenable(below)) Promise.resolve(below).then(undefined, (error: unknown) => late(delivery, error));
}

function late(delivery: LiveDelivery, error: unknown): void {
  if (!delivery.pending) delivery.lateFailure(error);
}

function afterTheEnd({ name }: AroundFunction, { typeName }: LiveDelivery): MiddlewareCrashedError {
  return new MiddlewareCrashedError(
    `${name || "around"} called next() after ${typeName} had been settled; call it before.`,
    { messageType: typeName },
  );
}

function nextOfNull({ name }: AroundFunction): InvalidMessageError {
  return new InvalidMessageError(
    `${name || "around"} called next(null); pass a message, or nothing for the current one.`,
  );
}
