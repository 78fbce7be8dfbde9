import { Broadcast } from "../util/broadcast.js";
import { monotonicNow } from "../util/clock.js";
import { reportUnhandled } from "../util/report-unhandled.js";
import type { Envelope } from "../messages/envelope.js";
import { wasCancelledWith } from "../delivery/cancellation.js";
import { dispatchDepth } from "../delivery/dispatch-depth.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import type { Fault, Outcome, Refusal } from "../delivery/outcome.js";
import { FULFILLED } from "../delivery/settlement.js";

interface Notification {
  readonly to: Broadcast<unknown>;
  readonly value: unknown;
  readonly depth: number;
}

/**
 * The streams that a bus shows to observers.
 *
 * All of them share one queue: a value emitted while another is being delivered waits for it, so that every
 * subscriber sees the same order, cause before effect, also when a subscriber dispatches. A bare Subject would
 * show later subscribers the effect first.
 */
export class Observers {
  readonly #name: string;
  readonly messages: Broadcast<Envelope>;
  readonly outcomes: Broadcast<Outcome>;
  readonly faults: Broadcast<Fault>;
  readonly refused: Broadcast<Refusal>;
  readonly #queue: Notification[] = [];
  #delivering = false;

  constructor(name: string) {
    this.#name = name;
    const observer = (source: string) => (error: unknown) => this.report({ kind: "observer", source, error });
    this.messages = new Broadcast(observer("messages$"));
    this.outcomes = new Broadcast(observer("outcomes$"));
    this.refused = new Broadcast(observer("refused$"));
    // An observer of faults$ that fails cannot be reported on faults$.
    this.faults = new Broadcast((error) => reportUnhandled(name, error));
  }

  /** Starts the time of an accepted message and shows the message, if either stream has an observer. */
  accepted(delivery: LiveDelivery): void {
    try {
      delivery.startedMs = monotonicNow(delivery.host.clock);
    } catch (error) {
      this.#clockFailed(error);
    }
    if (this.messages.observed) this.deliver(this.messages, delivery.envelope);
  }

  /** Shows the outcome of a message. */
  settled(delivery: LiveDelivery): void {
    const { envelope, status, result, attempts } = delivery;
    let durationMs = NaN;
    try {
      durationMs = delivery.elapsedMs();
    } catch (error) {
      this.#clockFailed(error);
    }
    const depth = dispatchDepth.current;
    // A message that an observer dispatches is one deeper than the observed one, however long that took.
    dispatchDepth.current = Math.max(depth, delivery.depth);
    this.deliver<Outcome>(
      this.outcomes,
      status === FULFILLED
        ? { status: "fulfilled", value: result, envelope, durationMs, attempts }
        : {
            status: "rejected",
            reason: result,
            cancelled: wasCancelledWith(delivery, result),
            envelope,
            durationMs,
            attempts,
          },
    );
    dispatchDepth.current = depth;
  }

  /** Not reportingErrors(), because every message would pay for its closure. */
  #clockFailed(error: unknown): void {
    this.report({ kind: "observer", source: `clock of ${this.#name}`, error });
  }

  report(fault: Fault): void {
    if (this.faults.observed) this.deliver(this.faults, fault);
    if (!this.faults.handled && fault.error !== undefined) reportUnhandled(this.#name, fault.error);
  }

  complete(): void {
    for (const stream of [this.messages, this.outcomes, this.refused, this.faults]) stream.complete();
  }

  deliver<T>(to: Broadcast<T>, value: T): void {
    const depth = dispatchDepth.current;
    if (this.#delivering) {
      this.#queue.push({ to, value, depth });
      return;
    }
    this.#delivering = true;
    try {
      to.next(value);
      // Not shift(), which takes linear time: an observer may dispatch many messages.
      for (let index = 0; index < this.#queue.length; index++) {
        const next = this.#queue[index]!;
        dispatchDepth.current = next.depth;
        next.to.next(next.value);
      }
    } finally {
      if (this.#queue.length > 0) this.#queue.length = 0;
      dispatchDepth.current = depth;
      this.#delivering = false;
    }
  }
}
