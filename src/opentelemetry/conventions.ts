import type { Attributes } from "@opentelemetry/api";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";

// Names follow https://opentelemetry.io/docs/specs/semconv/messaging: a bus is a messaging system, a message type is
// a destination, and the bus processes a message.
export const ERROR_TYPE = "error.type";
/** True for a message that was cancelled, so that an error rate can leave it out; its span has no error status. */
export const CANCELLED = "messaging.cqrx.cancelled";

const VERBS = { command: "dispatch", query: "ask", event: "publish" } as const;

/** The operation of a bus on a delivery, as spans and metrics describe it. */
export interface Operation {
  readonly name: string;
  readonly destination: string;
  /** Attributes with few different values, because each combination is a metric of its own. */
  readonly attributes: Attributes;
}

export function operationOf(delivery: LiveDelivery): Operation {
  const { kind, name: bus } = delivery.host;
  // A delivery of cqrx/testing has no kind.
  const name = kind === undefined ? "process" : VERBS[kind];
  const destination = delivery.typeName;
  return {
    name,
    destination,
    attributes: {
      "messaging.system": "cqrx",
      "messaging.operation.name": name,
      "messaging.operation.type": "process",
      "messaging.destination.name": destination,
      "messaging.cqrx.bus": bus,
    },
  };
}

/** Returns the name of an error, or the type of another value that was thrown. */
export function errorType(reason: unknown): string {
  try {
    const name: unknown = (reason as Error | null)?.name;
    if (typeof name === "string" && name !== "") return name;
  } catch {
    // The accessor of `name` threw.
  }
  return typeof reason;
}
