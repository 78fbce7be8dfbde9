/*
 * The one definition of hidden state, for message keys, equality, JSON and tests. Two objects with hidden
 * state are never equal, and they are not written as JSON, because part of what they hold cannot be read. An
 * object with a `toJSON()` shows its state by that.
 *
 * | class or object                                                        | state                              |
 * | ---------------------------------------------------------------------- | ---------------------------------- |
 * | plain object, class with fields, private methods or private statics    | visible: its own enumerable fields |
 * | `class { #id }`, also where TypeScript, Babel or esbuild compiled it   | hidden                             |
 * | `class { constructor() { secrets.set(this, …) } }`                     | hidden                             |
 * | object with an own field that is not enumerable                        | hidden                             |
 * | Array, Date, Map, Set, RegExp, ArrayBuffer, typed arrays, Error        | visible, see `contentOf`           |
 * | Promise, WeakMap, Proxy of a class and every other class of a platform | hidden                             |
 * | class below any of these                                               | hidden if either of the two is     |
 *
 * A class is read once per prototype, as the text that `Function.prototype.toString` returns. A minifier may
 * rename the helpers by which esbuild compiles private fields below ES2022; such a class needs a `toJSON()`.
 */

const platforms = new WeakMap<object, object | null | undefined>();

/**
 * Returns the built-in prototype that a chain of prototypes ends in: `null` for plain objects and classes of
 * fields, `undefined` if a class on the way hides state.
 */
export function platformOf(prototype: object | null): object | null | undefined {
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return null;
  if (platforms.has(prototype)) return platforms.get(prototype);
  const type: unknown = Object.hasOwn(prototype, "constructor") && prototype.constructor;
  const source = typeof type === "function" ? Function.prototype.toString.call(type) : "";
  const platform = NATIVE.test(source)
    ? prototype
    : hidesState(source)
      ? undefined
      : platformOf(Object.getPrototypeOf(prototype) as object | null);
  platforms.set(prototype, platform);
  return platform;
}

/** Returns true if instances of a prototype hold nothing but fields, unless an instance hides a field itself. */
export function hasOnlyVisibleState(prototype: object | null): boolean {
  return platformOf(prototype) === null;
}

/** Returns true for objects of fields: plain ones and instances of classes that hide nothing. */
export function isFieldsOnly(value: unknown): value is object {
  return (
    typeof value === "object" &&
    value !== null &&
    hasOnlyVisibleState(Object.getPrototypeOf(value) as object | null)
  );
}

/**
 * Returns true for plain objects of any realm, because the prototype of a plain object is `null` or has no
 * prototype itself.
 */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/**
 * Returns the name of the built-in class that a value is plain data of, in any realm; Node's `Buffer` counts
 * as `Uint8Array`.
 */
export function plainKindOf(value: object): string | undefined {
  if (isPlainObject(value)) return "Object";
  const prototype = Object.getPrototypeOf(value) as object;
  const platform = platformOf(prototype);
  return platform && (platform === prototype || prototype.constructor.name === "Buffer")
    ? platform.constructor.name
    : undefined;
}

