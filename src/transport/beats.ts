import { LONGEST_TIMEOUT_MS } from "../core/util/timers.js";

/** A call in progress, on either side. */
export interface Beating {
  /** Called at each beat: gives a sign of life, or gives up when the other side has given none for too long. */
  beat(): void;
}

/** Silence is counted in beats and not in time, because a process that was stopped has heard nothing while it was. */
export const DEAD_AFTER_BEATS = 3;

/** The one timer of a link, because a timer for each call would cost more than the call. */
export class Beats {
  readonly #heartbeatMs: number;
  readonly #calls = new Set<Beating>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(heartbeatMs: number) {
    // An interval that is too long would fire each millisecond.
    this.#heartbeatMs = Math.min(heartbeatMs, LONGEST_TIMEOUT_MS);
  }

  add(call: Beating): void {
    this.#calls.add(call);
    this.#timer ??= setInterval(() => {
      // The beat of one call may end another.
      for (const each of [...this.#calls]) if (this.#calls.has(each)) each.beat();
    }, this.#heartbeatMs);
  }

  delete(call: Beating): void {
    this.#calls.delete(call);
    if (this.#calls.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
