import type { Attributes } from "@opentelemetry/api";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import type { Engine } from "../core/bus/engine.js";

// https://opentelemetry.io/docs/specs/semconv/messaging: a bus is a messaging system, a message type is a destination, and what the bus does with
// a message is to process it.
export const ERROR_TYPE = "error.type";

const WORDS = { command: "dispatch", query: "ask", event: "publish" } as const;

export interface Operation {
  readonly name: string;
  readonly destination: string;
  /** Of few values, as metrics need it. */
  readonly attributes: Attributes;
}

/** What a bus does with a delivery. */
export function operationOf(delivery: LiveDelivery): Operation {
  // What a test made has no bus.
  const { kind, name: bus } = delivery.host as Partial<Engine>;
  const name = kind === undefined ? "process" : WORDS[kind];
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

/** The name of the error's class, or the type of something else that was thrown. */
export function errorType(reason: unknown): string {
  try {
    const name: unknown = (reason as Error | null)?.name;
    if (typeof name === "string" && name !== "") return name;
  } catch {
    // An error whose own accessors throw.
  }
  return typeof reason;
}
