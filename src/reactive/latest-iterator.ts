import type { Observable, Subscription } from "rxjs";

/**
 * Iterates over an Observable and keeps only the latest unread value: a slow reader skips values, and memory
 * stays flat. Subscribes at the first `next()`; `break`, `return()`, the end and an error unsubscribe.
 */
export function iterateLatest<T>(source$: Observable<T>): AsyncIterableIterator<T> {
  let subscription: Subscription | undefined;
  let unread: { readonly value: T } | undefined;
  /** Set at the end, with the error if there was one. */
  let ended: { readonly error?: unknown } | undefined;
  let readers: { resolve(result: IteratorResult<T>): void; reject(error: unknown): void }[] = [];

  const end = (how: { readonly error?: unknown }): void => {
    if (ended !== undefined) return;
    ended = how;
    const waiting = readers;
    readers = [];
    for (const [index, reader] of waiting.entries()) {
      // The error is thrown once.
      if (index === 0 && "error" in how) reader.reject(takeError());
      else reader.resolve({ done: true, value: undefined });
    }
  };
  const takeError = (): unknown => {
    const { error } = ended!;
    ended = {};
    return error;
  };
  const start = (): void => {
    subscription ??= source$.subscribe({
      next(value) {
        const reader = readers.shift();
        if (reader === undefined) unread = { value };
        else reader.resolve({ done: false, value });
      },
      error: (error: unknown) => end({ error }),
      complete: () => end({}),
    });
  };

  return {
    next() {
      if (ended === undefined) start();
      if (unread !== undefined) {
        const { value } = unread;
        unread = undefined;
        return Promise.resolve({ done: false, value });
      }
      if (ended !== undefined) {
        if ("error" in ended) return Promise.reject(takeError());
        return Promise.resolve({ done: true, value: undefined });
      }
      return new Promise((resolve, reject) => readers.push({ resolve, reject }));
    },
    return() {
      unread = undefined;
      // End first. If the teardown ran first, an end that it causes would look like an error.
      end({});
      subscription?.unsubscribe();
      return Promise.resolve({ done: true, value: undefined });
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
