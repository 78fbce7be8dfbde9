import { InvalidMessageError, refuse } from "../errors.js";

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
export type Tag = "$undefined" | "$number" | "$bigint" | "$date" | "$bytes" | "$set" | "$map" | "$object";

/** The place of a value, as the keys that lead to it; written as text only for an error. */
export type Steps = (string | number)[];

export function pathOf(root: string, steps: Steps): string {
  return root + steps.map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`)).join("");
}

/** Returns true for the keys of {@link FORBIDDEN}; their length is compared first because that is fast. */
export function isForbidden(key: string): boolean {
  return (key.length === 9 || key.length === 11) && FORBIDDEN.test(key);
}

export interface Fields {
  [key: PropertyKey]: unknown;
}

/** Returns the one key of an object that looks like a tag. */
export function tagOf(value: object): string | undefined {
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
