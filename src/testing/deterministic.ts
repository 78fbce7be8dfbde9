import type { Clock } from "../core/util/clock.js";

/**
 * Returns an id factory that counts up, for buses whose ids a test compares.
 *
 * @example
 * const bus = new CommandBus({ ids: sequentialIds("c") }); // c1, c2, c3, ...
 */
export function sequentialIds(prefix = ""): () => string {
  let last = 0;
  return () => `${prefix}${++last}`;
}

/** A clock that stands still until a test advances it. */
export interface ManualClock extends Required<Clock> {
  /** Moves the clock forward by milliseconds. @throws RangeError if the time is negative or not a number */
  advance(ms: number): void;
}

/**
 * Returns a clock for buses whose times and durations a test compares. Fires no timers; use fake timers for those.
 *
 * @param startMs - its first time, in milliseconds since 1970
 *
 * @example
 * const clock = manualClock();
 * const bus = new CommandBus({ clock });
 * bus.register(CreateUser, () => clock.advance(12)); // its outcome has durationMs 12
 */
export function manualClock(startMs = 0): ManualClock {
  let nowMs = startMs;
  const now = (): number => nowMs;
  return {
    now,
    monotonicNow: now,
    advance(ms) {
      if (!(ms >= 0)) throw new RangeError(`advance() takes milliseconds from 0; received ${ms}.`);
      nowMs += ms;
    },
  };
}
