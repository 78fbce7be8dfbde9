import { Subject, type Observable } from "rxjs";
import type { Envelope } from "./envelope.js";
import { complain, guard } from "./guard.js";
import type { Fault, Outcome } from "./outcome.js";

/**
 * How deep dispatches are nested right now, over all buses: they run inside each other like function calls.
 * An observer runs at the depth of what it observes, so that one that dispatches for ever gets deeper, too.
 */
export const nesting = { depth: 0 };

/**
 * The observable side of a bus.
 *
 * All streams of a bus share one queue: a notification made while another is being delivered waits for it, so that every subscriber sees the
 * same order, cause before effect, also when a subscriber dispatches. A bare Subject would show later subscribers the effect first.
 */
export class Observers {
  readonly #name: string;
  readonly #messages = new Subject<Envelope>();
  readonly #outcomes = new Subject<Outcome>();
  readonly #faults = new Subject<Fault>();
  readonly #queue: { deliver: () => void; depth: number }[] = [];
  #delivering = false;

  readonly messages$: Observable<Envelope>;
  readonly outcomes$: Observable<Outcome>;
  readonly faults$: Observable<Fault>;

  constructor(name: string) {
    this.#name = name;
    const guarded = <T>(subject: Subject<T>, stream: string): Observable<T> =>
      guard(subject, (error) => this.#failed(stream, error));
    this.messages$ = guarded(this.#messages, "messages$");
    this.outcomes$ = guarded(this.#outcomes, "outcomes$");
    // A failing observer of faults$ cannot be told on faults$.
    this.faults$ = guard(this.#faults, (error) => complain(this.#name, error));
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
    for (const subject of [this.#messages, this.#outcomes, this.#faults]) subject.complete();
  }

  #failed(stream: string, error: unknown): void {
    this.report({ kind: "observer", source: stream, error });
  }

  #deliver<T>(to: Subject<T>, value: T): void {
    const depth = nesting.depth;
    if (this.#delivering) {
      this.#queue.push({ deliver: () => this.#next(to, value), depth });
      return;
    }
    this.#delivering = true;
    try {
      this.#next(to, value);
      // Not shift(): this may be as long as the dispatches that one observer makes.
      for (let index = 0; index < this.#queue.length; index++) {
        const next = this.#queue[index]!;
        nesting.depth = next.depth;
        next.deliver();
      }
    } finally {
      if (this.#queue.length > 0) this.#queue.length = 0;
      nesting.depth = depth;
      this.#delivering = false;
    }
  }

  #next<T>(to: Subject<T>, value: T): void {
    try {
      to.next(value);
    } catch (error) {
      // Only a Subscriber of the user's own making can throw here; RxJS catches what functions and observers throw.
      if ((to as unknown) === this.#faults) complain(this.#name, error);
      else this.#failed("a Subscriber", error);
    }
  }
}
