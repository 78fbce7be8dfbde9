import { Observable, Subscriber, type Observer } from "rxjs";
import { isThenable } from "./thenable.js";

/** Receives the error of a subscriber, and the value that the subscriber failed on. */
export type Report = (error: unknown, value?: unknown) => void;

/**
 * Returns the read side of a stream of a bus. It reports what a subscriber throws, rejects with, or receives
 * as an error without an error callback, so that a failing subscriber neither ends the process nor reaches
 * the sender. Streams that are piped from it are guarded, too.
 */
export function catchObserverErrors<T>(source: Observable<T>, report: Report): Observable<T> {
  return new GuardedObservable(source, report);
}

// RxJS offers no other way to see what a subscriber throws. Only public methods are overridden.
// eslint-disable-next-line rxjs-x/no-subclass
class GuardedObservable<T> extends Observable<T> {
  readonly #report: Report;

  constructor(source: Observable<T>, report: Report) {
    super((subscriber) => source.subscribe(subscriber));
    this.#report = report;
  }

  override subscribe(...args: unknown[]): ReturnType<Observable<T>["subscribe"]> {
    const [next, error, complete] = args;
    // An operator subscribes with a Subscriber of its own and passes errors on.
    if (next instanceof Subscriber) return super.subscribe(next);
    const observer = typeof next === "object" && next !== null ? next : { next, error, complete };
    return super.subscribe(new GuardedObserver<T>(observer, this.#report));
  }

  override pipe(...operators: unknown[]): Observable<never> {
    const piped = (super.pipe as (...operators: unknown[]) => Observable<never>)(...operators);
    return operators.length === 0 ? piped : catchObserverErrors(piped, this.#report);
  }
}

class GuardedObserver<T> implements Observer<T> {
  readonly #observer: Partial<Observer<T>>;
  readonly #report: Report;

  constructor(observer: Partial<Observer<T>>, report: Report) {
    this.#observer = observer;
    this.#report = report;
  }

  next(value: T): void {
    try {
      const result: unknown = this.#observer.next?.(value);
      if (isThenable(result)) result.then(undefined, (error: unknown) => this.#report(error, value));
    } catch (error) {
      this.#report(error, value);
    }
  }

  error(error: unknown): void {
    try {
      if (this.#observer.error == null) this.#report(error);
      else this.#observer.error(error);
    } catch (error) {
      this.#report(error);
    }
  }

  complete(): void {
    try {
      this.#observer.complete?.();
    } catch (error) {
      this.#report(error);
    }
  }
}
