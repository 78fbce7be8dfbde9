import { isObservable } from "rxjs";
import { LiveDelivery } from "../core/delivery/live-delivery.js";
import { isEnvelope } from "../core/messages/envelope.js";

const MAX_DEPTH = 4;
const MAX_LENGTH = 400;

/** Formats a value as a line of text for a person to read, cut where it is long. */
export function show(value: unknown): string {
  let text: string;
  try {
    text = write(value, []);
  } catch {
    text = "(a value that cannot be shown)";
  }
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH)}...` : text;
}

function write(value: unknown, ancestors: readonly object[]): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "function":
      return `[Function ${value.name || "(anonymous)"}]`;
    case "object":
      return value === null ? "null" : writeObject(value, ancestors);
    default:
      return Object.is(value, -0) ? "-0" : String(value);
  }
}

function writeObject(value: object, ancestors: readonly object[]): string {
  if (ancestors.includes(value)) return "[Circular]";
  const inside = [...ancestors, value];
  const each = (items: Iterable<unknown>): string =>
    Array.from(items, (item) => write(item, inside)).join(", ");
  if (value instanceof LiveDelivery) return `Delivery of ${write(value.message, inside)}`;
  if (isEnvelope(value)) return `Envelope ${value.meta.id} of ${write(value.payload, inside)}`;
  if (isObservable(value)) return "[Observable]";
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (value instanceof Date || value instanceof RegExp) return String(value);
  if (ancestors.length >= MAX_DEPTH) return "...";
  if (Array.isArray(value)) return `[${each(value)}]`;
  if (value instanceof Set) return `Set {${each(value)}}`;
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value);
  const fields = entries
    .map(([key, field]) => `${typeof key === "string" ? key : write(key, inside)}: ${write(field, inside)}`)
    .join(", ");
  const name = (Object.getPrototypeOf(value) as { constructor?: { name?: string } } | null)?.constructor
    ?.name;
  const prefix = name === undefined || name === "Object" ? "" : `${name} `;
  return fields === "" ? `${prefix}{}` : `${prefix}{ ${fields} }`;
}
