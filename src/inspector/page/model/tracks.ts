/**
 * Assigns messages to the tracks of a lane: the first track that is free at their time, or else the one that is
 * free soonest. A message keeps its track, so that marbles do not jump while time goes on.
 */
export class Tracks {
  readonly #free: number[];
  readonly #gapMs: number;

  /** @param gapMs room that a marble takes, also if its message settled at once */
  constructor(count: number, gapMs: number) {
    this.#free = new Array<number>(count).fill(-Infinity);
    this.#gapMs = gapMs;
  }

  place(time: number, end: number): number {
    let track = 0;
    for (let each = 0; each < this.#free.length; each++) {
      if (this.#free[each]! <= time) {
        track = each;
        break;
      }
      if (this.#free[each]! < this.#free[track]!) track = each;
    }
    this.#free[track] = Math.max(end, time) + this.#gapMs;
    return track;
  }

  /** Frees the track of a message that was placed while open. */
  settle(track: number, end: number): void {
    if (this.#free[track] === Infinity) this.#free[track] = end + this.#gapMs;
  }
}
