import { createMiddleware, type Step } from "../core/pipeline/form.js";
import type { HandlerContext } from "../core/delivery/delivery.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { InvalidMiddlewareError } from "../core/errors.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { asPromise, isThenable } from "../core/util/thenable.js";
import { UnauthorizedError } from "./errors.js";

/** Whether a message may be handled; only `true` is a yes. Who sends it is known from the context: headers, or an `AsyncLocalStorage`. */
export type AuthorizationCheck<M = object> = (
  message: M,
  context: HandlerContext<M>,
) => boolean | PromiseLike<boolean>;

/**
 * Rejects messages with `UnauthorizedError` that a check says no to. Put it outside of middleware that shares results, such as `caching`.
 *
 * Guarantees: nothing further in is reached before the check has said yes. What the check itself throws arrives as it was thrown.
 * Synchronous when the check is.
 *
 * @example
 * new CommandBus({ middleware: [when(DeleteUser, authorization((_, { envelope }) => envelope.meta.headers.role === "admin"))] });
 */
export function authorization<M extends object = object, R = unknown>(
  check: AuthorizationCheck<M>,
): Middleware<M, R> {
  if (typeof check !== "function")
    throw new InvalidMiddlewareError("authorization() takes a function (message, context) => boolean.");
  const untyped = check as unknown as AuthorizationCheck;
  return createMiddleware("authorization", (rest) => (delivery) => {
    const allowed = untyped(delivery.message, delivery);
    return isThenable(allowed)
      ? asPromise(allowed).then((allowed) => enter(delivery, rest, allowed))
      : enter(delivery, rest, allowed);
  });
}

function enter(delivery: LiveDelivery, rest: Step, allowed: unknown): unknown {
  if (allowed !== true) throw new UnauthorizedError(delivery.typeName);
  return goOn(delivery, rest);
}

/** The rest, unless the message was settled while it was waited for something. */
export function goOn(delivery: LiveDelivery, rest: Step): unknown {
  if (!delivery.pending) throw delivery.reply.result;
  return rest(delivery);
}
