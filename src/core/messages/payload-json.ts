import { InvalidMessageError, refuse } from "../errors.js";
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

/**
 * Returns plain JSON data from which {@link fromJson} makes an equal value. Dates, Maps, Sets, bigints,
 * bytes, `undefined`, `NaN`, infinities and `-0` are kept. Functions, symbols, cycles and nested class
 * instances are refused, because JSON would change them silently.
 *
 * Plain data may come from any realm and may have no prototype; a `Buffer` is written as bytes.
 *
 * @throws InvalidMessageError with the path
 */
export function toJson(value: unknown, path: string): unknown {
  const ancestors = new Set<object>();
  let length = 0;

  /**
   * Counts at least as many characters as `JSON.stringify` writes, so that every text that is written can be
   * read.
   */
  function count(characters: number): void {
    length += characters;
    if (length > limits.textLength)
      refuse(path, `is larger than ${limits.textLength} characters; send a reference instead`);
  }

  function write(value: unknown, path: string): unknown {
    switch (typeof value) {
      case "string":
        count(JSON.stringify(value).length + 1);
        return value;
      case "number":
        if (!Number.isFinite(value) || Object.is(value, -0))
          return tag("$number", Object.is(value, -0) ? "-0" : String(value));
        count(String(value).length + 1);
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
        return value === null ? null : writeObject(value, path);
      default:
        return refuse(path, `is a ${typeof value}, which cannot be written as JSON`);
    }
  }

  function tag(name: Tag, body: string | true | unknown[]): unknown {
    count(name.length + 8 + (typeof body === "string" ? body.length : 0));
    return { [name]: body };
  }

  function writeObject(value: object, path: string): unknown {
    if (ancestors.has(value)) refuse(path, "refers back to an object that contains it");
    if (ancestors.size >= limits.depth) refuse(path, `is nested deeper than ${limits.depth}`);
    ancestors.add(value);
    const written = writeMembers(value, path);
    ancestors.delete(value);
    return written;
  }

  function writeMembers(value: object, path: string): unknown {
    const members = (items: Iterable<unknown>): unknown[] =>
      Array.from(items, (item, index) => write(item, `${path}[${index}]`));
    // JSON would lose holes and fields of collections.
    const only = <T extends object>(value: object, ownKeys = 0): T =>
      Reflect.ownKeys(value).length === ownKeys
        ? (value as T)
        : refuse(path, "has holes or fields besides its members");
    switch (plainKindOf(value)) {
      case "Object": {
        const written = writeFields(value, path);
        const [key, second] = Object.keys(written);
        // An object that looks like a tag is wrapped, so that it is not read as one.
        return key?.startsWith("$") && second === undefined ? { $object: written } : written;
      }
      case "Array":
        return members(only<unknown[]>(value, (value as unknown[]).length + 1));
      case "Date": {
        const date = only<Date>(value);
        return Number.isNaN(date.getTime())
          ? refuse(path, "is an invalid Date")
          : tag("$date", date.toISOString());
      }
      case "Map":
        return tag("$map", members(only<Map<unknown, unknown>>(value)));
      case "Set":
        return tag("$set", members(only<Set<unknown>>(value)));
      case "Uint8Array": {
        count((value as Uint8Array).length);
        const bytes = only<Uint8Array>(value, (value as Uint8Array).length);
        return tag("$bytes", btoa(bytes.reduce((text, byte) => text + String.fromCharCode(byte), "")));
      }
      default:
        return refuse(
          path,
          "is a class instance; give the message toJSON() and static fromJSON(), or use plain data",
        );
    }
  }

  function writeFields(value: object, path: string): { [key: string]: unknown } {
    const written: { [key: string]: unknown } = {};
    for (const key of Reflect.ownKeys(value)) {
      const at = `${path}.${String(key)}`;
      if (typeof key === "symbol" || FORBIDDEN.test(key)) refuse(at, "is a key that cannot be written");
      if (!Object.prototype.propertyIsEnumerable.call(value, key)) refuse(at, "is not enumerable");
      count(JSON.stringify(key).length + 1);
      written[key] = write(
        attempt(at, "could not be read", () => (value as { [key: string]: unknown })[key]),
        at,
      );
    }
    return written;
  }

  // The payload itself may be an instance of its class, but only if its fields are all that it holds.
  if (!isFieldsOnly(value))
    refuse(path, "has hidden state, such as private fields; give the message toJSON() and static fromJSON()");
  ancestors.add(value);
  return writeFields(value, path);
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
 * @throws InvalidMessageError with the path, also for unknown tags and forbidden keys
 */
export function fromJson(value: unknown, path: string): unknown {
  let length = 0;

  /** Counts no more characters than {@link toJson} does. */
  function count(characters: number): void {
    length += characters;
    if (length > limits.textLength) refuse("payload", `is larger than ${limits.textLength} characters`);
  }

  function read(value: unknown, path: string, depth: number): unknown {
    count(typeof value === "string" ? value.length : 1);
    if (depth > limits.depth) refuse(path, `is nested deeper than ${limits.depth}`);
    if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint")
      refuse(path, "is not JSON");
    // JSON.parse reads 1e999 as Infinity.
    if (typeof value === "number" && !Number.isFinite(value)) refuse(path, "is too large a number");
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item, index) => read(item, `${path}[${index}]`, depth + 1));
    if (!isPlainObject(value)) refuse(path, "is a class instance, not JSON data");
    const keys = Object.keys(value);
    const tag = depth > 0 && keys.length === 1 && keys[0]!.startsWith("$") ? (keys[0] as Tag) : undefined;
    return tag === undefined
      ? readFields(value, path, depth)
      : readTagged(tag, (value as { [key: string]: unknown })[tag], path, depth);
  }

  function readFields(value: object, path: string, depth: number): object {
    const fields: { [key: string]: unknown } = {};
    for (const [key, field] of Object.entries(value)) {
      if (FORBIDDEN.test(key)) refuse(`${path}.${key}`, "is a key that cannot be read");
      count(key.length);
      fields[key] = read(field, `${path}.${key}`, depth + 1);
    }
    return fields;
  }

  /**
   * Reads a tag in the one form that {@link toJson} writes, because any other form would change if it were
   * written again.
   */
  function readTagged(tag: Tag, body: unknown, path: string, depth: number): unknown {
    const bad = (cause?: unknown): never => refuse(path, `has a bad ${tag}`, cause);
    const text = (format: RegExp): string => (typeof body === "string" && format.test(body) ? body : bad());
    const list = (): unknown[] => (Array.isArray(body) ? (read(body, path, depth) as unknown[]) : bad());
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
        const binary = attempt(path, "has a bad $bytes", () => atob(text(/^[A-Za-z0-9+/]*=*$/)));
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
      case "$object": {
        const keys =
          typeof body === "object" && body !== null && !Array.isArray(body) ? Object.keys(body) : [];
        return keys.length === 1 && keys[0]!.startsWith("$")
          ? readFields(body as object, path, depth)
          : bad();
      }
    }
    return refuse(path, "has an unknown tag");
  }

  return read(value, path, 0);
}

/**
 * Parses a text like `JSON.parse`, but refuses an object that has a key twice, because `JSON.parse` would
 * drop the first value silently.
 *
 * @throws InvalidMessageError with `path`
 */
export function parseJson(text: string, path: string): unknown {
  if (text.length > limits.envelopeLength) refuse(path, `is larger than ${limits.envelopeLength} characters`);
  let parsed: unknown;
  let keys = 0;
  try {
    parsed = JSON.parse(text);
  } catch {
    // The error of the parser is left out because it quotes the text.
    refuse(path, "is not JSON");
  }
  // The pattern finds every string of valid JSON, and the colon behind it if the string is a key.
  for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*(:)?/g)) if (colon !== undefined) keys++;
  for (const stack = [parsed]; stack.length > 0;) {
    const value = stack.pop();
    if (typeof value !== "object" || value === null) continue;
    const members = Object.values(value) as unknown[];
    if (!Array.isArray(value)) keys -= members.length;
    for (const member of members) stack.push(member);
  }
  return keys === 0 ? parsed : refuse(path, "has a key twice");
}
