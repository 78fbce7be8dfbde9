import { Observable, type Subscriber } from "rxjs";
import { catchObserverErrors, type Report } from "../util/guarded-observable.js";

/**
 * A lean Subject whose writing side never leaves its owner, and whose reading side is guarded: what a subscriber does concerns nobody else.
 */
export class Broadcast<T> {
  readonly #subscribers: Subscriber<T>[] = [];
  /** What is told iterates a copy, because subscribers come and go meanwhile; the copy is good until one does. */
  #copy: readonly Subscriber<T>[] | undefined;
  #completed = false;
  readonly #report: Report;
  readonly stream: Observable<T>;
  /** A field, because it is looked at for each message. */
  observed = false;

  constructor(report: Report) {
    this.#report = report;
    this.stream = catchObserverErrors(
      new Observable((subscriber) => {
        if (this.#completed) return subscriber.complete();
        this.#subscribers.push(subscriber);
        this.#changed();
        return () => {
          this.#subscribers.splice(this.#subscribers.indexOf(subscriber), 1);
          this.#changed();
        };
      }),
      report,
    );
  }

  #changed(): void {
    this.#copy = undefined;
    this.observed = this.#subscribers.length > 0;
  }

  next(value: T): void {
    const subscribers = (this.#copy ??= [...this.#subscribers]);
    for (let index = 0; index < subscribers.length; index++) {
      try {
        subscribers[index]!.next(value);
      } catch (error) {
        // Only a Subscriber of the user's own making can throw here; what functions and observers throw is caught before.
        this.#report(error, value);
      }
    }
  }

  complete(): void {
    this.#completed = true;
    for (const subscriber of [...this.#subscribers]) {
      try {
        subscriber.complete();
      } catch (error) {
        // A teardown that throws.
        this.#report(error);
      }
    }
  }
}
