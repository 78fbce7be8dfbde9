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
 * A text that two messages share exactly when they are equal: of the same class, with equal fields in whatever order.
 * `1` and `"1"`, `null` and `undefined`, `0` and `-0` differ; `NaN` equals itself; Dates, bigints, bytes, Maps, Sets, arrays and nested objects are
 * compared by content and class, functions, symbols in fields and weak things by identity. The key holds for this process only.
 *
 * @throws InvalidMessageError for cycles and for what cannot be read.
 */
export function messageKey(message: object): string {
  const write = (value: unknown, depth: number): string => {
    switch (typeof value) {
      case "string":
        return JSON.stringify(value);
      case "number":
        return Object.is(value, -0) ? "-0" : String(value);
      case "bigint":
        return `${value}n`;
      case "symbol":
        return `@${symbolKey(value)}`;
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
    if (depth > limits.depth)
      throw new InvalidMessageError(
        `${nameOf(typeOf(message))} has no key: it is nested deeper than ${limits.depth}, or contains itself.`,
      );
    const next = depth + 1;
    if (Array.isArray(value)) return `[${writeAll(value, next).join()}]`;
    const type = typeOf(value);
    const prefix = type === Object || type === undefined ? "" : `c${identity(type)}`;
    let inside = "";
    if (value instanceof Date) inside = String(value.getTime());
    else if (ArrayBuffer.isView(value))
      return `${prefix}(${new Uint8Array(value.buffer, value.byteOffset, value.byteLength).join()})`;
    else if (value instanceof Map) inside = writeAll(value, next).sort().join();
    else if (value instanceof Set) inside = writeAll(value, next).sort().join();
    else if (value instanceof RegExp || value instanceof URL) inside = JSON.stringify(String(value));
    else if (value instanceof ArrayBuffer || value instanceof Promise || value instanceof WeakMap)
      inside = String(identity(value));
    const fields = Object.keys(value)
      .sort()
      .map((key) => `${JSON.stringify(key)}:${write((value as Record<string, unknown>)[key], next)}`);
    return `${prefix}${inside && `(${inside})`}{${fields.join()}}`;
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

const symbols = new Map<symbol, number>();

/** Registered symbols by name. Others by identity, of which a program has few. */
function symbolKey(symbol: symbol): string {
  const name = Symbol.keyFor(symbol);
  if (name !== undefined) return JSON.stringify(name);
  let id = symbols.get(symbol);
  if (id === undefined) symbols.set(symbol, (id = ++lastId));
  return String(id);
}
