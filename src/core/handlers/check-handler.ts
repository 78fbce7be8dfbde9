import { describeValue } from "../checks.js";
import { InvalidHandlerError } from "../errors.js";
import { functionName } from "../util/function-name.js";
import { nameOf, type MessageType } from "../messages/message.js";
import type { Handler, HandlerFunction, RefreshOptions, Registration } from "./handler.js";

/** Checks a handler and makes a function of it. `what` names it in the error. @throws InvalidHandlerError */
export function registrationOf(what: string, handler: Handler, messageType?: string): Registration {
  const call = checkedHandler(what, handler, messageType);
  const name = functionName(typeof handler === "function" ? handler : (handler.constructor ?? {}));
  return { handler, name: name || "(anonymous)", call };
}

/** Makes the registration of a handler for a message type. @throws InvalidHandlerError */
export function registrationFor(
  type: MessageType,
  handler: Handler,
  refresh?: RefreshOptions<never, never>,
): Registration {
  const name = nameOf(type);
  const registration = registrationOf(`The handler of ${name}`, handler, name);
  return refresh === undefined ? registration : { ...registration, refresh };
}

function checkedHandler(
  what: string,
  handler: Handler,
  messageType?: string,
): HandlerFunction<never, unknown> {
  const refuse = (problem: string): never => {
    throw new InvalidHandlerError(`${what} ${problem}.`, { messageType });
  };
  const call: unknown =
    typeof handler === "function" ? handler : (handler as { readonly handle?: unknown } | null)?.handle;
  if (typeof call !== "function")
    refuse(
      typeof (handler as { readonly execute?: unknown } | null)?.execute === "function"
        ? "is an object without handle(); it has execute(): call it handle()"
        : `is ${describeValue(handler)}; pass a function or an object with a handle method`,
    );
  // Calling a generator function runs none of its body, so that the handler would silently do nothing.
  if (Object.prototype.toString.call(call).endsWith("GeneratorFunction]"))
    refuse("is a generator function; return an Observable or an async iterable instead");
  if (typeof handler !== "function") return (message, context) => handler.handle(message, context);
  if (/^class\b/.test(Function.prototype.toString.call(handler)))
    refuse("is a class; pass an instance with a handle method");
  return handler;
}
