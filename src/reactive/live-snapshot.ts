/**
 * The state of a live query at this moment: for renderers that read instead of subscribing. With "error", `value`
 * is the last result before the failure, if there was one.
 */
export type LiveSnapshot<R> =
  | { readonly status: "pending"; readonly value?: undefined; readonly error?: undefined }
  | { readonly status: "value"; readonly value: R; readonly error?: undefined }
  | { readonly status: "error"; readonly value?: R | undefined; readonly error: unknown };

const PENDING: LiveSnapshot<never> = Object.freeze({ status: "pending" });

/** Keeps the snapshot of one live query: the same object until something that its watchers would see has changed. */
export class SnapshotState {
  #current: LiveSnapshot<unknown> = PENDING;
  #shown: unknown;

  get current(): LiveSnapshot<unknown> {
    return this.#current;
  }

  /** @param result - identifies the result, because another subscriber may show one that is in the snapshot already */
  show(value: unknown, result: unknown): void {
    if (this.#shown === result) return;
    this.#shown = result;
    this.#current = Object.freeze({ status: "value", value });
  }

  fail(error: unknown): void {
    this.#shown = undefined;
    const { status, value } = this.#current;
    this.#current = Object.freeze(
      status === "pending" ? { status: "error", error } : { status: "error", error, value },
    );
  }
}
