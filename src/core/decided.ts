import { InvalidMiddlewareError } from "./errors.js";
import { ignored, isThenable } from "./thenable.js";

/** What a `retryIf` has said. A promise is true whatever comes of it, so that it is refused. @throws InvalidMiddlewareError */
export function decided(verdict: unknown): boolean {
  if (!isThenable(verdict)) return Boolean(verdict);
  ignored(verdict);
  throw new InvalidMiddlewareError("retryIf returned a promise; return whether to try again.");
}
