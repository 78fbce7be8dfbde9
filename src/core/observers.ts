import type { Observable } from "rxjs";
import { Broadcast } from "./broadcast.js";
import { complain } from "./complain.js";
import type { Envelope } from "./envelope.js";
import { nesting } from "./nesting.js";
import type { Fault, Outcome } from "./outcome.js";

interface Notification {
  readonly to: Broadcast<unknown>;
  readonly value: unknown;
  readonly depth: number;
}

/**
 * The observable side of a bus.
 *
 * All streams of a bus share one queue: a notification made while another is being delivered waits for it, so that every subscriber sees the
 * same order, cause before effect, also when a subscriber dispatches. A bare Subject would show later subscribers the effect first.
 */
export class Observers {
  readonly #name: string;
  readonly #messages: Broadcast<Envelope>;
  readonly #outcomes: Broadcast<Outcome>;
  readonly #faults: Broadcast<Fault>;
  readonly #queue: Notification[] = [];
  #delivering = false;

  constructor(name: string) {
    this.#name = name;
    const observer = (source: string) => (error: unknown) => this.report({ kind: "observer", source, error });
    this.#messages = new Broadcast(observer("messages$"));
    this.#outcomes = new Broadcast(observer("outcomes$"));
    // A failing observer of faults$ cannot be told on faults$.
    this.#faults = new Broadcast((error) => complain(name, error));
  }

  get messages$(): Observable<Envelope> {
    return this.#messages.stream;
  }

  get outcomes$(): Observable<Outcome> {
    return this.#outcomes.stream;
  }

  get faults$(): Observable<Fault> {
    return this.#faults.stream;
  }

  /** Whether the time of a message matters. */
  get watching(): boolean {
    return this.#messages.observed || this.#outcomes.observed;
  }

  get watchingMessages(): boolean {
    return this.#messages.observed;
  }

  get watchingOutcomes(): boolean {
    return this.#outcomes.observed;
  }

  message(envelope: Envelope): void {
    this.#deliver(this.#messages, envelope);
  }

  outcome(outcome: Outcome): void {
    this.#deliver(this.#outcomes, outcome);
  }

  report(fault: Fault): void {
    if (this.#faults.observed) this.#deliver(this.#faults, fault);
    else if (fault.error !== undefined) complain(this.#name, fault.error);
  }

  complete(): void {
    for (const stream of [this.#messages, this.#outcomes, this.#faults]) stream.complete();
  }

  #deliver<T>(to: Broadcast<T>, value: T): void {
    const { depth } = nesting;
    if (this.#delivering) {
      this.#queue.push({ to: to, value, depth });
      return;
    }
    this.#delivering = true;
    to.next(value);
    // Not shift(): this may be as long as the dispatches that one observer makes.
    for (let index = 0; index < this.#queue.length; index++) {
      const next = this.#queue[index]!;
      nesting.depth = next.depth;
      next.to.next(next.value);
    }
    if (this.#queue.length > 0) this.#queue.length = 0;
    nesting.depth = depth;
    this.#delivering = false;
  }
}
