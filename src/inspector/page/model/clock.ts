/** A jump of the recorder's clock beyond this is followed at once. */
const JUMP_MS = 2_000;

/**
 * The recorder's time between its frames. A frame that was delayed on its way does not move time back: the offset
 * is that of the fastest frame.
 */
export class Clock {
  #offset: number | undefined;
  #stopped: number | undefined;

  /** @param time time of a frame; @param now the time of `performance.now()` at its arrival */
  sync(time: number, now: number): void {
    const offset = time - now;
    if (this.#offset === undefined || offset > this.#offset || this.#offset - offset > JUMP_MS) {
      this.#offset = offset;
    }
    this.#stopped = undefined;
  }

  /** Stops time, because the connection was lost or the source is a recording. */
  stop(time: number): void {
    this.#stopped = time;
    this.#offset = undefined;
  }

  now(now: number): number {
    return this.#stopped ?? now + (this.#offset ?? 0);
  }
}
