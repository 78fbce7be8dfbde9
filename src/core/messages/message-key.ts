import { hasOnlyVisibleState } from "./hidden-state.js";
import { nameOf, typeOf } from "./message.js";

/**
 * The key of a message: a text that is the same for equal messages, and differs for different ones.
 *
 * - Two messages of different types are never equal, even if their classes have one name: the first type of a name is written by its name, later
 *   ones get a number, counted per process. The same holds for nested objects of a class.
 * - Fields are the own enumerable ones, in any order; a missing field, `undefined` and `null` differ, `1` and `"1"` and `1n` differ,
 *   `NaN` equals `NaN`, and `-0` equals `0`.
 * - Dates by time, Maps and Sets by members in any order, bytes one by one, regular expressions, errors and what has a `toJSON` by what they say;
 *   functions, symbols and objects that show nothing of what they hold, by identity. Cycles are followed once.
 *
 * A class that declares a `#private` field and has no `toJSON` is equal only to itself, because what it holds cannot be seen. Where TypeScript
 * compiles `#private` fields away (a target below ES2022) that cannot be known: give such a class a `toJSON`.
 *
 * @throws what a getter or `toJSON` of the message throws; `RangeError` for a message nested thousands of levels deep.
 * @example
 * messageKey(new GetUser("u1")); // 'GetUser{"userId":"u1"}'
 */
export function messageKey(message: object): string {
  return write(message, []);
}

const typeKeys = new WeakMap<object, string>();
const typesOfName = new Map<string, number>();

/** Reads like the name of the type, and is its own. */
export function typeKey(type: object | undefined): string {
  if (type === undefined) return "null";
  let key = typeKeys.get(type);
  if (key === undefined) {
    const name = nameOf(type as never);
    const before = typesOfName.get(name) ?? 0;
    typesOfName.set(name, before + 1);
    // No name that is written as it is holds a "#".
    const plain = /^[\p{L}_$][\p{L}\p{N}_$.]*$/u.test(name) ? name : JSON.stringify(name);
    key = before === 0 ? plain : `${plain}#${before + 1}`;
    typeKeys.set(type, key);
  }
  return key;
}

/** Whether another type had the name first. */
export function isSecondOfItsName(type: object | undefined): boolean {
  // A name that holds a "#" itself is quoted.
  return /#\d+$/.test(typeKey(type));
}

// The plain ones keep their names, whatever classes an application has.
[Object, Array, Date, Map, Set, Uint8Array].forEach(typeKey);

/** @param ancestors - the objects around the value, outermost first */
function write(value: unknown, ancestors: object[]): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "object":
      return value === null ? "null" : writeObject(value, ancestors);
    case "function":
      return `function#${identityOf(value)}`;
    case "symbol": {
      const name = Symbol.keyFor(value);
      return name === undefined ? `symbol#${identityOf(value)}` : `symbol(${JSON.stringify(name)})`;
    }
    default:
      return String(value);
  }
}

function writeObject(value: object, ancestors: object[]): string {
  const depth = ancestors.indexOf(value);
  if (depth >= 0) return `^${depth}`;
  ancestors.push(value);
  const prototype = Object.getPrototypeOf(value) as object | null;
  const written =
    prototype === Object.prototype
      ? writeFields(value, Object.keys(value), ancestors)
      : prototype === Array.prototype
        ? writeArray(value as unknown[], ancestors)
        : writeInstance(value, prototype, ancestors);
  ancestors.pop();
  return written;
}

function writeFields(value: object, keys: string[], ancestors: object[]): string {
  if (keys.length > 1) keys.sort();
  let written = "";
  for (const key of keys)
    written += `${written && ","}${JSON.stringify(key)}:${write((value as Fields)[key], ancestors)}`;
  for (const key of symbolsOf(value))
    written += `${written && ","}[${write(key, ancestors)}]:${write((value as Fields)[key], ancestors)}`;
  return `{${written}}`;
}

