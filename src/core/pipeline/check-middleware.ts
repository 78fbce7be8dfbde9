import { EMPTY, isObservable } from "rxjs";
import { checkCopy, describeValue } from "../checks.js";
import { InvalidMiddlewareError, InvalidOptionsError } from "../errors.js";
import { functionName } from "../util/function-name.js";
import { ignored } from "../util/thenable.js";
import { stepFactoryOf } from "./form.js";
import type { Middleware } from "./middleware.js";

/** Checks a middleware at construction, without a message, because its first dispatch may be long after the mistake. */
export function checkMiddleware(middleware: unknown, place: string): asserts middleware is Middleware {
  const refuse = (problem: string): never => {
    const name = typeof middleware === "function" ? functionName(middleware) : "";
    throw new InvalidMiddlewareError(`${place}${name && ` (${name})`} ${problem}.`);
  };
  if (typeof middleware !== "function")
    return refuse(`is ${describeValue(middleware)}; pass an RxJS operator, around(), shared() or when()`);
  const operator = middleware as Middleware;
  checkCopy(`${place} (${operator.name})`, operator);
  if (stepFactoryOf(operator) !== undefined) return;
  if (operator.length > 1) refuse("takes more than a stream; wrap a function (message, next) in around()");
  let piped: unknown;
  try {
    piped = operator(EMPTY);
  } catch (error) {
    if (error instanceof InvalidMiddlewareError || error instanceof InvalidOptionsError)
      refuse("is what makes a middleware; call it");
    throw error;
  }
  if (typeof piped === "function") refuse("is what makes a middleware; call it");
  ignored(piped);
  if (!isObservable(piped))
    refuse("does not return an Observable; an operator takes a stream and returns one");
}
