import type { RefreshOptions } from "../core/handlers/handler.js";
import type { Observable, Subscriber } from "rxjs";
import { checkSignal } from "../core/delivery/abort.js";
import { LONGEST_TIMEOUT_MS } from "../core/util/timers.js";
import { checkedHeaders, type Headers } from "../core/messages/envelope.js";
import { checkObject, refuse } from "../core/errors.js";
import { asPromise, isThenable } from "../core/util/thenable.js";
import { syncBoolean } from "../core/checks.js";

export interface WatchOptions<R = unknown> {
  /** Whatever it emits, the query is asked again. Added to what the handler was registered with. @defaultValue none */
  readonly refreshOn?: Observable<unknown>;
  /**
   * Whether a result that equals the one shown before is left out, or a function that tells whether two are equal. By default they are compared by content;
   * a handler that returns one and the same object, changed in place, needs `false`.
   * @defaultValue true
   */
  readonly distinct?: boolean | ((a: R, b: R) => boolean);
  /**
   * How long refreshes are gathered before the query is asked once for all of them, in milliseconds; 0 gathers those of the same turn.
   * Of watchers that share a query the most impatient decides. @defaultValue 0
   */
  readonly coalesceMs?: number;
  /** Aborting it errors this watcher with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Told of failures, after which the watcher stays and the next refresh tries again. @defaultValue the watcher errors */
  readonly onError?: (error: unknown) => void;
  /** Go into the envelope of each run; watchers with other headers do not share it. */
  readonly headers?: Headers | undefined;
}

/** @throws InvalidMessageError */
export function checkedOptions(options: WatchOptions<never>): WatchOptions {
  checkObject(options, "options");
  const { refreshOn, distinct = true, coalesceMs = 0, signal, onError, headers } = options;
  checkRefreshOn(refreshOn);
  if (typeof distinct !== "boolean" && typeof distinct !== "function")
    refuse("options.distinct", "is neither a boolean nor a function");
  if (typeof coalesceMs !== "number" || !(coalesceMs >= 0 && coalesceMs <= LONGEST_TIMEOUT_MS))
    refuse("options.coalesceMs", `must be from 0 to ${LONGEST_TIMEOUT_MS}; received ${String(coalesceMs)}`);
  if (signal !== undefined) checkSignal(signal, "options.signal");
  checkFunction(onError, "options.onError");
  return {
    ...(options as WatchOptions),
    headers: headers === undefined ? undefined : checkedHeaders(headers),
  };
}

/** Of a registration. @throws InvalidMessageError */
export function checkRefreshOptions(options: unknown): void {
  checkObject(options, "options");
  const { refreshOn, affects } = options as { readonly [option in keyof RefreshOptions]: unknown };
  checkRefreshOn(refreshOn);
  checkFunction(affects, "options.affects");
}

function checkRefreshOn(refreshOn: unknown): void {
  if (refreshOn !== undefined && typeof (refreshOn as Partial<Observable<unknown>>)?.subscribe !== "function")
    refuse("options.refreshOn", "is not an Observable");
}

function checkFunction(option: unknown, path: string): void {
  if (option !== undefined && typeof option !== "function") refuse(path, "is not a function");
}

/** One subscriber, and what it has been shown. */
export class Watcher {
  readonly #subscriber: Subscriber<unknown>;
  readonly options: WatchOptions;
  /** Takes what one of the options failed with. */
  readonly #report: (option: keyof WatchOptions, error: unknown) => void;
  #shown: { readonly value: unknown; readonly version: number } | undefined;

  constructor(
    subscriber: Subscriber<unknown>,
    options: WatchOptions,
    report: (option: keyof WatchOptions, error: unknown) => void,
  ) {
    this.#subscriber = subscriber;
    this.options = options;
    this.#report = report;
  }

  get comparesContent(): boolean {
    return (this.options.distinct ?? true) === true;
  }

  show(value: unknown, version: number): void {
    if (this.#subscriber.closed || this.#isShown(value, version)) return;
    this.#shown = { value, version };
    this.#subscriber.next(value);
  }

  #isShown(value: unknown, version: number): boolean {
    const { distinct } = this.options;
    if (this.#shown === undefined) return false;
    if (this.comparesContent) return this.#shown.version === version;
    let said: unknown;
    try {
      said = typeof distinct === "function" && distinct(this.#shown.value, value);
    } catch (error) {
      this.#subscriber.error(error);
      return true;
    }
    try {
      return syncBoolean(said, "watch()", "distinct");
    } catch (error) {
      // Rather shown once too often than withheld.
      this.#report("distinct", error);
      return false;
    }
  }

  fail(error: unknown): void {
    // What comes next is news, whatever was shown before.
    this.#shown = undefined;
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

  complete(): void {
    this.#subscriber.complete();
  }
}
