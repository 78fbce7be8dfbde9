export interface LoopWork {
  /** Brings texts and tables up to date. */
  readonly refresh: () => void;
  /** Draws what moves. */
  readonly draw: () => void;
  /** Returns after how many milliseconds the diagram has moved by a pixel; `undefined` while time stands still. */
  readonly pixelMs: () => number | undefined;
  /** Returns the least time between two refreshes that frames ask for. */
  readonly refreshMs: () => number;
}

/**
 * Does the work of the view in animation frames: texts a few times a second however many messages come, the
 * canvas when it has moved by a pixel, and nothing at all while nothing changes.
 */
export class Loop {
  readonly #work: LoopWork;
  #request = 0;
  #stale = false;
  #urgent = false;
  #refreshed = -Infinity;
  #drawn = -Infinity;
  #destroyed = false;

  constructor(work: LoopWork) {
    this.#work = work;
  }

  /** Asks for a refresh: in the next animation frame if the user waits for it. */
  invalidate(urgent: boolean): void {
    this.#stale = true;
    this.#urgent ||= urgent;
    this.#schedule();
  }

  destroy(): void {
    this.#destroyed = true;
    cancelAnimationFrame(this.#request);
  }

  #schedule(): void {
    if (this.#request === 0 && !this.#destroyed) this.#request = requestAnimationFrame(this.#run);
  }

  readonly #run = (now: number): void => {
    this.#request = 0;
    const { refresh, draw, pixelMs, refreshMs } = this.#work;
    const due = this.#stale && (this.#urgent || now - this.#refreshed >= refreshMs());
    if (due) {
      this.#stale = this.#urgent = false;
      this.#refreshed = now;
      refresh();
    }
    const pixel = pixelMs();
    if (due || (pixel !== undefined && now - this.#drawn >= pixel)) {
      this.#drawn = now;
      draw();
    }
    if (this.#stale || pixel !== undefined) this.#schedule();
  };
}
