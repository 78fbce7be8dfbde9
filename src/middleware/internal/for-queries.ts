import type { DeliveryHost } from "../../core/delivery/delivery-host.js";
import { InvalidMiddlewareError } from "../../core/errors.js";

/**
 * Refuses buses of commands and events, because a message that is answered without its handler does nothing
 * there. @throws InvalidMiddlewareError
 */
export function checkForQueries(middleware: string, { kind = "query", name }: DeliveryHost): void {
  if (kind !== "query")
    throw new InvalidMiddlewareError(
      `${middleware}() is for queries: on ${name}, it would keep messages from their handlers.`,
    );
}
