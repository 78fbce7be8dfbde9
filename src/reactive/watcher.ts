import type { RefreshOptions } from "../core/handlers/handler.js";
import type { Observable, Subscriber } from "rxjs";
import { checkedHeaders, type Headers } from "../core/messages/envelope.js";
import type { CancelTarget } from "../core/delivery/abort.js";
import { asPromise, isThenable } from "../core/util/thenable.js";
import {
  aBoolean,
  aFunction,
  anObject,
  anObservable,
  aSignal,
  checkOptions,
  either,
  syncBoolean,
  timerMilliseconds,
  type Checks,
} from "../core/checks.js";
import type { SharedResult, SnapshotState } from "./live-snapshot.js";

export interface WatchOptions<R = unknown, Local extends object = object> {
  /** Asks the query again at each emission, in addition to the `refreshOn` of the handler's registration. */
  readonly refreshOn?: Observable<unknown>;
  /**
   * `true` skips a result that equals the previous one by content, `false` shows it; or a function that compares
   * two results. A handler that returns the same object, changed in place, needs `false`.
   * @defaultValue true
   */
  readonly distinct?: boolean | ((a: R, b: R) => boolean);
  /**
   * How long to gather refreshes before the query is asked once for all of them, in milliseconds; 0 gathers those
   * of the same turn. Watchers that share a query use the shortest of their times. @defaultValue 0
   */
  readonly coalesceMs?: number;
  /** Aborting it errors this watcher with its reason. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Called with each failure; the watcher stays, and the next refresh asks again. Without it, a failure errors the
   * watcher.
   */
  readonly onError?: (error: unknown) => void;
  /** Headers for the envelope of each run; watchers share runs only if their headers are equal. */
  readonly headers?: Headers | undefined;
  /** The local context of each run; watchers share runs only if it is the same object. */
  readonly context?: Local | undefined;
}

const OPTIONS: Checks<WatchOptions> = {
  refreshOn: anObservable,
  distinct: either(aBoolean, aFunction),
  coalesceMs: timerMilliseconds,
  signal: aSignal,
  onError: aFunction,
  headers: anObject,
  context: anObject,
};

/** @throws InvalidOptionsError, or InvalidMessageError for headers that no envelope may have */
export function checkedOptions(options: WatchOptions<never>): WatchOptions {
  checkOptions<WatchOptions>("watch()", options, OPTIONS);
  const { distinct = true, headers } = options;
  return { ...options, distinct, headers: headers && checkedHeaders(headers) };
}

/** The rules for the options of a query handler that keep its watchers up to date. */
export const REFRESH_OPTIONS: Checks<RefreshOptions> = { refreshOn: anObservable, affects: aFunction };

/** A subscriber, with the result that it has received last. */
export class Watcher implements CancelTarget {
  readonly #subscriber: Subscriber<unknown>;
  readonly options: WatchOptions;
  /** Reports the error of a function among the options, or of a teardown. */
  readonly #report: (source: string, error: unknown) => void;
  readonly #snapshot: SnapshotState;
  // A field of its own, because it is read for each watcher at each result.
  readonly #distinct: WatchOptions["distinct"];
  #shown: SharedResult | undefined;

  constructor(
    subscriber: Subscriber<unknown>,
    options: WatchOptions,
    snapshot: SnapshotState,
    report: (source: string, error: unknown) => void,
  ) {
    this.#subscriber = subscriber;
    this.options = options;
    this.#snapshot = snapshot;
    this.#distinct = options.distinct;
    this.#report = report;
  }

  show(result: SharedResult): void {
    if (this.#subscriber.closed || this.#isShown(result)) return;
    this.#shown = result;
    this.#snapshot.show(result);
    this.#subscriber.next(result.value);
  }

  #isShown({ value, version }: SharedResult): boolean {
    const distinct = this.#distinct;
    if (distinct === true) return this.#shown?.version === version;
    if (typeof distinct !== "function" || this.#shown === undefined) return false;
    let said: unknown;
    try {
      said = distinct(this.#shown.value, value);
    } catch (error) {
      this.cancel(error);
      return true;
    }
    try {
      return syncBoolean(said, "watch()", "distinct");
    } catch (error) {
      // Show a result twice rather than withhold one.
      this.#report("distinct", error);
      return false;
    }
  }

  fail(error: unknown): void {
    // The next result is news, even if it equals the last one.
    this.#shown = undefined;
    this.#snapshot.fail(error);
    const { onError } = this.options;
    const report = (failure: unknown): void => this.#report("onError", failure);
    try {
      if (onError === undefined) return this.#subscriber.error(error);
      const told: unknown = onError(error);
      if (isThenable(told)) asPromise(told).then(undefined, report);
    } catch (failure) {
      report(failure);
    }
  }

  /** Errors the subscriber with any options. */
  cancel(error: unknown): void {
    this.#snapshot.fail(error);
    this.#end(() => this.#subscriber.error(error));
  }

  complete(): void {
    this.#end(() => this.#subscriber.complete());
  }

  /** Reports what a teardown of the subscriber throws, because the others end after it. */
  #end(end: () => void): void {
    try {
      end();
    } catch (error) {
      this.#report("the teardown of a watcher", error);
    }
  }
}
