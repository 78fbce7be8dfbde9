import { messageKey, typeKey } from "../../core/messages/message-key.js";
import type { HandlerContext } from "../../core/delivery/delivery.js";
import { InvalidMiddlewareError } from "../../core/errors.js";
import { ignored, isThenable } from "../../core/util/thenable.js";

export { messageKey, typeKey };

/** What makes two messages equal, for middleware that shares work or results between equal ones. */
export type KeyFunction<M = object> = (message: M, context: HandlerContext<M>) => unknown;

/** A `key` option as it is used: {@link messageKey} unless there is one. */
export function checkedKey(middleware: string, key: unknown = messageKey): KeyFunction {
  if (typeof key !== "function")
    throw new InvalidMiddlewareError(`${middleware}(): key is a function of the message.`);
  return (message, context) => {
    const made: unknown = (key as KeyFunction)(message, context);
    return notPromised(middleware, made);
  };
}

/** @throws InvalidMiddlewareError */
export function notPromised(middleware: string, key: unknown): unknown {
  if (!isThenable(key)) return key;
  ignored(key);
  throw new InvalidMiddlewareError(`The key of ${middleware}() is a promise; return the key itself.`);
}
