import { LONGEST_TIMEOUT_MS } from "../core/util/timers.js";
import { refuse } from "../core/errors.js";

/** The wait before a retry, from 1. */
export function backoffMs(retry: number, delayMs: number, maxDelayMs: number): number {
  // No more than that: nothing, doubled to infinity, is no number.
  return Math.min(delayMs * 2 ** Math.min(retry - 1, 1_000), maxDelayMs, LONGEST_TIMEOUT_MS);
}

/** @throws InvalidMessageError; `Infinity` passes for a whole number, and strings that hold one do not. */
export function checkWhole(value: number, least: number, path: string): void {
  if (!(Number.isInteger(value) || value === Infinity) || value < least)
    refuse(path, `is not a whole number from ${least}`);
}

/** @throws InvalidMessageError */
export function checkMs(value: number, path: string): void {
  if (typeof value !== "number" || !(value >= 0)) refuse(path, "is not a number of milliseconds from 0");
}
