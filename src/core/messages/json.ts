import { fromJson } from "./json-reader.js";
import { toJson } from "./json-writer.js";
import { parseJson } from "./parse-json.js";

/**
 * Returns a value as JSON text, in the form that payloads have in envelopes: Dates, Maps, Sets, bigints, bytes,
 * `undefined`, `NaN`, infinities and `-0` are kept. Results of queries cross between processes by it.
 *
 * @throws InvalidMessageError with the path of a value that JSON cannot keep: functions, symbols, cycles and class
 * instances
 * @throws PayloadTooLargeError above 1 MiB
 * @example
 * decodeJson(encodeJson(new Map([["today", new Date(0)]]))); // Map { "today" => 1970-01-01T00:00:00.000Z }
 */
export function encodeJson(value: unknown): string {
  return JSON.stringify(toJson(value, "value", false));
}

/**
 * Returns the value that {@link encodeJson} wrote.
 *
 * @throws InvalidMessageError for a text that is not JSON, has a key twice, or holds an unknown tag
 * @throws PayloadTooLargeError
 */
export function decodeJson(text: string): unknown {
  return fromJson(parseJson(text, "value"), "value", text, false);
}
