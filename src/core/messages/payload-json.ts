import { InvalidMessageError, PayloadTooLargeError, refuse } from "../errors.js";
import { isFieldsOnly, isPlainObject, plainKindOf } from "./hidden-state.js";

/**
 * Limits for what is written and read, because a hostile or broken message must cost little. Lengths count
 * UTF-16 code units.
 */
export const limits = Object.freeze({
  depth: 64,
  /** The most characters of a payload. */
  textLength: 1_048_576,
  /** The most characters of a payload and its metadata together. */
  envelopeLength: 1_048_576 + 65_536,
  headers: 64,
  headersLength: 8_192,
  idLength: 256,
  nameLength: 256,
});

/** Keys that are refused, because they reach a prototype where code copies an object key by key. */
const FORBIDDEN = /^(__proto__|constructor|prototype)$/;

/** Values without a form in JSON; each is written as an object with one key that starts with `$`. */
type Tag = "$undefined" | "$number" | "$bigint" | "$date" | "$bytes" | "$set" | "$map" | "$object";

/** The place of a value, as the keys that lead to it; written as text only for an error. */
type Steps = (string | number)[];

function pathOf(root: string, steps: Steps): string {
  return root + steps.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
}

/** Returns true for the keys of {@link FORBIDDEN}; their length is compared first because that is fast. */
function isForbidden(key: string): boolean {
  return (key.length === 9 || key.length === 11) && FORBIDDEN.test(key);
}

/** Thrown when a payload may be too long by the quick count, so that it is counted exactly. */
const MAYBE_TOO_LONG = /* @__PURE__ */ new Error("The payload may be too long.");

/**
 * Returns plain JSON data from which {@link fromJson} makes an equal value. Dates, Maps, Sets, bigints,
 * bytes, `undefined`, `NaN`, infinities and `-0` are kept. Functions, symbols, cycles and nested class
 * instances are refused, because JSON would change them silently.
 *
 * Plain data may come from any realm and may have no prototype; a `Buffer` is written as bytes.
 *
 * @param asMessage - the value itself may be an instance of a class, as a payload is
 * @throws InvalidMessageError with the path
 * @throws PayloadTooLargeError
 */
export function toJson(value: unknown, path: string, asMessage = true): unknown {
  try {
    return written(value, path, asMessage, false);
  } catch (error) {
    if (error !== MAYBE_TOO_LONG) throw error;
    return written(value, path, asMessage, true);
  }
}

