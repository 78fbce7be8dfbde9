import { Observable, type Subscriber } from "rxjs";
import { guard, type Report } from "./guard.js";

/**
 * A lean Subject whose writing side never leaves its owner. It copies the list of subscribers when one comes or goes, and not when it has something
 * to tell; and its reading side is guarded, so that what a subscriber does concerns nobody else.
 */
export class Broadcast<T> {
  #subscribers: readonly Subscriber<T>[] = [];
  #completed = false;
  /** A field, because it is looked at for each message. */
  observed = false;
  readonly #report: Report;
  readonly stream: Observable<T>;

  constructor(report: Report) {
    this.#report = report;
    this.stream = guard(
      new Observable((subscriber) => {
        if (this.#completed) return subscriber.complete();
        this.#become([...this.#subscribers, subscriber]);
        return () => this.#become(this.#subscribers.filter((other) => other !== subscriber));
      }),
      report,
    );
  }

  #become(subscribers: readonly Subscriber<T>[]): void {
    this.#subscribers = subscribers;
    this.observed = subscribers.length > 0;
  }

  next(value: T): void {
    const subscribers = this.#subscribers;
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
    for (const subscriber of this.#subscribers) subscriber.complete();
  }
}
