import { LONGEST_TIMEOUT_MS } from "./timers.js";

/** Keys that expire the same time after they were added, unless they are deleted before. One timer for all of them. */
export class Deadlines<K> {
  /** In order of the deadlines, because the time is the same for all. */
  readonly #deadlinesMs = new Map<K, number>();
  readonly #timeoutMs: number;
  readonly #expired: (key: K) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param expired - deletes the key, or leads to that */
  constructor(timeoutMs: number, expired: (key: K) => void) {
    this.#timeoutMs = timeoutMs;
    this.#expired = expired;
  }

  add(key: K): void {
    this.#deadlinesMs.set(key, performance.now() + this.#timeoutMs);
  }

  delete(key: K): void {
    if (this.#deadlinesMs.delete(key) && this.#deadlinesMs.size === 0) this.disarm();
  }

  get keys(): readonly K[] {
    return [...this.#deadlinesMs.keys()];
  }

  /** Starts the timer. Not done by {@link add}, because most keys are deleted before anything waits. */
  arm(): void {
    if (this.#timer !== undefined || this.#timeoutMs >= LONGEST_TIMEOUT_MS) return;
    for (const deadlineMs of this.#deadlinesMs.values()) {
      this.#timer = setTimeout(() => this.#expire(), Math.max(0, deadlineMs - performance.now()));
      // A process with nothing else to do may exit.
      (this.#timer as { unref?(): void }).unref?.();
      return;
    }
  }

  disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [key, deadlineMs] of [...this.#deadlinesMs]) {
      if (deadlineMs > nowMs) break;
      // The expiry of another key may have removed this one.
      if (this.#deadlinesMs.has(key)) this.#expired(key);
    }
    this.arm();
  }
}
