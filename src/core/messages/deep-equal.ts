import { isPlainObject, hasOnlyVisibleState } from "./hidden-state.js";

/** To look for fields beside the bytes takes a name for each of them. */
const MOST_BYTES = 65_536;

/**
 * Whether two results show the same: `Object.is`, or the same class and equal content. Arrays, plain objects and class instances are compared by their
 * enumerable fields, Maps by key, Sets by member, Dates by time, up to 64 KiB of bytes one by one. Everything else, and what lies deeper than
 * 64 levels, is not the same: rather shown once too often than withheld.
 */
export function deepEqual(a: unknown, b: unknown): boolean {
  try {
    return compare(a, b, 64);
  } catch {
    // A getter that throws, or a revoked Proxy.
    return false;
  }
}

type Compare = (a: unknown, b: unknown) => boolean;

function compare(a: unknown, b: unknown, levels: number): boolean {
  if (Object.is(a, b)) return true;
  if (levels === 0 || typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return false;
  const prototype = Object.getPrototypeOf(a) as object | null;
  if (prototype !== Object.getPrototypeOf(b)) return false;
  const inside: Compare = (left, right) => compare(left, right, levels - 1);
  return sameContent(a, b, prototype, inside) && sameFields(a, b, inside);
}

/** What is held beside fields; of a class beneath one of the platform it cannot be known. */
function sameContent(a: object, b: object, prototype: object | null, inside: Compare): boolean {
  if (prototype === Date.prototype) return Object.is((a as Date).getTime(), (b as Date).getTime());
  if (prototype === Map.prototype) return sameMaps(a as AnyMap, b as AnyMap, inside);
  if (prototype === Set.prototype) return sameSets(a as AnySet, b as AnySet);
  if (ArrayBuffer.isView(a))
    return isOfPlatform(prototype!) && sameBytes(bytesOf(a), bytesOf(b as ArrayBufferView));
  // Of any realm: the prototype of arrays is an array.
  if (Array.isArray(a)) return Array.isArray(prototype) && a.length === (b as unknown[]).length;
  return hasOnlyVisibleState(prototype) && (isPlainObject(a) || hasFields(a));
}

/** Without any there is nothing to go by. */
function hasFields(value: object): boolean {
  return Object.keys(value).length > 0 || Object.getOwnPropertySymbols(value).length > 0;
}

function sameFields(a: object, b: object, inside: Compare): boolean {
  const [keys, others] = [fieldsOf(a), fieldsOf(b)];
  return (
    keys.length === others.length &&
    keys.every((key) => Object.hasOwn(b, key) && inside((a as Fields)[key], (b as Fields)[key]))
  );
}

type Fields = Readonly<Record<PropertyKey, unknown>>;

function fieldsOf(value: object): PropertyKey[] {
  return [...Object.keys(value), ...Object.getOwnPropertySymbols(value)];
}

type AnyMap = ReadonlyMap<unknown, unknown>;
type AnySet = ReadonlySet<unknown>;

function sameMaps(a: AnyMap, b: AnyMap, inside: Compare): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.has(key) && inside(value, b.get(key)));
}

function sameSets(a: AnySet, b: AnySet): boolean {
  return a.size === b.size && [...a].every((member) => b.has(member));
}

/** Node's, which are beneath Uint8Array. */
const BUFFER = (globalThis as { readonly Buffer?: { readonly prototype: object } }).Buffer?.prototype;

function isOfPlatform(prototype: object): boolean {
  // What all prototypes of typed arrays have themselves, in any realm.
  return (
    Object.hasOwn(prototype, "BYTES_PER_ELEMENT") || prototype === DataView.prototype || prototype === BUFFER
  );
}

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.length <= MOST_BYTES && a.every((byte, index) => byte === b[index]);
}