function symbolsOf(value: object): symbol[] {
  const symbols = Object.getOwnPropertySymbols(value);
  return symbols.length === 0
    ? symbols
    : symbols
        .filter((key) => Object.prototype.propertyIsEnumerable.call(value, key))
        .sort((a, b) => (write(a, []) < write(b, []) ? -1 : 1));
}

function writeArray(value: unknown[], ancestors: object[]): string {
  const keys = Object.keys(value);
  const { length } = value;
  // Holes are no undefined, and an array may have other fields.
  if (keys.length !== length || (length > 0 && keys[length - 1] !== String(length - 1)))
    return `Array(${length})${writeFields(value, keys, ancestors)}`;
  let written = "";
  for (let index = 0; index < length; index++)
    written += `${index === 0 ? "" : ","}${write(value[index], ancestors)}`;
  return `[${written}]`;
}

/** What is known of all objects with one prototype. */
interface Kind {
  readonly name: string;
  /** Nothing but fields. */
  readonly plain: boolean;
}

const kinds = new WeakMap<object, Kind>();

function kindOf(value: object, prototype: object | null): Kind {
  let kind = prototype === null ? undefined : kinds.get(prototype);
  if (kind === undefined) {
    const plain = !(prototype !== null && "toJSON" in prototype) && hasOnlyVisibleState(prototype);
    kind = { name: typeKey(typeOf(value)), plain };
    if (prototype !== null) kinds.set(prototype, kind);
  }
  return kind;
}

function writeInstance(value: object, prototype: object | null, ancestors: object[]): string {
  const { name, plain } = kindOf(value, prototype);
  const keys = Object.keys(value);
  // A message without fields says everything by its type; anything else that shows nothing may hold anything.
  const empty = keys.length === 0 && ancestors.length > 1 && prototype !== null;
  if (plain) return `${name}${empty ? `#${identityOf(value)}` : ""}${writeFields(value, keys, ancestors)}`;
  if (ArrayBuffer.isView(value)) {
    const { buffer, byteOffset, byteLength } = value;
    return `${name}(${new Uint8Array(buffer, byteOffset, byteLength).join()})`;
  }
  const inside = contentOf(value, ancestors) ?? toJsonOf(value, ancestors);
  const shown = inside === undefined ? `#${identityOf(value)}` : `(${inside})`;
  return `${name}${shown}${writeFields(value, keys, ancestors)}`;
}

/** What classes of the platform hold beside their fields. */
function contentOf(value: object, ancestors: object[]): string | undefined {
  const members = (all: Iterable<unknown>): string =>
    Array.from(all, (member) => write(member, ancestors))
      .sort()
      .join();
  if (value instanceof Date) return String(value.getTime());
  if (value instanceof Map || value instanceof Set) return members(value as Iterable<unknown>);
  if (value instanceof RegExp) return String(value);
  if (value instanceof ArrayBuffer) return new Uint8Array(value).join();
  if (value instanceof Error) return write([value.name, value.message, value.cause], ancestors);
  return undefined;
}

function toJsonOf(value: object, ancestors: object[]): string | undefined {
  const { toJSON } = value as { readonly toJSON?: unknown };
  return typeof toJSON === "function"
    ? write((toJSON as (key: string) => unknown).call(value, ""), ancestors)
    : undefined;
}

const identities = new WeakMap<object, number>();
// Not every browser takes symbols into a WeakMap.
const symbols = new Map<symbol, number>();
let lastIdentity = 0;

function identityOf(value: object | symbol): number {
  const known = identities.get(value as object) ?? symbols.get(value as symbol);
  if (known !== undefined) return known;
  try {
    identities.set(value as object, ++lastIdentity);
  } catch {
    symbols.set(value as symbol, lastIdentity);
  }
  return lastIdentity;
}

interface Fields {
  readonly [key: PropertyKey]: unknown;
}
