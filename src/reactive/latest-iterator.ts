import { Subscription, type Observable } from "rxjs";

interface Reader<T> {
  readonly resolve: (result: IteratorResult<T>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Iterates over an Observable and keeps only the latest unread value: a slow reader skips values, and memory
 * stays flat. Subscribes at the first `next()`; `break`, `return()`, the end and an error unsubscribe.
 */
export function iterateLatest<T>(source$: Observable<T>): AsyncIterableIterator<T> {
  const readers: Reader<T>[] = [];
  /** Made first, because the source may call `next()` or `return()` while it is being subscribed. */
  const subscription = new Subscription();
  let started = false;
  let unread: { readonly value: T } | undefined;
  /** The error of the source, until one reader has received it. */
  let failure: { readonly error: unknown } | undefined;
  let ended = false;

  const serve = (): void => {
    while (readers.length > 0 && (unread !== undefined || ended)) {
      const { resolve, reject } = readers.shift()!;
      if (unread !== undefined) {
        resolve({ done: false, value: unread.value });
        unread = undefined;
      } else if (failure !== undefined) {
        reject(failure.error);
        failure = undefined;
      } else resolve({ done: true, value: undefined });
    }
  };
  const end = (how?: { readonly error: unknown }): void => {
    if (ended) return;
    ended = true;
    failure = how;
    serve();
  };
  const start = (): void => {
    started = true;
    subscription.add(
      source$.subscribe({
        next(value) {
          unread = { value };
          serve();
        },
        error: (error: unknown) => end({ error }),
        complete: () => end(),
      }),
    );
  };

  return {
    next: () =>
      new Promise((resolve, reject) => {
        readers.push({ resolve, reject });
        if (!started && !ended) start();
        serve();
      }),
    return() {
      unread = undefined;
      // End first. If the teardown ran first, an end that it causes would look like an error.
      end();
      subscription.unsubscribe();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
