import { InvalidMessageError } from "./errors.js";

/** Caps on what is written and read, so that a hostile or broken message costs little. Lengths are in UTF-16 code units. */
export const limits = Object.freeze({
  depth: 64,
  textLength: 1_048_576,
  headers: 64,
  headersLength: 8_192,
  idLength: 256,
  nameLength: 256,
});

/** Refused as keys: they reach a prototype when somebody copies the object carelessly. */
const FORBIDDEN = /^(__proto__|constructor|prototype)$/;

export function refuse(path: string, problem: string, cause?: unknown): never {
  throw new InvalidMessageError(`${path} ${problem}.`, cause === undefined ? { path } : { path, cause });
}

/** JSON has no word for these; each is written as an object with one key that starts with `$`. */
type Tag = "$undefined" | "$number" | "$bigint" | "$date" | "$bytes" | "$set" | "$map" | "$object";

/**
 * Plain JSON data from which {@link fromJson} makes an equal value, or an `InvalidMessageError` with the path: nothing is changed silently.
 * Dates, Maps, Sets, bigints, bytes, `undefined`, `NaN`, infinities and `-0` are kept; functions, symbols, cycles and class instances are refused.
 */
export function toJson(value: unknown, path: string): unknown {
  let length = 0;
  const ancestors = new Set<object>();
  const count = (text: string): string => {
    length += text.length;
    return length > limits.textLength
      ? refuse(path, `is larger than ${limits.textLength} characters; send a reference instead`)
      : text;
  };

  function write(value: unknown, path: string): unknown {
    count("00");
    switch (typeof value) {
      case "string":
        return count(value);
      case "number":
        return Number.isFinite(value) && !Object.is(value, -0)
          ? value
          : tagged("$number", Object.is(value, -0) ? "-0" : String(value));
      case "bigint":
        return tagged("$bigint", count(String(value)));
      case "undefined":
        return tagged("$undefined", true);
      case "boolean":
        return value;
      case "object":
        return value === null ? null : writeObject(value, path);
      default:
        return refuse(path, `is a ${typeof value}, which cannot be written as JSON`);
    }
  }

  function writeObject(value: object, path: string): unknown {
    if (ancestors.has(value)) refuse(path, "refers back to itself");
    if (ancestors.size >= limits.depth) refuse(path, `is nested deeper than ${limits.depth}`);
    ancestors.add(value);
    const written = writeMembers(value, path);
    ancestors.delete(value);
    return written;
  }

  function writeMembers(value: object, path: string): unknown {
    const members = (items: Iterable<unknown>): unknown[] =>
      Array.from(items, (item, index) => write(item, `${path}[${index}]`));
    switch (Object.getPrototypeOf(value)) {
      case Object.prototype:
        return writePlain(value, path);
      case Array.prototype:
        // Holes and extra properties would be lost.
        return Reflect.ownKeys(value).length === (value as unknown[]).length + 1
          ? members(value as unknown[])
          : refuse(path, "is an array with holes or properties");
      case Date.prototype:
        return Number.isNaN((value as Date).getTime())
          ? refuse(path, "is an invalid Date")
          : tagged("$date", (value as Date).toISOString());
      case Map.prototype:
        return tagged("$map", members(value as Map<unknown, unknown>));
      case Set.prototype:
        return tagged("$set", members(value as Set<unknown>));
      case Uint8Array.prototype:
        return tagged(
          "$bytes",
          count(btoa((value as Uint8Array).reduce((text, byte) => text + String.fromCharCode(byte), ""))),
        );
      default:
        return refuse(
          path,
          "is a class instance; give the message toJSON() and static fromJSON(), or use plain data",
        );
    }
  }

  function writePlain(value: object, path: string): unknown {
    const written = writeFields(value, path, write);
    const keys = Object.keys(written);
    return keys.length === 1 && keys[0]!.startsWith("$") ? tagged("$object", written) : written;
  }

  function writeFields(value: object, path: string, each: typeof write): { [key: string]: unknown } {
    const written: { [key: string]: unknown } = {};
    for (const key of Reflect.ownKeys(value)) {
      const at = `${path}.${String(key)}`;
      if (typeof key === "symbol" || FORBIDDEN.test(key)) refuse(at, "is a key that cannot be written");
      if (!Object.prototype.propertyIsEnumerable.call(value, key)) refuse(at, "is not enumerable");
      written[count(key)] = each((value as { [key: string]: unknown })[key], at);
    }
    return written;
  }

  // A message is an instance of its class, so its own fields are written whatever its prototype is.
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(path, "is not an object");
  ancestors.add(value);
  return writeFields(value, path, write);
}

const tagged = (tag: Tag, body: unknown): unknown => ({ [tag]: body });

/** The inverse of {@link toJson}, with the same caps; unknown tags and forbidden keys are refused with their path. */
export function fromJson(value: unknown, path: string): unknown {
  function read(value: unknown, path: string, depth: number): unknown {
    if (depth > limits.depth) refuse(path, `is nested deeper than ${limits.depth}`);
    if (typeof value === "function" || typeof value === "symbol" || typeof value === "bigint")
      refuse(path, "is not JSON");
    if (typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) return value.map((item, index) => read(item, `${path}[${index}]`, depth + 1));
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
      fields[key] = read(field, `${path}.${key}`, depth + 1);
    }
    return fields;
  }

  function readTagged(tag: Tag, body: unknown, path: string, depth: number): unknown {
    const list = (): unknown[] =>
      Array.isArray(body)
        ? (read(body, path, depth) as unknown[])
        : refuse(path, `has a ${tag} that is not an array`);
    try {
      switch (tag) {
        case "$undefined":
          return undefined;
        case "$number":
          return /^(-0|NaN|-?Infinity)$/.test(body as string)
            ? Number(body)
            : refuse(path, "has a bad $number");
        case "$bigint":
          return /^-?\d+$/.test(body as string) ? BigInt(body as string) : refuse(path, "has a bad $bigint");
        case "$date":
          return new Date(new Date(body as string).toISOString());
        case "$bytes":
          return Uint8Array.from(atob(body as string), (char) => char.charCodeAt(0));
        case "$set":
          return new Set(list());
        case "$map":
          return new Map(list() as [unknown, unknown][]);
        case "$object":
          return readFields(body as object, path, depth + 1);
      }
    } catch (error) {
      if (error instanceof InvalidMessageError) throw error;
      refuse(path, `has a bad ${tag}`, error);
    }
    return refuse(path, `has an unknown tag ${String(tag)}`);
  }

  return read(value, path, 0);
}

/** `JSON.parse` that refuses what it would pass over: keys given twice, of which it keeps the last. */
export function parseJson(text: string, path: string): unknown {
  if (text.length > limits.textLength) refuse(path, `is larger than ${limits.textLength} characters`);
  let parsed: unknown;
  let keys = 0;
  try {
    parsed = JSON.parse(text);
  } catch (error) {
    refuse(path, "is not JSON", error);
  }
  // Every string literal in valid JSON, with its colon where it is a key.
  for (const [, colon] of text.matchAll(/"(?:[^"\\]|\\.)*"\s*(:)?/g)) if (colon !== undefined) keys++;
  for (const stack = [parsed]; stack.length > 0;) {
    const value = stack.pop();
    if (typeof value !== "object" || value === null) continue;
    const members = Object.values(value) as unknown[];
    if (!Array.isArray(value)) keys -= members.length;
    stack.push(...members);
  }
  return keys === 0 ? parsed : refuse(path, "has a key twice");
}
