/**
 * Decides which marbles are drawn: the first of each slot and track. Slots are slots of absolute time, so that
 * the choice does not change while the diagram moves. Marbles must be offered in the order of their times.
 */
export class Thinning {
  readonly #slotMs: number;
  readonly #last: number[] = [];

  constructor(slotMs: number) {
    this.#slotMs = slotMs;
  }

  admits(track: number, time: number): boolean {
    const slot = Math.floor(time / this.#slotMs);
    if (this.#last[track] === slot) return false;
    this.#last[track] = slot;
    return true;
  }
}
