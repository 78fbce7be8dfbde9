import { InvalidMessageError } from "./errors.js";
import { limits } from "./json.js";
import { nameOf, typeOf } from "./message.js";

const ids = new WeakMap<object, number>();
let lastId = 0;

function identity(object: object): number {
  let id = ids.get(object);
  if (id === undefined) ids.set(object, (id = ++lastId));
  return id;
}

/**
 * A text that two messages share exactly when they are equal: of the same class, with equal enumerable fields in whatever order.
 * `1` and `"1"`, `null` and `undefined`, `0` and `-0` differ; `NaN` equals itself. Dates, bigints, bytes, Maps, Sets, arrays and nested objects are
 * compared by content and class; functions, and nested objects without fields of their own, by identity. `#private` fields are not seen.
 * The key holds for this process only.
 *
 * @throws InvalidMessageError for cycles and for what cannot be read.
 */
export function messageKey(message: object): string {
  const refuse = (problem: string): never => {
    throw new InvalidMessageError(`${nameOf(typeOf(message))} has no key: it holds ${problem}.`);
  };
  const write = (value: unknown, depth: number): string => {
    switch (typeof value) {
      case "string":
        return JSON.stringify(value);
      case "number":
        return Object.is(value, -0) ? "-0" : String(value);
      case "bigint":
        return `${value}n`;
      case "symbol":
        return `@${JSON.stringify(Symbol.keyFor(value) ?? refuse("a symbol of its own"))}`;
      case "function":
        return `f${identity(value)}`;
      case "object":
        return value === null ? "null" : writeObject(value, depth);
      default:
        return String(value);
    }
  };
  const writeAll = (values: Iterable<unknown>, depth: number): string[] =>
    Array.from(values, (value) => write(value, depth));

  const writeObject = (value: object, depth: number): string => {
    if (depth > limits.depth) refuse(`more than ${limits.depth} levels, or itself`);
    const next = depth + 1;
    if (Array.isArray(value)) return `[${writeAll(value, next).join()}]`;
    const type = typeOf(value);
    const fields = (ArrayBuffer.isView(value) ? [] : Object.keys(value))
      .sort()
      .map((key) => `${JSON.stringify(key)}:${write((value as Record<string, unknown>)[key], next)}`);
    if (type === Object || type === undefined) return `{${fields.join()}}`;
    let content = contentOf(value, (items) => writeAll(items, next));
    // Nothing to compare: whatever it holds is out of sight. A message is taken to hold nothing.
    if (content === undefined) content = fields.length > 0 || depth === 0 ? "" : String(identity(value));
    return `c${identity(type)}(${content}){${fields.join()}}`;
  };

  try {
    return write(message, 0);
  } catch (error) {
    if (error instanceof InvalidMessageError) throw error;
    throw new InvalidMessageError(`${nameOf(typeOf(message))} has no key: its fields cannot be read.`, {
      cause: error,
    });
  }
}

/** What a class of the platform keeps outside its fields. */
function contentOf(value: object, writeAll: (items: Iterable<unknown>) => string[]): string | undefined {
  if (value instanceof Date) return String(value.getTime());
  if (value instanceof RegExp || value instanceof URL) return JSON.stringify(String(value));
  if (value instanceof Map || value instanceof Set)
    return writeAll(value as Iterable<unknown>)
      .sort()
      .join();
  if (ArrayBuffer.isView(value))
    return new Uint8Array(value.buffer, value.byteOffset, value.byteLength).join();
  return undefined;
}
