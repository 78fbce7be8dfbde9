/** Where times come from; inject one for deterministic tests. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Milliseconds from any fixed point, never going backwards. @defaultValue `now` */
  monotonicNow?(): number;
}

/** Wall time for timestamps, monotonic time for durations. */
export const systemClock: Clock = { now: () => Date.now(), monotonicNow: () => performance.now() };

export function monotonicNow(clock: Clock): number {
  return clock.monotonicNow?.() ?? clock.now();
}

interface Offset {
  ms: number;
  readMs: number;
}

const offsets = new WeakMap<Clock, Offset>();

/**
 * The wall time of a monotonic one, in whole milliseconds. By an offset that is read at most once a second, because clocks may cost as much as
 * a dispatch, and because causes are so never later than their effects. A wall clock that has been set is followed.
 */
export function wallTime(clock: Clock, monotonicMs: number): number {
  const offset = offsets.get(clock);
  if (offset !== undefined && monotonicMs >= offset.readMs && monotonicMs < offset.readMs + 1_000)
    return Math.floor(offset.ms + monotonicMs);
  const readMs = monotonicNow(clock);
  const fresh = clock.now() - readMs;
  // Reading takes time itself: clocks that agree to a few milliseconds have not been set.
  const ms = offset !== undefined && Math.abs(fresh - offset.ms) < 2 ? offset.ms : fresh;
  offsets.set(clock, { ms, readMs });
  return Math.floor(ms + monotonicMs);
}

let prefix = "";
let count = 0;

/** Unique in the world and cheap: 122 random bits for this process, and a counter. A random UUID for each would cost more than a whole dispatch. */
export function uniqueId(): string {
  prefix ||= `${randomId()}-`;
  return prefix + (++count).toString(36);
}

/** A version 4 UUID; browsers offer `randomUUID` in secure contexts only. */
function randomId(): string {
  return (
    globalThis.crypto.randomUUID?.() ??
    "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (digit) =>
      (+digit ^ (globalThis.crypto.getRandomValues(new Uint8Array(1))[0]! & (15 >> (+digit / 4)))).toString(
        16,
      ),
    )
  );
}

/** setTimeout's own limit; above it, it fires at once. */
export const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;
