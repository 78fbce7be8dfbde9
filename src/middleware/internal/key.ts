import { invalidOption } from "../../core/checks.js";
import type { HandlerContext } from "../../core/delivery/delivery.js";
import { messageKey } from "../../core/messages/message-key.js";
import { ignored, isThenable } from "../../core/util/thenable.js";

/** Returns a value that is equal for messages that may share work or results. */
export type KeyFunction<M = object> = (message: M, context: HandlerContext<M>) => unknown;

/** Returns a `key` option, {@link messageKey} by default, as a function that rejects promises. */
export function keyFunction(middleware: string, key: KeyFunction = messageKey): KeyFunction {
  return (message, context) => syncKey(middleware, key(message, context));
}

/**
 * Returns the key that a `key` option made. Rejects a promise, because a promise is never equal to another.
 * @throws InvalidOptionsError
 */
export function syncKey(middleware: string, key: unknown): unknown {
  if (!isThenable(key)) return key;
  ignored(key);
  throw invalidOption(`${middleware}()`, "key", "a function that returns the key itself", key);
}
