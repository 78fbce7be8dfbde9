import { createHash } from "node:crypto";

/** Returns a text that is equal for equal keys and short enough for an index, whose rows hold 2,704 bytes at most. */
export function shortKey(key: string): string {
  return key.length <= 500 ? key : `sha256:${createHash("sha256").update(key).digest("base64")}`;
}
