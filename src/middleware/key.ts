import { messageKey, typeKey } from "../core/message-key.js";
import type { HandlerContext } from "../core/delivery.js";
import { InvalidMiddlewareError } from "../core/errors.js";
import { nameOf, type MessageType } from "../core/message.js";
import { ignored, isThenable } from "../core/thenable.js";

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

/** Whether another type had the name first. Which one that is differs from process to process, so that a store cannot tell the two apart by it. */
export function isSecondOfItsName(type: object | undefined): boolean {
  return /#\d+$/.test(typeKey(type));
}

/** What `faults$` is told of such a type. */
export function secondOfItsName(type: MessageType | undefined, consequence: string): InvalidMiddlewareError {
  return new InvalidMiddlewareError(
    `Two message types are called ${nameOf(type)}; give the second one a static messageName: ${consequence}.`,
    { messageType: nameOf(type) },
  );
}

/** @throws InvalidMiddlewareError */
export function notPromised(middleware: string, key: unknown): unknown {
  if (!isThenable(key)) return key;
  ignored(key);
  throw new InvalidMiddlewareError(`The key of ${middleware}() is a promise; return the key itself.`);
}
