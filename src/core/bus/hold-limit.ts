import type { LiveDelivery } from "../delivery/live-delivery.js";
import { LONGEST_TIMEOUT_MS } from "../util/timers.js";

/** The deliveries that a stream handler has received and not settled, each with a deadline; one timer for all of them. */
export class HoldLimit {
  /** In order of the deadlines, because the time is the same for all. */
  readonly #deadlinesMs = new Map<LiveDelivery, number>();
  readonly #timeoutMs: number;
  readonly #expired: (delivery: LiveDelivery) => void;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(timeoutMs: number, expired: (delivery: LiveDelivery) => void) {
    this.#timeoutMs = timeoutMs;
    this.#expired = expired;
  }

  /** Holds a delivery until it is settled. */
  hold(delivery: LiveDelivery): void {
    this.#deadlinesMs.set(
      delivery,
      this.#timeoutMs >= LONGEST_TIMEOUT_MS ? Infinity : performance.now() + this.#timeoutMs,
    );
    delivery.whenSettled(() => {
      this.#deadlinesMs.delete(delivery);
      if (this.#deadlinesMs.size === 0) this.#disarm();
    });
  }

  /** Starts the timer, once the handler has had its synchronous chance. */
  arm(): void {
    if (this.#timer !== undefined || this.#timeoutMs >= LONGEST_TIMEOUT_MS) return;
    for (const deadlineMs of this.#deadlinesMs.values()) {
      this.#timer = setTimeout(() => this.#expire(), Math.max(0, deadlineMs - performance.now()));
      // A process with nothing else to do may exit.
      (this.#timer as { unref?(): void }).unref?.();
      return;
    }
  }

  /** Ends the timer, and returns what is left. */
  end(): readonly LiveDelivery[] {
    this.#disarm();
    return [...this.#deadlinesMs.keys()];
  }

  #disarm(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMs = performance.now();
    for (const [delivery, deadlineMs] of [...this.#deadlinesMs]) {
      if (deadlineMs > nowMs) break;
      this.#expired(delivery);
    }
    this.arm();
  }
}
