import { Observable, type Subscriber, type Subscription } from "rxjs";
import { catchObserverErrors, type Report } from "./guarded-observable.js";

/**
 * A lean Subject whose writing side never leaves its owner, and whose reading side reports the errors of its
 * subscribers.
 */
export class Broadcast<T> {
  readonly #subscribers: Subscriber<T>[] = [];
  /** `next` iterates over a copy, because subscribers may come and go meanwhile. Renewed after one did. */
  #copy: readonly Subscriber<T>[] | undefined;
  #completed = false;
  readonly #report: Report;
  readonly stream: Observable<T>;
  #onlookers = 0;
  /** A field and not a getter, because each message reads it. */
  observed = false;

  constructor(report: Report) {
    this.#report = report;
    this.stream = catchObserverErrors(new Observable((subscriber) => this.#join(subscriber)), report);
  }

  /** Subscribes a function that only looks, such as an inspector's: errors still count as unhandled. */
  look(next: (value: T) => void): Subscription {
    // eslint-disable-next-line rxjs-x/no-ignored-error -- the streams of a bus never error
    const subscription = this.stream.subscribe(next);
    this.#onlookers++;
    subscription.add(() => this.#onlookers--);
    return subscription;
  }

  /** True if a subscriber handles the values, and does not only look. */
  get handled(): boolean {
    return this.#subscribers.length > this.#onlookers;
  }

  #join(subscriber: Subscriber<T>): (() => void) | void {
    if (this.#completed) return subscriber.complete();
    this.#subscribers.push(subscriber);
    this.#changed();
    return () => {
      this.#subscribers.splice(this.#subscribers.indexOf(subscriber), 1);
      this.#changed();
    };
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
        // Only a Subscriber that the user wrote can throw here; errors of functions and observers are caught before.
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
        // A teardown of the user threw.
        this.#report(error);
      }
    }
  }
}
