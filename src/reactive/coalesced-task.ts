/**
 * How many runs in a row may be microtasks. A task that schedules itself without end would otherwise let no timer
 * fire.
 */
const MICROTASKS_IN_A_ROW = 256;

/** Runs a function once after the present turn, however often it is scheduled meanwhile. */
export class CoalescedTask {
  readonly #run: () => void;
  #asked: object | undefined;
  #runs = 0;
  #dueMs = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(run: () => void) {
    this.#run = run;
  }

  get pending(): boolean {
    return this.#asked !== undefined;
  }

  /** @param delayMs - 0 for a microtask */
  schedule(delayMs = 0): void {
    if (this.#asked !== undefined) return;
    const asked = (this.#asked = {});
    const run = (): void => {
      // The task was cancelled or rescheduled meanwhile.
      if (this.#asked !== asked) return;
      this.#asked = undefined;
      this.#run();
    };
    // A promise rather than queueMicrotask, because fake timers hold that back.
    if (delayMs === 0 && ++this.#runs % MICROTASKS_IN_A_ROW !== 0) {
      this.#dueMs = 0;
      void Promise.resolve().then(run);
    } else {
      this.#dueMs = performance.now() + delayMs;
      this.#timer = setTimeout(run, delayMs);
    }
  }

  /** Runs a pending task after `delayMs` at the latest. */
  reschedule(delayMs: number): void {
    if (!this.pending || performance.now() + delayMs >= this.#dueMs) return;
    this.cancel();
    this.schedule(delayMs);
  }

  cancel(): void {
    this.#asked = undefined;
    clearTimeout(this.#timer);
  }
}
