import { pino } from "pino";
import { check } from "../core/checks.js";
import { FAILED, plainCopy, type Copy } from "./plain-copy.js";

const BRACKETED = String.raw`"[^"[\]]+"|'[^'[\]]+'|(?!\$\]|\*\*)[^"'[\]\s]+`;
/** `.key`, `key` at the beginning, `["key"]`, `['key']`, `[0]` or `[*]`. */
const STEP = String.raw`\[(?:${BRACKETED})\]|(?:^|\.)(?!\$(?:[.[]|$)|\*\*)[^.[\]\s]+`;
/** Stricter than pino, which accepts paths such as `$.password` and redacts nothing for them. */
const PATH = new RegExp(`^(?:${STEP})+$`);

export const redactPaths = check(
  'an array of paths such as "password", "card.number" or "items[*].price"',
  (paths) => {
    try {
      return Array.isArray(paths) && paths.every(isPath) && redactedCopy(paths) !== undefined;
    } catch {
      // pino refused a path.
      return false;
    }
  },
);

function isPath(path: unknown): path is string {
  return typeof path === "string" && PATH.test(path);
}

/**
 * Returns a copier that writes `[Redacted]` in the place of each value that a path leads to.
 *
 * A logger made for this purpose redacts the copy, because a child with `redact` loses the redaction of the
 * application's logger.
 */
export function redactedCopy(paths: readonly string[]): Copy {
  if (paths.length === 0) return plainCopy;
  let line = "";
  const redact = paths.map((path) => (path.startsWith("[") ? `value${path}` : `value.${path}`));
  const logger = pino({ base: null, timestamp: false, redact }, { write: (text) => (line = text) });
  return (value) => {
    try {
      // Cleared first, because a build of pino that writes elsewhere must not reveal the value before.
      line = "";
      logger.info({ value: plainCopy(value) });
      return (JSON.parse(line) as { readonly value?: unknown }).value;
    } catch {
      return FAILED;
    }
  };
}