function written(value: unknown, root: string, asMessage: boolean, exact: boolean): unknown {
  const steps: Steps = [];
  const ancestors: object[] = [];
  let length = 0;

  function fail(problem: string, cause?: unknown): never {
    return refuse(pathOf(root, steps), problem, cause);
  }

  /**
   * Counts at least as many characters as `JSON.stringify` writes, so that every text that is written can be
   * read.
   */
  function count(characters: number): void {
    length += characters;
    if (length <= limits.textLength) return;
    if (!exact) throw MAYBE_TOO_LONG;
    throw new PayloadTooLargeError(root, length, limits.textLength);
  }

  /** Counts the longest form that a text may have; the exact one only for a payload that may be too long. */
  function countText(text: string): void {
    count(exact ? JSON.stringify(text).length + 1 : 6 * text.length + 3);
  }

  function write(value: unknown): unknown {
    switch (typeof value) {
      case "string":
        countText(value);
        return value;
      case "number":
        if (!Number.isFinite(value) || Object.is(value, -0))
          return tag("$number", Object.is(value, -0) ? "-0" : String(value));
        count(exact ? String(value).length + 1 : 26);
        return value;
      case "bigint":
        return tag("$bigint", String(value));
      case "undefined":
        return tag("$undefined", true);
      case "boolean":
        count(6);
        return value;
      case "object":
        count(5);
        return value === null ? null : writeObject(value);
      default:
        return fail(`is a ${typeof value}, which cannot be written as JSON`);
    }
  }

  function tag(name: Tag, body: string | true | unknown[]): unknown {
    count(name.length + 8 + (typeof body === "string" ? body.length : 0));
    return { [name]: body };
  }

  function writeObject(value: object): unknown {
    if (ancestors.includes(value)) fail("refers back to an object that contains it");
    if (ancestors.length >= limits.depth) fail(`is nested deeper than ${limits.depth}`);
    ancestors.push(value);
    const written = writeMembers(value);
    ancestors.pop();
    return written;
  }

  function writeItems(items: Iterable<unknown>): unknown[] {
    const written = Array.from(items);
    for (let index = 0; index < written.length; index++) {
      steps.push(index);
      written[index] = write(written[index]);
      steps.pop();
    }
    return written;
  }

  /** Returns the value, unless it has more own keys, because JSON would lose holes and fields of collections. */
  function only<T extends object>(value: object, ownKeys = 0): T {
    return Reflect.ownKeys(value).length === ownKeys
      ? (value as T)
      : fail("has holes or fields besides its members");
  }

  function writePlain(value: object): object {
    const written = writeFields(value);
    // An object that looks like a tag is wrapped, so that it is not read as one.
    return tagOf(written) === undefined ? written : { $object: written };
  }

  function writeMembers(value: object): unknown {
    const prototype: unknown = Object.getPrototypeOf(value);
    // The fast path of the most frequent kinds.
    if (prototype === Object.prototype) return writePlain(value);
    switch (prototype === Array.prototype && Array.isArray(value) ? "Array" : plainKindOf(value)) {
      case "Object":
        return writePlain(value);
      case "Array":
        return writeItems(only<unknown[]>(value, (value as unknown[]).length + 1));
      case "Date": {
        const date = only<Date>(value);
        return Number.isNaN(date.getTime()) ? fail("is an invalid Date") : tag("$date", date.toISOString());
      }
      case "Map":
        return tag("$map", writeItems(only<Map<unknown, unknown>>(value)));
      case "Set":
        return tag("$set", writeItems(only<Set<unknown>>(value)));
      case "Uint8Array": {
        count((value as Uint8Array).length * (4 / 3) + 4);
        const bytes = only<Uint8Array>(value, (value as Uint8Array).length);
        return tag("$bytes", btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), "")));
      }
      default:
        return fail(
          "is a class instance; give the message toJSON() and static fromJSON(), or use plain data",
        );
    }
  }

  function writeFields(value: object): Fields {
    // Not Reflect.ownKeys, which takes three times as long as both.
    const keys = Object.getOwnPropertyNames(value);
    const [symbol] = Object.getOwnPropertySymbols(value);
    if (symbol !== undefined) failAt(symbol, "is a key that cannot be written");
    const fields = fieldsOf(value, keys);
    for (const key of keys) {
      const member = fields[key];
      if (isForbidden(key)) failAt(key, "is a key that cannot be written");
      if (member === undefined && !Object.hasOwn(fields, key)) failAt(key, "is not enumerable");
      countText(key);
      if (typeof member === "string") {
        countText(member);
        continue;
      }
      steps.push(key);
      const written = write(member);
      steps.pop();
      if (written !== member) fields[key] = written;
    }
    return fields;
  }

  /** Copies all fields at once, because that is faster than one by one. */
  function fieldsOf(value: object, keys: readonly PropertyKey[]): Fields {
    try {
      return { ...value };
    } catch {
      const fields: Fields = {};
      for (const key of keys) {
        try {
          fields[key] = (value as Fields)[key];
        } catch (error) {
          if (error instanceof InvalidMessageError) throw error;
          failAt(key, "could not be read", error);
        }
      }
      return fields;
    }
  }

  function failAt(key: PropertyKey, problem: string, cause?: unknown): never {
    steps.push(String(key));
    return fail(problem, cause);
  }

  if (!asMessage) return write(value);
  // The payload itself may be an instance of its class, but only if its fields are all that it holds.
  if (!isFieldsOnly(value))
    fail("has hidden state, such as private fields; give the message toJSON() and static fromJSON()");
  ancestors.push(value);
  return writeFields(value);
}

interface Fields {
  [key: PropertyKey]: unknown;
}

/** Returns the one key of an object that looks like a tag. */
function tagOf(value: object): string | undefined {
  let found: string | undefined;
  for (const key in value) {
    if (!Object.hasOwn(value, key)) continue;
    if (found !== undefined || key.charCodeAt(0) !== 36) return undefined;
    found = key;
  }
  return found;
}

/**
 * Runs code of the application that takes part in writing or reading.
 *
 * @throws InvalidMessageError with its error as `cause`
 */
export function attempt<T>(path: string, problem: string, run: () => T): T {
  try {
    return run();
  } catch (error) {
    if (error instanceof InvalidMessageError) throw error;
    return refuse(path, problem, error);
  }
}

/**
 * Returns the value that {@link toJson} wrote, within the same limits.
 *
 * @param text - the text that the value was parsed from just now: its objects are changed in place
 * @param asMessage - the value itself is the data of a payload, which is not tagged
 * @throws InvalidMessageError with the path, also for unknown tags and forbidden keys
 * @throws PayloadTooLargeError
 */
