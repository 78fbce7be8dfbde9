import { PayloadTooLargeError, refuse } from "../errors.js";
import { isPlainObject } from "./hidden-state.js";
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
 * Returns the value that `toJson` wrote, within the same limits.
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

  /** Counts no more characters than `toJson` does. */
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
   * Reads a tag in the one form that `toJson` writes, because any other form would change if it were written again.
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
