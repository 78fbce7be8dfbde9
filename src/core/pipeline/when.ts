import { checkMiddleware } from "./check-middleware.js";
import { middlewareName, withStepFactory } from "./form.js";
import { mergeMap, of } from "rxjs";
import { InvalidMiddlewareError } from "../errors.js";
import type { Middleware } from "./middleware.js";
import { isClass, matcher, nameOf, type MessageType } from "../messages/message.js";
import { compose } from "./compose.js";

/**
 * Narrows a middleware to some message types, each class and all classes below it; messages of other types bypass it.
 *
 * @example
 * when([DeleteUser, ChangeEmail], around((message, next) => { requireAdmin(); return next(message); }))
 */
export function when<T extends MessageType>(
  types: T | readonly T[],
  middleware: Middleware<InstanceType<T>>,
): Middleware {
  const list = (Array.isArray(types) ? types : [types]) as readonly MessageType[];
  if (list.length === 0 || !list.every(isClass))
    throw new InvalidMiddlewareError("when() takes a message class, or several.");
  const narrowed = middleware as unknown as Middleware;
  checkMiddleware(narrowed, "the middleware of when()");
  const matches = matcher(list);
  return withStepFactory(
    (source) =>
      source.pipe(
        mergeMap((delivery) => (matches(delivery.message) ? narrowed(of(delivery)) : of(delivery))),
      ),
    `when(${list.map(nameOf).join(", ")}: ${middlewareName(narrowed)})`,
    (rest, place) => {
      const step = compose([narrowed], rest, place);
      return (delivery) => (matches(delivery.message) ? step(delivery) : rest(delivery));
    },
  );
}
