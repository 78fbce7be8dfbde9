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
 * | Array, Date, Map, Set, RegExp, ArrayBuffer, typed arrays, Error        | visible, see `stateOf`             |
 * | Promise, WeakMap, Proxy of a class and every other class of a platform | hidden                             |
 * | class below any of these                                               | hidden if either of the two is     |
 *
 * A class is read once per prototype, as the text that `Function.prototype.toString` returns. A minifier may
 * rename the helpers by which esbuild compiles private fields below ES2022; such a class needs a `toJSON()`.
 */

const platforms = new WeakMap<object, object | null | false>();

/**
 * Returns the built-in prototype that a chain of prototypes ends in: `null` for plain objects and classes of
 * fields, `false` if a class on the way hides state.
 */
export function platformOf(prototype: object | null): object | null | false {
  if (prototype === null) return null;
  let platform = platforms.get(prototype);
  if (platform === undefined) platforms.set(prototype, (platform = findPlatform(prototype)));
  return platform;
}

function findPlatform(prototype: object): object | null | false {
  const base = Object.getPrototypeOf(prototype) as object | null;
  if (base === null) return null;
  const type: unknown = Object.hasOwn(prototype, "constructor") && prototype.constructor;
  const source = typeof type === "function" ? Function.prototype.toString.call(type) : "";
  if (NATIVE.test(source)) return prototype;
  return hidesState(source) ? false : platformOf(base);
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

/** What an object shows. */
export interface State {
  readonly prototype: object | null;
  /** The keys of its enumerable fields, those that are symbols last. */
  readonly keys: PropertyKey[];
  /** What it shows beside its fields, or `undefined` if it has hidden state. */
  readonly content: Content | undefined;
}

/**
 * Returns what an object shows.
 *
 * @param emptyIsVisible - an instance without fields shows its state; otherwise it may hold anything
 * @throws what its `toJSON()` or a getter throws
 */
export function stateOf(value: object, emptyIsVisible: boolean): State {
  const keys: PropertyKey[] = Object.keys(value);
  const symbols = Object.getOwnPropertySymbols(value);
  if (symbols.length > 0) keys.push(...symbols.filter((key) => isEnumerable(value, key)));
  // Not Reflect.ownKeys, which takes three times as long as both.
  const hidden = Object.getOwnPropertyNames(value).length + symbols.length - keys.length;
  const prototype = Object.getPrototypeOf(value) as object | null;
  const content = contentOf(value, platformOf(prototype), hidden);
  // The first keys of a typed array are those of its numbers, which are content.
  if (ArrayBuffer.isView(value)) keys.splice(0, (value as Partial<Uint8Array>).length);
  const isEmpty = content === FIELDS_ONLY && keys.length === 0 && !isPlainObject(value);
  return { prototype, keys, content: isEmpty && !emptyIsVisible ? undefined : content };
}

/** @param hidden - the number of own fields that are not enumerable */
function contentOf(
  value: object,
  platform: ReturnType<typeof platformOf>,
  hidden: number,
): Content | undefined {
  if (platform) {
    const { name } = platform.constructor;
    if (name.endsWith("Error")) return { items: errorContentOf(value as Error) };
    // Arrays have a length that is not enumerable, and regular expressions a lastIndex; more would be hidden state.
    if (hidden > (name === "Array" || name === "RegExp" ? 1 : 0)) return undefined;
    const content = builtInContentOf(value, name);
    if (content !== undefined) return content;
  }
  const { toJSON } = value as { readonly toJSON?: unknown };
  if (typeof toJSON === "function") return { items: [(toJSON as (key: string) => unknown).call(value, "")] };
  return platform === null && hidden === 0 ? FIELDS_ONLY : undefined;
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

/** Returns true if an object has an own enumerable field of this name. */
export function isEnumerable(value: object, key: PropertyKey): boolean {
  return Object.prototype.propertyIsEnumerable.call(value, key);
}

/** Returns true for an array without holes and without other fields. */
export function isDense(value: object): value is unknown[] {
  if (!Array.isArray(value) || Object.getPrototypeOf(value) !== Array.prototype) return false;
  const keys = Reflect.ownKeys(value);
  // The last of them is "length", unless there are other fields.
  return keys.length === value.length + 1 && keys[value.length] === "length";
}

/** An object, read by its keys. */
export interface Fields {
  readonly [key: PropertyKey]: unknown;
}
