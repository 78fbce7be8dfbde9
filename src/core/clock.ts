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

/** A version 4 UUID; browsers offer `randomUUID` in secure contexts only. */
export function randomId(): string {
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
