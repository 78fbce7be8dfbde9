/** Returns true for promises, also for those of other libraries. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === "object" && value !== null) || typeof value === "function") &&
    typeof (value as PromiseLike<unknown>).then === "function"
  );
}

/** Ignores the rejection of a promise that was refused, because an unhandled rejection would end the process. */
export function ignored(value: unknown): void {
  if (isThenable(value)) asPromise(value).then(undefined, () => undefined);
}

/**
 * Returns a promise that settles once and whose `then` does not throw, because a thenable of another library
 * promises neither.
 */
export function asPromise(thenable: PromiseLike<unknown>): Promise<unknown> {
  return thenable instanceof Promise ? (thenable as Promise<unknown>) : Promise.resolve(thenable);
}
