import {
  contentOf,
  fieldsOf,
  FIELDS_ONLY,
  isDense,
  isPlainObject,
  plainKeysOf,
  type Content,
  type Fields,
} from "./hidden-state.js";
import { nameOf, typeOf } from "./message.js";

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
 * @throws what a getter or `toJSON()` of the message throws; `RangeError` for a message nested thousands of
 * levels deep
 * @example
 * messageKey(new GetUser("u1")); // 'GetUser{"userId":"u1"}'
 */
export function messageKey(message: object): string {
  const inline = new InlineWriter(message);
  const key = inline.object(message);
  if (inline.count <= MOST_INLINE) return key;
  const measure = new Measure(message);
  return new TableWriter(measure).table(measure.levels);
}

const typeKeys = new WeakMap<object, string>();
const typesOfName = new Map<string, number>();

/** Returns a text that reads like the name of the type and differs from that of every other type. */
export function typeKey(type: object | undefined): string {
  if (type === undefined) return "null";
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

/** Writes the objects inside an object; the functions at the end of this file write everything else. */
interface ObjectWriter {
  /** The message itself. */
  readonly root: object;
  object(value: object): string;
}

/** Writes each object where it is met. Once there are too many, it stops descending and its text is of no use. */
class InlineWriter implements ObjectWriter {
  readonly root: object;
  count = 0;
  /** The objects around the one being written, outermost first. */
  readonly #ancestors: object[] = [];

  constructor(root: object) {
    this.root = root;
  }

  object(value: object): string {
    const depth = this.#ancestors.indexOf(value);
    if (depth >= 0) return `^${depth}`;
    if (++this.count > MOST_INLINE) return "";
    this.#ancestors.push(value);
    const written = writeObject(value, this);
    this.#ancestors.pop();
    return written;
  }
}

/**
 * Sorts the objects of a message by height: the longest way down to an object without objects inside.
 * It visits each object once, and writes nothing.
 */
class Measure implements ObjectWriter {
  readonly root: object;
  readonly levels: object[][] = [];
  /** The objects that a cycle leads back to, numbered by the first visit. */
  readonly cyclic = new Map<object, number>();
  /** Heights; 0 while an object is being visited. */
  readonly #heights = new Map<object, number>();
  /** The height of the highest object inside the one being visited. */
  #inside = 0;

  constructor(root: object) {
    this.root = root;
    this.object(root);
  }

  object(value: object): string {
    const known = this.#heights.get(value);
    if (known === 0 && !this.cyclic.has(value)) this.cyclic.set(value, this.cyclic.size);
    const height = known ?? this.#visit(value);
    this.#inside = Math.max(this.#inside, height);
    return "";
  }

  #visit(value: object): number {
    const before = this.#inside;
    this.#inside = 0;
    this.#heights.set(value, 0);
    writeObject(value, this);
    const height = this.#inside + 1;
    this.#inside = before;
    this.#heights.set(value, height);
    (this.levels[height - 1] ??= []).push(value);
    return height;
  }
}

/**
 * Writes each object once, level by level. Equal texts of a level get one number, and the objects above refer
 * to that number. Numbers follow the order of the texts, so that equal messages are written alike, whether
 * they share objects or hold copies.
 */
class TableWriter implements ObjectWriter {
  readonly root: object;
  readonly #cyclic: ReadonlyMap<object, number>;
  readonly #references = new Map<object, string>();

  constructor({ root, cyclic }: Measure) {
    this.root = root;
    this.#cyclic = cyclic;
  }

  table(levels: readonly (readonly object[])[]): string {
    const table: string[] = [];
    for (const level of levels) {
      const texts = new Map(level.map((value) => [value, this.#labelled(value)]));
      const numbers = new Map([...new Set(texts.values())].sort().map((text) => [text, table.push(text)]));
      for (const [value, text] of texts) this.#references.set(value, `&${numbers.get(text)!}`);
    }
    return table.reverse().join("\n");
  }

  /**
   * Writes an object that a cycle leads back to with its number, because copies of it are different places in
   * their cycles.
   */
  #labelled(value: object): string {
    const number = this.#cyclic.get(value);
    return `${number === undefined ? "" : `^${number}=`}${writeObject(value, this)}`;
  }

  object(value: object): string {
    const known = this.#references.get(value);
    if (known !== undefined) return known;
    const number = this.#cyclic.get(value);
    // An object without a number was made by toJSON() or a getter just now.
    return number === undefined ? writeObject(value, this) : `^${number}`;
  }
}

function write(value: unknown, writer: ObjectWriter): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "bigint":
      return `${value}n`;
    case "object":
      return value === null ? "null" : writer.object(value);
    case "function":
      return `function#${identityOf(value)}`;
    case "symbol":
      return writeSymbol(value);
    default:
      return String(value);
  }
}

function writeSymbol(value: symbol): string {
  const name = Symbol.keyFor(value);
  return name === undefined ? `symbol#${identityOf(value)}` : `symbol(${JSON.stringify(name)})`;
}

function writeObject(value: object, writer: ObjectWriter): string {
  const prototype = Object.getPrototypeOf(value) as object | null;
  const keys = plainKeysOf(value, prototype);
  if (prototype === Object.prototype && keys !== undefined)
    return writeFields(value, keys.length > 1 ? keys.sort() : keys, writer);
  // Arrays without holes and other fields, which are almost all of them, are written without their keys.
  if (prototype === Array.prototype && isDense(value as unknown[]))
    return writeArray(value as unknown[], writer);
  const name = typeKey(typeOf(value));
  if (keys === undefined) return name + writeInstance(value, writer);
  return `${name}${keys.length === 0 ? emptiness(value, writer) : ""}${writeFields(value, keys.sort(), writer)}`;
}

function writeInstance(value: object, writer: ObjectWriter): string {
  const content = contentOf(value);
  // The first keys of a typed array are those of its numbers, which are content.
  const keys = fieldsOf(value).slice(
    ArrayBuffer.isView(value) ? ((value as Partial<Uint8Array>).length ?? 0) : 0,
  );
  const shown =
    content === undefined
      ? `#${identityOf(value)}`
      : content !== FIELDS_ONLY
        ? `(${writeContent(content, writer)})`
        : keys.length === 0
          ? emptiness(value, writer)
          : "";
  return `${shown}${writeFields(value, keys.sort(byText), writer)}`;
}

/**
 * Tells instances without fields apart, because they may hold anything; but a message without fields says
 * everything by its type.
 */
function emptiness(value: object, writer: ObjectWriter): string {
  return value === writer.root || isPlainObject(value) ? "" : `#${identityOf(value)}`;
}

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

function writeFields(value: object, keys: readonly PropertyKey[], writer: ObjectWriter): string {
  let written = "";
  for (const key of keys) {
    const name = typeof key === "string" ? JSON.stringify(key) : `[${write(key, writer)}]`;
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
