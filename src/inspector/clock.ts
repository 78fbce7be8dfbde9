let offsetMs = 0;

/**
 * Returns the time in milliseconds since the epoch, with fractions that order what happens within a millisecond.
 * It follows a wall clock that was set.
 *
 * @param wallMs - the wall clock, for a caller that has just read it
 */
export function wallNow(wallMs = Date.now()): number {
  const monotonicMs = performance.now();
  if (Math.abs(offsetMs + monotonicMs - wallMs) > 2) offsetMs = wallMs - monotonicMs;
  return Math.round((offsetMs + monotonicMs) * 1_000) / 1_000;
}

/**
 * Returns the time of a message: with fractions if its bus uses the clock of the system, and as the bus says otherwise.
 */
export function preciseTime(metaMs: number, nowMs: number): number {
  return Math.abs(nowMs - metaMs) < 1_000 ? nowMs : metaMs;
}
