import { Observable, Subscriber, type Observer } from "rxjs";
import { isThenable } from "./thenable.js";

/** Takes what a subscriber failed with, and the value it failed on if it was given one. */
export type Report = (error: unknown, value?: unknown) => void;

/**
 * The read side of a stream that belongs to a bus, with its subscribers' failures caught: what one throws, rejects with, or receives as an
 * error without having a handler for it, is reported, and neither ends the process nor reaches the sender. What is piped from it is guarded, too.
 */
export function guard<T>(source: Observable<T>, report: Report): Observable<T> {
  return new GuardedObservable(source, report);
}

// The public methods that subscribers reach are overridden, nothing internal: RxJS offers no other way to see what a subscriber throws.
// eslint-disable-next-line rxjs-x/no-subclass
class GuardedObservable<T> extends Observable<T> {
  readonly #report: Report;

  constructor(source: Observable<T>, report: Report) {
    super((subscriber) => source.subscribe(subscriber));
    this.#report = report;
  }

  override subscribe(...args: unknown[]): ReturnType<Observable<T>["subscribe"]> {
    const [first, error, complete] = args;
    // Operators subscribe with a Subscriber of their own, and pass errors on.
    if (first instanceof Subscriber) return super.subscribe(first);
    const observer = (
      typeof first === "object" && first !== null ? first : { next: first, error, complete }
    ) as Partial<Observer<T>>;
    const report = this.#report;
    return super.subscribe({
      next(value) {
        try {
          const result: unknown = observer.next?.(value);
          if (isThenable(result)) result.then(undefined, (error: unknown) => report(error, value));
        } catch (error) {
          report(error, value);
        }
      },
      error(error: unknown) {
        try {
          if (observer.error == null) report(error);
          else observer.error(error);
        } catch (error) {
          report(error);
        }
      },
      complete() {
        try {
          observer.complete?.();
        } catch (error) {
          report(error);
        }
      },
    });
  }

  override pipe(...operators: unknown[]): Observable<never> {
    const piped = (super.pipe as (...operators: unknown[]) => Observable<never>)(...operators);
    return operators.length === 0 ? piped : guard(piped, this.#report);
  }
}

let complainedAt = -Infinity;

/** The last resort for errors that nobody listens to: on the console, at most once a second. */
export function complain(bus: string, error: unknown): void {
  const now = performance.now();
  if (now - complainedAt < 1_000) return;
  complainedAt = now;
  // eslint-disable-next-line no-console -- nobody else is left to be told
  console.error(
    `${bus}: an error that no promise carries; subscribe to faults$ to handle such errors.`,
    error,
  );
}
