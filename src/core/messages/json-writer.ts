import { PayloadTooLargeError, refuse } from "../errors.js";
import { isFieldsOnly, plainKindOf } from "./hidden-state.js";
import {
  attempt,
  isForbidden,
  limits,
  pathOf,
  tagOf,
  type Fields,
  type Steps,
  type Tag,
} from "./json-form.js";

/**
 * Returns plain JSON data from which `fromJson` makes an equal value. Dates, Maps, Sets, bigints,
 * bytes, `undefined`, `NaN`, infinities and `-0` are kept. Functions, symbols, cycles and nested class
 * instances are refused, because JSON would change them silently.
 *
 * Plain data may come from any realm and may have no prototype; a `Buffer` is written as bytes.
 *
 * @param asMessage - the value itself may be an instance of a class, as a payload is
 * @throws InvalidMessageError with the path
 * @throws PayloadTooLargeError
 */
export function toJson(value: unknown, root: string, asMessage = true): unknown {
  const steps: Steps = [];
  const ancestors: object[] = [];
  // Bounds of the length of the text, because counting it exactly would mean to write it twice.
  let least = 0;
  let most = 0;

  function fail(problem: string, cause?: unknown): never {
    return refuse(pathOf(root, steps), problem, cause);
  }

  function count(atLeast: number, atMost: number): void {
    least += atLeast;
    most += atMost;
    checkLength(least);
  }

  function checkLength(length: number): void {
    if (length > limits.textLength) throw new PayloadTooLargeError(root, length, limits.textLength);
  }

  /** Counts a text with its quotes and a comma or colon. Each character may be written as six: `\u001f`. */
  function countText({ length }: string): void {
    count(length + 2, 6 * length + 3);
  }

  function write(value: unknown): unknown {
    switch (typeof value) {
      case "string":
        countText(value);
        return value;
      case "number":
        if (!Number.isFinite(value) || Object.is(value, -0))
          return tag("$number", Object.is(value, -0) ? "-0" : String(value));
        count(1, 26);
        return value;
      case "bigint":
        return tag("$bigint", String(value));
      case "undefined":
        return tag("$undefined", true);
      case "boolean":
        count(4, 6);
        return value;
      case "object":
        count(2, 5);
        return value === null ? null : writeObject(value);
      default:
        return fail(`is a ${typeof value}, which cannot be written as JSON`);
    }
  }

  function tag(name: Tag, body: string | true | object): object {
    const length = name.length + (typeof body === "string" ? body.length : 0);
    count(length, length + 10);
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
    return tagOf(written) === undefined ? written : tag("$object", written);
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
        // Check the bytes before their text is made, because there may be many.
        checkLength((value as Uint8Array).length);
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
    const fields = fieldsOf(value);
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

  /** Copies all fields at once, because that is faster than one by one; if a getter throws, again to find which. */
  function fieldsOf(value: object): Fields {
    try {
      return { ...value };
    } catch {
      const read = (key: string): unknown =>
        attempt(pathOf(root, [...steps, key]), "could not be read", () => (value as Fields)[key]);
      return Object.fromEntries(Object.keys(value).map((key) => [key, read(key)]));
    }
  }

  function failAt(key: PropertyKey, problem: string, cause?: unknown): never {
    steps.push(String(key));
    return fail(problem, cause);
  }

  function writeMessage(value: unknown): Fields {
    // The payload itself may be an instance of its class, but only if its fields are all that it holds.
    if (!isFieldsOnly(value))
      return fail(
        "has hidden state, such as private fields; give the message toJSON() and static fromJSON()",
      );
    ancestors.push(value);
    return writeFields(value);
  }

  const written = asMessage ? writeMessage(value) : write(value);
  if (most > limits.textLength) checkLength(JSON.stringify(written).length);
  return written;
}
