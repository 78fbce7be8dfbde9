/**
 * The state of a live query at this moment: for renderers that read instead of subscribing. With "error", `value`
 * is the last result before the failure, if there was one.
 */
export type LiveSnapshot<R> =
  | { readonly status: "pending"; readonly value?: undefined; readonly error?: undefined }
  | { readonly status: "value"; readonly value: R; readonly error?: undefined }
  | { readonly status: "error"; readonly value?: R | undefined; readonly error: unknown };

const PENDING: LiveSnapshot<never> = Object.freeze({ status: "pending" });

/** A result that watchers share. */
export interface SharedResult {
  readonly value: unknown;
  /** Equal results have one version; results of other queries have others. */
  readonly version: number;
}

/** Keeps the snapshot of one live query: the same object until something that its watchers would see has changed. */
export class SnapshotState {
  /** Made when it is read, because most live queries are subscribed to only, and freezing costs more than showing. */
  #current: LiveSnapshot<unknown> | undefined = PENDING;
  #value: unknown;
  /** Identifies the result, because another subscriber may show one that is in the snapshot already. */
  #shown: SharedResult | number | undefined;
  readonly #comparesContent: boolean;

  constructor(comparesContent: boolean) {
    this.#comparesContent = comparesContent;
  }

  get current(): LiveSnapshot<unknown> {
    return (this.#current ??= Object.freeze({ status: "value", value: this.#value }));
  }

  show(result: SharedResult): void {
    const shown = this.#comparesContent ? result.version : result;
    if (this.#shown === shown) return;
    this.#shown = shown;
    this.#value = result.value;
    this.#current = undefined;
  }

  fail(error: unknown): void {
    this.#shown = undefined;
    this.#current = Object.freeze({ status: "error", error, value: this.#value });
  }
}
