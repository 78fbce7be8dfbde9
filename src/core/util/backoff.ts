import { LONGEST_TIMEOUT_MS } from "./timers.js";

/**
 * Returns the wait before a retry in milliseconds: `delayMs`, doubled from retry to retry. The first retry is number 1.
 */
export function backoffMs(retry: number, delayMs: number, maxDelayMs: number): number {
  // The exponent is bounded, because 0 doubled to infinity is NaN.
  return Math.min(delayMs * 2 ** Math.min(retry - 1, 1_000), maxDelayMs, LONGEST_TIMEOUT_MS);
}