const NATIVE = /\{\s*\[native code\]\s*\}\s*$/;
// TypeScript and Babel call `field.set(this, …)`; the others are helpers of esbuild (privateAdd with a value,
// privateSet), Babel and SWC.
const COMPILED =
  /(\.set|privateSet|private_?field_?(init|set)\w*(\._\))?)\(this\s*,|privateAdd\(this,\s*[\w$]+\s*,/i;
// Names before "(" are methods.
const USED = /\.#([\p{L}_$][\p{L}\p{N}_$]*)(?![\p{L}\p{N}_$]|\s*\()/gu;
const DECLARED = /(?<!\bstatic)[{};\s/]#([\p{L}_$][\p{L}\p{N}_$]*)(?![\p{L}\p{N}_$]|\s*\()/gu;

/**
 * Returns true for the source of a class with a private field: one that it both declares and uses, because a
 * text may look like either.
 */
function hidesState(source: string): boolean {
  if (COMPILED.test(source)) return true;
  const used = new Set(namesIn(source, USED));
  return namesIn(source, DECLARED).some((name) => used.has(name));
}

function namesIn(source: string, pattern: RegExp): (string | undefined)[] {
  return Array.from(source.matchAll(pattern), ([, name]) => name);
}

/** State that an object shows beside its enumerable fields. */
export interface Content {
  readonly items: ArrayLike<unknown>;
  /** Set if the order of the items does not matter: the members of a Set, or the entries of a Map. */
  readonly unordered?: "members" | "entries";
}

/** The content of an object that holds nothing beside its enumerable fields. */
export const FIELDS_ONLY: Content = { items: [] };

/**
 * Returns what an object shows beside its enumerable fields, or `undefined` if it has hidden state.
 *
 * @throws what its `toJSON()` or a getter throws
 */
export function contentOf(value: object): Content | undefined {
  const platform = platformOf(Object.getPrototypeOf(value) as object | null);
  if (platform) {
    const { name } = platform.constructor;
    if (name.endsWith("Error")) return { items: errorContentOf(value as Error) };
    // Arrays have a length that is not enumerable, and regular expressions a lastIndex; more would be hidden state.
    if (hidesFields(value, name === "Array" || name === "RegExp" ? 1 : 0)) return undefined;
    const content = builtInContentOf(value, name);
    if (content !== undefined) return content;
  }
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (typeof toJSON === "function") return { items: [(toJSON as (key: string) => unknown).call(value, "")] };
  return platform === null && !hidesFields(value, 0) ? FIELDS_ONLY : undefined;
}

function builtInContentOf(value: object, name: string): Content | undefined {
  if (ArrayBuffer.isView(value))
    return { items: new Uint8Array(value.buffer, value.byteOffset, value.byteLength) };
  switch (name) {
    case "Array":
      return { items: [(value as unknown[]).length] };
    case "Date":
      return { items: [(value as Date).getTime()] };
    case "Map":
      return { items: [...(value as Map<unknown, unknown>)], unordered: "entries" };
    case "Set":
      return { items: [...(value as Set<unknown>)], unordered: "members" };
    case "RegExp":
      return { items: [(value as RegExp).source, (value as RegExp).flags, (value as RegExp).lastIndex] };
    case "ArrayBuffer":
      return { items: new Uint8Array(value as ArrayBuffer) };
    default:
      return undefined;
  }
}

/**
 * Lists what an error holds, enumerable or not, except the stack: where an error was made does not tell two
 * errors apart.
 */
function errorContentOf(error: Error): unknown[] {
  const others = Reflect.ownKeys(error).filter(
    (key) => key !== "stack" && key !== "message" && !isEnumerable(error, key),
  );
  return [error.name, error.message, ...others.map((key) => [key, (error as unknown as Fields)[key]])];
}

/** Returns true if an object has more own keys that are not enumerable than `expected`. */
function hidesFields(value: object, expected: number): boolean {
  return Reflect.ownKeys(value).length > fieldsOf(value).length + expected;
}

function isEnumerable(value: object, key: PropertyKey): boolean {
  return Object.prototype.propertyIsEnumerable.call(value, key);
}

const fieldPrototypes = new WeakMap<object, boolean>();

/**
 * Returns the keys of an object that holds nothing but fields with names, or `undefined` if it takes a closer
 * look. It is the fast path of {@link contentOf}: almost every object in a message is of this kind.
 */
export function plainKeysOf(value: object, prototype: object | null): string[] | undefined {
  if (prototype !== Object.prototype && !isFieldPrototype(prototype)) return undefined;
  const keys = Object.keys(value);
  // Not Reflect.ownKeys, which takes three times as long as both.
  return Object.getOwnPropertyNames(value).length === keys.length &&
    Object.getOwnPropertySymbols(value).length === 0
    ? keys
    : undefined;
}

function isFieldPrototype(prototype: object | null): boolean {
  if (prototype === null) return false;
  let known = fieldPrototypes.get(prototype);
  if (known === undefined) {
    known = platformOf(prototype) === null && !("toJSON" in prototype);
    fieldPrototypes.set(prototype, known);
  }
  return known;
}

/** Returns true for an array without holes and without other fields. */
export function isDense(array: unknown[]): boolean {
  const keys = Reflect.ownKeys(array);
  // The last of them is "length", unless there are other fields.
  return keys.length === array.length + 1 && keys[array.length] === "length";
}

/** Lists the own enumerable keys of an object, those that are symbols last. */
export function fieldsOf(value: object): PropertyKey[] {
  const symbols = Object.getOwnPropertySymbols(value);
  return symbols.length === 0
    ? Object.keys(value)
    : [...Object.keys(value), ...symbols.filter((key) => isEnumerable(value, key))];
}

/** An object, read by its keys. */
export interface Fields {
  readonly [key: PropertyKey]: unknown;
}