export function fromJson(value: unknown, root: string, text?: string, asMessage = true): unknown {
  const steps: Steps = [];
  const owned = text !== undefined;
  // A text within the limit holds no payload beyond it.
  let length = owned && text.length <= limits.textLength ? -Infinity : 0;

  function fail(problem: string, cause?: unknown): never {
    return refuse(pathOf(root, steps), problem, cause);
  }

  /** Counts no more characters than {@link toJson} does. */
  function count(characters: number): void {
    length += characters;
    if (length > limits.textLength) throw new PayloadTooLargeError(root, length, limits.textLength);
  }

  function read(value: unknown, depth: number): unknown {
    if (typeof value === "string") {
      count(value.length);
      return value;
    }
    count(1);
    if (depth > limits.depth) fail(`is nested deeper than ${limits.depth}`);
    if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint")
      fail("is not JSON");
    // JSON.parse reads 1e999 as Infinity.
    if (typeof value === "number" && !Number.isFinite(value)) fail("is too large a number");
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return readItems(value, depth);
    if (!isPlainObject(value)) fail("is a class instance, not JSON data");
    const tag = depth > 0 || !asMessage ? (tagOf(value) as Tag | undefined) : undefined;
    return tag === undefined ? readFields(value, depth) : readTagged(tag, (value as Fields)[tag], depth);
  }

  function readItems(value: readonly unknown[], depth: number): unknown[] {
    const items = owned ? (value as unknown[]) : Array.from(value);
    for (let index = 0; index < items.length; index++) {
      steps.push(index);
      items[index] = read(items[index], depth + 1);
      steps.pop();
    }
    return items;
  }

  function readFields(value: object, depth: number): object {
    const fields = (owned ? value : { ...value }) as Fields;
    for (const key of Object.keys(fields)) {
      steps.push(key);
      if (isForbidden(key)) fail("is a key that cannot be read");
      count(key.length);
      const member = fields[key];
      const made = read(member, depth + 1);
      if (made !== member) fields[key] = made;
      steps.pop();
    }
    return fields;
  }

  /**
   * Reads a tag in the one form that {@link toJson} writes, because any other form would change if it were
   * written again.
   */
  function readTagged(tag: Tag, body: unknown, depth: number): unknown {
    const bad = (cause?: unknown): never => fail(`has a bad ${tag}`, cause);
    const text = (format: RegExp): string => (typeof body === "string" && format.test(body) ? body : bad());
    const list = (): unknown[] => (Array.isArray(body) ? (read(body, depth) as unknown[]) : bad());
    switch (tag) {
      case "$undefined":
        return body === true ? undefined : bad();
      case "$number":
        return Number(text(/^(-0|NaN|-?Infinity)$/));
      case "$bigint":
        return BigInt(text(/^(0|-?[1-9]\d*)$/));
      case "$date": {
        const date = new Date(text(/Z$/));
        return !Number.isNaN(date.getTime()) && date.toISOString() === body ? date : bad();
      }
      case "$bytes": {
        const binary = attempt(pathOf(root, steps), "has a bad $bytes", () =>
          atob(text(/^[A-Za-z0-9+/]*=*$/)),
        );
        return btoa(binary) === body ? Uint8Array.from(binary, (char) => char.charCodeAt(0)) : bad();
      }
      case "$set": {
        const items = list();
        const set = new Set(items);
        return set.size === items.length ? set : bad();
      }
      case "$map": {
        const entries = list();
        if (!entries.every((entry) => Array.isArray(entry) && entry.length === 2)) bad();
        const map = new Map(entries as [unknown, unknown][]);
        return map.size === entries.length ? map : bad();
      }
      case "$object":
        return typeof body === "object" && body !== null && tagOf(body) !== undefined
          ? readFields(body, depth)
          : bad();
    }
    return fail("has an unknown tag");
  }

  return read(value, 0);
}

/**
 * Parses a text like `JSON.parse`, but refuses an object that has a key twice, because `JSON.parse` would
 * drop the first value silently.
 *
 * @throws InvalidMessageError with `path`
 * @throws PayloadTooLargeError
 */
export function parseJson(text: string, path: string): unknown {
  if (text.length > limits.envelopeLength)
    throw new PayloadTooLargeError(path, text.length, limits.envelopeLength);
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The error of the parser is left out because it quotes the text.
    refuse(path, "is not JSON");
  }
  // The text that JSON.stringify writes has no key twice. Other texts, such as those with spaces, are counted.
  return isCanonical(text, parsed) || hasEachKeyOnce(text, parsed) ? parsed : refuse(path, "has a key twice");
}

function isCanonical(text: string, parsed: unknown): boolean {
  try {
    return JSON.stringify(parsed) === text;
  } catch {
    // Nested so deep that the stack overflows; reading refuses it.
    return false;
  }
}

function hasEachKeyOnce(text: string, parsed: unknown): boolean {
  let keys = 0;
  // The pattern finds every string of valid JSON, and the colon behind it if the string is a key.
  for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*(:)?/g)) if (colon !== undefined) keys++;
  for (const stack = [parsed]; stack.length > 0;) {
    const value = stack.pop();
    if (typeof value !== "object" || value === null) continue;
    const members = Object.values(value) as unknown[];
    if (!Array.isArray(value)) keys -= members.length;
    for (const member of members) stack.push(member);
  }
  return keys === 0;
}
