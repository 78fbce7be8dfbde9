/**
 * How many runs in a row may be microtasks. A task that schedules itself without end would otherwise let no timer fire.
 */
const MICROTASKS_IN_A_ROW = 256;

/** Runs a function once after the present turn, however often it is scheduled meanwhile. */
export class CoalescedTask {
  readonly #run: () => void;
  #asked: { readonly dueMs: number } | undefined;
  #runs = 0;
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
    const soon = delayMs === 0 && ++this.#runs % MICROTASKS_IN_A_ROW !== 0;
    const asked = (this.#asked = { dueMs: soon ? 0 : performance.now() + delayMs });
    const run = (): void => {
      // The task was cancelled or rescheduled meanwhile.
      if (this.#asked !== asked) return;
      this.#asked = undefined;
      this.#run();
    };
    // A promise rather than queueMicrotask, because fake timers hold that back.
    if (soon) void Promise.resolve().then(run);
    else this.#timer = setTimeout(run, delayMs);
  }

  /** Runs a pending task after `delayMs` at the latest. */
  reschedule(delayMs: number): void {
    if (this.#asked === undefined || performance.now() + delayMs >= this.#asked.dueMs) return;
    this.cancel();
    this.schedule(delayMs);
  }

  cancel(): void {
    this.#asked = undefined;
    clearTimeout(this.#timer);
  }
}
