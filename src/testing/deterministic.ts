import type { Clock } from "../core/util/clock.js";

/**
 * Ids that are counted up, for buses whose ids a test wants to know.
 *
 * @example
 * const bus = new CommandBus({ ids: sequentialIds("c") }); // c1, c2, c3, ...
 */
export function sequentialIds(prefix = ""): () => string {
  let last = 0;
  return () => `${prefix}${++last}`;
}

/** A clock that stands still until it is told to go on. */
export interface ManualClock extends Required<Clock> {
  /** Lets time pass. @throws RangeError for a negative time. */
  advance(ms: number): void;
}

/**
 * A clock for buses whose times and durations a test wants to know. It fires no timers: those are for fake timers.
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
