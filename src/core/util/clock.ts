/** The source of times; inject one for deterministic tests. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds since a fixed point of the clock's own choice; never goes backwards. @defaultValue `now` */
  monotonicNow?(): number;
}

/** The clock of the platform: wall time for timestamps, monotonic time for durations. */
export const systemClock: Clock = { now: () => Date.now(), monotonicNow: () => performance.now() };

/** Returns the monotonic time of a clock, in milliseconds. */
export function monotonicNow(clock: Clock): number {
  return clock.monotonicNow?.() ?? clock.now();
}

interface Offset {
  ms: number;
  readMs: number;
}

const offsets = new WeakMap<Clock, Offset>();

/**
 * Converts a monotonic time to wall time, in whole milliseconds. The offset between the two is read at most
 * once a second, because reading a clock may cost as much as a dispatch, and because a shared offset never
 * dates a cause after its effect. A wall clock that was set is followed.
 */
export function wallTime(clock: Clock, monotonicMs: number): number {
  const offset = offsets.get(clock);
  if (offset !== undefined && monotonicMs >= offset.readMs && monotonicMs < offset.readMs + 1_000)
    return Math.floor(offset.ms + monotonicMs);
  const readMs = monotonicNow(clock);
  const fresh = clock.now() - readMs;
  // A difference below two milliseconds comes from the time that reading takes, not from a clock that was set.
  const ms = offset !== undefined && Math.abs(fresh - offset.ms) < 2 ? offset.ms : fresh;
  offsets.set(clock, { ms, readMs });
  return Math.floor(ms + monotonicMs);
}
