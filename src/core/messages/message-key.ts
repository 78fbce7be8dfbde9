import { FIELDS_ONLY, isDense, stateOf, type Content, type Fields } from "./hidden-state.js";
import { nameOf } from "./message.js";

/** Messages of more objects are written each object once; an object that is reached on two ways counts twice. */
const MOST_INLINE = 10_000;

/**
 * Returns the key of a message: a text that is the same for equal messages, and differs for different ones.
 *
 * - Messages of different types are never equal, even if their classes have one name: the first type of a
 *   name is written by its name, later ones get a number, counted per process. The same holds for nested
 *   objects of a class.
 * - Fields are the own enumerable ones, in any order; a missing field, `undefined` and `null` differ, `1` and
 *   `"1"` and `1n` differ, `NaN` equals `NaN`, and `-0` equals `0`.
 * - Dates are written by time, Maps and Sets by members in any order, bytes one by one, regular expressions,
 *   errors and objects with a `toJSON()` by what they show. Functions, symbols, nested instances without
 *   fields and objects with hidden state are written by identity.
 * - Cycles are followed once, and objects that many fields refer to are written once: the time is linear in
 *   the number of objects.
 *
 * A class with private fields and without a `toJSON()` is equal only to itself, because its state cannot be read.
 *
 * @throws what a getter or `toJSON()` of the message throws; `RangeError` for a message nested thousands of levels deep
 * @example
 * messageKey(new GetUser("u1")); // 'GetUser{"userId":"u1"}'
 */
export function messageKey(message: object): string {
  return inlineKey(message) ?? tableKey(message);
}

const typeKeys = new WeakMap<object, string>();
const typesOfName = new Map<string, number>();

/** Returns a text that reads like the name of the type and differs from that of every other type. */
export function typeKey(type: object | undefined): string {
  if (typeof type !== "function") return "null";
  let key = typeKeys.get(type);
  if (key === undefined) {
    const name = nameOf(type as never);
    const before = typesOfName.get(name) ?? 0;
    typesOfName.set(name, before + 1);
    // A name that holds a "#" itself is quoted, so that it cannot be taken for the second of its name.
    const plain = /^[\p{L}_$][\p{L}\p{N}_$.]*$/u.test(name) ? name : JSON.stringify(name);
    key = before === 0 ? plain : `${plain}#${before + 1}`;
    typeKeys.set(type, key);
  }
  return key;
}

/** Returns true if another type had the name first. */
export function isSecondOfItsName(type: object | undefined): boolean {
  return /#\d+$/.test(typeKey(type));
}

// Built-in classes take their names first, because an application may have a class `Map` of its own.
[Object, Array, Date, Map, Set, Uint8Array].forEach(typeKey);

/** Writes an object inside a message; the functions at the end of this file write everything else. */
type ObjectWriter = (value: object) => string;

/** Writes each object where it is met, or returns `undefined` if there are too many. */
function inlineKey(message: object): string | undefined {
  /** The objects around the one being written, outermost first. */
  const ancestors: object[] = [];
  let count = 0;
  const writeInner = (value: object): string => {
    const depth = ancestors.indexOf(value);
    if (depth >= 0) return `^${depth}`;
    if (++count > MOST_INLINE) return "";
    ancestors.push(value);
    const written = writeObject(value, writeInner);
    ancestors.pop();
    return written;
  };
  ancestors.push(message);
  const key = writeObject(message, writeInner, true);
  return count > MOST_INLINE ? undefined : key;
}

/**
 * Writes each object once, in a table of texts. Equal texts get one number, and the objects above refer to
 * that number. Numbers follow the order of the texts, so that equal messages are written alike, whether they
 * share objects or hold copies.
 */
function tableKey(message: object): string {
  /** An object that a cycle leads back to is `^` and a number until it is written, then `&` and that of its text. */
  const references = new Map<object, string>();
  const write = (value: object): string =>
    // An object without a reference was made by toJSON() or a getter just now.
    references.get(value) ?? writeObject(value, write);
  const numbers = new Map<string, number>();
  for (const level of levelsOf(message, references)) {
    const texts = level.map((value) => {
      const written = writeObject(value, write);
      // Copies of an object that a cycle leads back to are different places in their cycles.
      return references.has(value) ? `${references.get(value)}=${written}` : written;
    });
    for (const text of [...texts].sort()) if (!numbers.has(text)) numbers.set(text, numbers.size);
    level.forEach((value, index) => references.set(value, `&${numbers.get(texts[index]!)}`));
  }
  return [...numbers.keys()].reverse().join("\n");
}

