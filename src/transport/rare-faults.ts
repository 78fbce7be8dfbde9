import { report, type LinkedBus } from "./served-bus.js";

/** One error is reported at most this often, in milliseconds, because a fault of the network concerns each message. */
const EVERY_MS = 60_000;

/** Reports errors that no promise carries on the `faults$` of a bus, at most one a minute. */
export class RareFaults {
  readonly #bus: LinkedBus;
  #reportedMs = -Infinity;

  constructor(bus: LinkedBus) {
    this.#bus = bus;
  }

  report(source: () => string, error: unknown): void {
    const now = performance.now();
    if (now - this.#reportedMs < EVERY_MS) return;
    this.#reportedMs = now;
    report(this.#bus, { source: source(), error });
  }
}
