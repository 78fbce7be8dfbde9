import { createMiddleware, stepFactoryOf, type Step } from "./form.js";
import type { Delivery } from "../delivery/delivery.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import { InvalidMessageError, InvalidMiddlewareError, MiddlewareCrashedError } from "../errors.js";
import { type Middleware } from "./middleware.js";
import { checkCopy } from "../checks.js";
import { functionName } from "../util/function-name.js";
import { isThenable } from "../util/thenable.js";

/**
 * Runs the rest of the pipeline: later middleware, then the handler. Returns the result or a promise of it;
 * throws the error of a synchronous rest. Without an argument the message goes on unchanged. May be called again
 * (a retry) or never (a short circuit).
 */
export type Next<M = object, R = unknown> = (message?: M) => R | PromiseLike<R>;

/** The function that {@link around} wraps. Synchronous when everything below it is. */
export type AroundFunction<M = object, R = unknown> = (
  message: M,
  next: Next<M, R>,
  delivery: Delivery<M, R>,
) => R | PromiseLike<R>;

/**
 * Makes a middleware from a function `(message, next, delivery) => result`. Costs about as much as a function
 * call, and keeps the dispatch synchronous when everything below is. Return the result of `next()`, or await it:
 * a function that does neither fulfils early.
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
  checkCopy("the function of around()", call);
  if (typeof call !== "function" || stepFactoryOf(call) !== undefined)
    throw new InvalidMiddlewareError("around() takes a function (message, next, delivery) => result.");
  return namedAround(functionName(call) || "around", call);
}

/** Makes the same under a literal name, which no minifier changes. */
export function namedAround<M extends object = object, R = unknown>(
  name: string,
  call: AroundFunction<M, R>,
): Middleware<M, R> {
  const untyped = call as unknown as AroundFunction;
  return createMiddleware(name, (rest) => aroundStep(name, untyped, rest));
}

function aroundStep(name: string, call: AroundFunction, rest: Step): Step {
  return (delivery) => {
    let below: unknown;
    let returned = false;
    const next = (message?: object): unknown => {
      if (!delivery.pending) throw afterTheEnd(name, delivery);
      if (message === null) throw nextOfNull(name);
      // A second call may have forgotten the result of the first, whose late failure must be reported.
      if (below !== undefined) watchForgotten(below, delivery);
      below = rest(
        message === undefined || message === delivery.message ? delivery : delivery.changedTo(message),
      );
      if (returned) watchForgotten(below, delivery);
      return below;
    };
    let result: unknown;
    try {
      result = call(delivery.message, next, delivery);
    } catch (error) {
      returned = true;
      watchForgotten(below, delivery);
      throw error;
    }
    returned = true;
    if (below !== result) {
      // The same as watchForgotten() without its second closure scope, because nearly every asynchronous
      // middleware comes here.
      if (below instanceof Promise) below.then(undefined, (error: unknown) => late(delivery, error));
      else watchForgotten(below, delivery);
    }
    return result;
  };
}

/**
 * Watches a result of `next()` that the function may have forgotten to await: a failure after the end must neither
 * be lost nor end the process.
 */
function watchForgotten(below: unknown, delivery: LiveDelivery): void {
  if (isThenable(below)) Promise.resolve(below).then(undefined, (error: unknown) => late(delivery, error));
}

function late(delivery: LiveDelivery, error: unknown): void {
  if (!delivery.pending) delivery.lateFailure(error);
}

function afterTheEnd(name: string, { typeName }: LiveDelivery): MiddlewareCrashedError {
  return new MiddlewareCrashedError(
    `${name} called next() after ${typeName} had been settled; call it before.`,
    { messageType: typeName },
  );
}

function nextOfNull(name: string): InvalidMessageError {
  return new InvalidMessageError(
    `${name} called next(null); pass a message, or nothing for the current one.`,
  );
}
