export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    typeof (value as PromiseLike<unknown>).then === "function"
  );
}

/** What a promise that is refused rejects with is not to end the process. */
export function ignored(value: unknown): void {
  if (isThenable(value)) asPromise(value).then(undefined, () => undefined);
}

/** As a promise that settles once and whose `then` does not throw: thenables of others promise neither. */
export function asPromise(thenable: PromiseLike<unknown>): Promise<unknown> {
  return thenable instanceof Promise ? (thenable as Promise<unknown>) : Promise.resolve(thenable);
}