/**
 * Sorts the objects of a message by height: the longest way down to an object without objects inside. Visits each
 * object once, and numbers those that a cycle leads back to, by the first visit.
 */
function levelsOf(message: object, cyclic: Map<object, string>): object[][] {
  const levels: object[][] = [];
  /** Heights; 0 while an object is being visited. */
  const heights = new Map<object, number>();
  /** The height of the highest object inside the one being visited. */
  let inside = 0;
  const visit = (value: object): string => {
    let height = heights.get(value);
    if (height === 0 && !cyclic.has(value)) cyclic.set(value, `^${cyclic.size}`);
    if (height === undefined) {
      const before = inside;
      inside = 0;
      heights.set(value, 0);
      writeObject(value, visit);
      height = inside + 1;
      inside = before;
      heights.set(value, height);
      (levels[height - 1] ??= []).push(value);
    }
    inside = Math.max(inside, height);
    return "";
  };
  visit(message);
  return levels;
}

function write(value: unknown, writer: ObjectWriter): string {
  switch (typeof value) {
    case "string":
      return quoted(value);
    case "bigint":
      return `${value}n`;
    case "object":
      return value === null ? "null" : writer(value);
    case "function":
      return `function#${identityOf(value)}`;
    case "symbol":
      return writeSymbol(value);
    default:
      return String(value);
  }
}

/** Most texts hold nothing that JSON escapes, and `JSON.stringify` takes several times as long as the test. */
function quoted(text: string): string {
  return /["\\\p{Cc}\p{Cs}]/u.test(text) ? JSON.stringify(text) : `"${text}"`;
}

function writeSymbol(value: symbol): string {
  const name = Symbol.keyFor(value);
  return name === undefined ? `symbol#${identityOf(value)}` : `symbol(${JSON.stringify(name)})`;
}

function writeObject(value: object, writer: ObjectWriter, isMessage = false): string {
  if (isDense(value)) return writeArray(value, writer);
  // A message without fields says everything by its type.
  const { prototype, keys, content } = stateOf(value, isMessage);
  const name = prototype === Object.prototype ? "" : typeKey(prototype?.constructor);
  if (content === FIELDS_ONLY) return name + writeFields(value, keys, writer);
  const shown = content === undefined ? `#${identityOf(value)}` : `(${writeContent(content, writer)})`;
  return name + shown + writeFields(value, keys, writer);
}

/** A loop, because `Array.from` and `join` take twice as long. */
function writeArray(array: unknown[], writer: ObjectWriter): string {
  let written = "";
  for (let index = 0; index < array.length; index++)
    written += `${index === 0 ? "" : ","}${write(array[index], writer)}`;
  return `[${written}]`;
}

function writeContent({ items, unordered }: Content, writer: ObjectWriter): string {
  if (items instanceof Uint8Array) return items.join();
  const members = Array.from(items, (item) => write(item, writer));
  return (unordered === undefined ? members : members.sort()).join();
}

function writeFields(value: object, keys: PropertyKey[], writer: ObjectWriter): string {
  if (keys.length > 1) keys.sort(byText);
  let written = "";
  for (const key of keys) {
    const name = typeof key === "string" ? quoted(key) : `[${write(key, writer)}]`;
    written += `${written && ","}${name}:${write((value as Fields)[key], writer)}`;
  }
  return `{${written}}`;
}

function byText(a: PropertyKey, b: PropertyKey): number {
  if (typeof a === "string" && typeof b === "string") return a < b ? -1 : 1;
  // Symbols come last, in the order of what is written of them.
  if (typeof a !== typeof b) return typeof a === "string" ? -1 : 1;
  return writeSymbol(a as symbol) < writeSymbol(b as symbol) ? -1 : 1;
}

const identities = new WeakMap<object, number>();
// A Map, because not every browser takes symbols into a WeakMap.
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
