import { Observable, type Subscriber } from "rxjs";

/** A source of values whose subscribers are counted, and which a spec waits for. */
export class Source<T> {
  readonly #subscribers = new Set<Subscriber<T>>();
  #changed: () => void = () => undefined;

  readonly values$ = new Observable<T>((subscriber) => {
    this.#subscribers.add(subscriber);
    this.#changed();
    return () => {
      this.#subscribers.delete(subscriber);
      this.#changed();
    };
  });

  get count(): number {
    return this.#subscribers.size;
  }

  next(value: T): void {
    for (const subscriber of this.#subscribers) subscriber.next(value);
  }

  error(error: unknown): void {
    for (const subscriber of this.#subscribers) subscriber.error(error);
  }

  complete(): void {
    for (const subscriber of this.#subscribers) subscriber.complete();
  }

  /** Resolves when there are this many subscribers. */
  async has(count: number): Promise<void> {
    while (this.count !== count) await new Promise<void>((resolve) => (this.#changed = resolve));
  }
}
