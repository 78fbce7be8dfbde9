/** A promise and the means to settle it. */
export interface Deferred<T> {
  readonly promise: Promise<T>;
  readonly resolve: (value: T) => void;
  readonly reject: (reason: unknown) => void;
}

export function deferred<T = void>(): Deferred<T> {
  let resolve!: (value: T) => void;
  let reject!: (reason: unknown) => void;
  const promise = new Promise<T>((fulfil, fail) => {
    resolve = fulfil;
    reject = fail;
  });
  return { promise, resolve, reject };
}

/** The state of a promise, read without awaiting it; a rejection counts as handled. */
export interface Watched<T = unknown> {
  status: "pending" | "fulfilled" | "rejected";
  settlements: number;
  value?: T;
  reason?: unknown;
}

export function watch<T>(promise: Promise<T>): Watched<T> {
  const watched: Watched<T> = { status: "pending", settlements: 0 };
  promise.then(
    (value) => Object.assign(watched, { status: "fulfilled", value, settlements: watched.settlements + 1 }),
    (reason: unknown) =>
      Object.assign(watched, { status: "rejected", reason, settlements: watched.settlements + 1 }),
  );
  return watched;
}

/** Lets every promise go on that can, without letting a timer fire. */
export async function microtasks(turns = 30): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await Promise.resolve();
}

/** The reason of a rejection; fails the test if the promise fulfils. */
export async function reasonOf(promise: Promise<unknown>): Promise<unknown> {
  try {
    await promise;
  } catch (reason) {
    return reason;
  }
  throw new Error("The promise was fulfilled.");
}
