import { aFunction, checkOption, required } from "../core/checks.js";
import type { HandlerContext } from "../core/delivery/delivery.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { createMiddleware, type Step } from "../core/pipeline/form.js";
import { type Middleware } from "../core/pipeline/middleware.js";
import { resume } from "../core/pipeline/resume.js";
import { asPromise, isThenable } from "../core/util/thenable.js";
import { UnauthorizedError } from "./errors.js";

/**
 * Returns `true`, or a promise of it, if the message may be handled; any other value refuses it. The sender
 * is known from `context.local`, from the headers, or from an `AsyncLocalStorage`.
 */
export type AuthorizationCheck<M = object, Local extends object = object> = (
  message: M,
  context: HandlerContext<M, Local>,
) => boolean | PromiseLike<boolean>;

/**
 * Rejects a message with `UnauthorizedError` unless a check returns `true`.
 *
 * Guarantees:
 * - No middleware or handler further in runs before the check has returned `true`.
 * - An error of the check rejects the message as it was thrown.
 * - The message stays synchronous if the check is.
 *
 * Put it outside of middleware that shares results, such as `caching`, because a shared result is not checked again.
 *
 * @throws InvalidOptionsError if `check` is not a function
 * @example
 * new CommandBus({
 *   middleware: [when(DeleteUser, authorization((_, { envelope }) => envelope.meta.headers.role === "admin"))],
 * });
 */
export function authorization<M extends object = object, R = unknown, Local extends object = object>(
  check: AuthorizationCheck<M, Local>,
): Middleware<M, R> {
  checkOption("authorization()", "check", check, required(aFunction));
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
  return resume(delivery, rest);
}
