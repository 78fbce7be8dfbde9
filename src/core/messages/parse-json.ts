import { PayloadTooLargeError, refuse } from "../errors.js";
import { limits } from "./json-form.js";

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
