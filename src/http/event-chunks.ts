import {
  catchError,
  concatWith,
  defer,
  endWith,
  map,
  merge,
  NEVER,
  Observable,
  of,
  takeWhile,
  tap,
} from "rxjs";
import {
  aFunction,
  anObservable,
  check,
  checkOption,
  either,
  positiveMilliseconds,
  required,
  wholeNumber,
  type Checks,
} from "../core/checks.js";
import { ignored } from "../core/util/thenable.js";
import { LONGEST_TIMEOUT_MS } from "../core/util/timers.js";
import { SlowClientError } from "./errors.js";
import { formatComment, formatEvent, jsonOf, type ServerSentEvent } from "./format-event.js";
import { httpStatusOf, publicCodeOf } from "./http-status.js";

/**
 * The values that become events: an Observable, or a function that returns one for each client, from the id of the
 * last event that the client has received.
 */
export type EventSourceOf<T> = Observable<T> | ((lastEventId: string | undefined) => Observable<T>);

/** Options of {@link eventStream} and {@link sendEvents}. */
export interface EventOptions<T = unknown> {
  /**
   * Returns the event for a value.
   * @defaultValue the value as JSON, without an id
   */
  readonly map?: (value: T) => ServerSentEvent;
  /**
   * How often a comment is sent, so that proxies keep the connection and a client that is gone is noticed, in
   * milliseconds; `Infinity` for never. @defaultValue 15,000
   */
  readonly pingMs?: number;
  /**
   * How long the client waits before it connects again, in milliseconds.
   * @defaultValue the browser's own, about 3,000
   */
  readonly retryMs?: number;
  /**
   * How many bytes may wait for a client that reads slowly. When the next event would exceed it, the connection is cut,
   * and `onError` gets a {@link SlowClientError}. An event that is larger by itself is sent if nothing waits.
   * @defaultValue 1,000,000
   */
  readonly maxUnsentBytes?: number;
  /**
   * Returns the data of the event `failure`, which is sent when the source or `map` fails.
   * @defaultValue the `error` code and the `status`, without the text of the error
   */
  readonly mapError?: (error: unknown) => unknown;
  /**
   * Called with the error of the source, of `map` or `mapError`, or with the {@link SlowClientError}. What it throws,
   * or rejects with, is ignored.
   */
  readonly onError?: (error: unknown) => void;
}

/** The rules for the options that both functions take. */
export const EVENT_OPTIONS: Checks<EventOptions<never>> = {
  map: aFunction,
  pingMs: positiveMilliseconds,
  retryMs: check(
    "a whole number of milliseconds from 0",
    (ms) => Number.isSafeInteger(ms) && (ms as number) >= 0,
  ),
  maxUnsentBytes: wholeNumber(1),
  mapError: aFunction,
  onError: aFunction,
};

/** @throws InvalidOptionsError */
export function checkSource(caller: string, source: unknown): void {
  checkOption(caller, "the first argument", source, required(either(anObservable, aFunction)));
}

/** The way to a client, as far as the events need it. */
export interface Client {
  readonly lastEventId: string | undefined;
  /** Returns how many bytes wait to be read by the client. */
  readonly unsentBytes: () => number;
}

/**
 * Returns the chunks to write to a client. Fails with a {@link SlowClientError} instead of emitting a chunk for
 * which there is no room; a failing source ends in an event and completes.
 */
export function eventChunks<T>(
  source: EventSourceOf<T>,
  { lastEventId, unsentBytes }: Client,
  { map: toEvent = asData, pingMs = 15_000, retryMs, maxUnsentBytes = 1_000_000, ...errors }: EventOptions<T>,
): Observable<Uint8Array> {
  const events$ = defer(() => (typeof source === "function" ? source(lastEventId) : source)).pipe(
    map((value) => formatEvent(toEvent(value))),
    catchError((error: unknown) => of(failureOf(error, errors))),
  );
  const pings$ = pingMs > LONGEST_TIMEOUT_MS ? NEVER : every(pingMs).pipe(map(() => formatComment("ping")));
  const retry = retryMs === undefined ? "" : `retry: ${retryMs}\n\n`;
  const encoder = new TextEncoder();

  return of(formatComment("connected") + retry).pipe(
    // merge() alone would go on with pings after the last event.
    concatWith(merge(events$.pipe(endWith(undefined)), pings$)),
    takeWhile((text) => text !== undefined),
    map((text) => encoder.encode(text)),
    tap(({ byteLength }) => {
      const unsent = unsentBytes();
      if (unsent > 0 && unsent + byteLength > maxUnsentBytes)
        throw new SlowClientError(unsent, maxUnsentBytes);
    }),
  );
}

/**
 * Emits in intervals, by a timer that does not keep a process alive. RxJS's `interval` would, also for a body that
 * is never read on.
 */
function every(ms: number): Observable<void> {
  return new Observable((subscriber) => {
    const timer = setInterval(() => subscriber.next(), ms);
    (timer as { unref?(): void }).unref?.();
    return () => clearInterval(timer);
  });
}

function asData(value: unknown): ServerSentEvent {
  return { data: jsonOf(value) };
}

type ErrorOptions = Pick<EventOptions, "mapError" | "onError">;

function failureOf(error: unknown, { mapError = withoutText, onError }: ErrorOptions): string {
  tell(onError, error);
  try {
    return formatEvent({ event: "failure", data: mapError(error) });
  } catch (failure) {
    tell(onError, failure);
    return formatEvent({ event: "failure", data: withoutText(failure) });
  }
}

function withoutText(error: unknown): object {
  return { error: publicCodeOf(error), status: httpStatusOf(error) };
}

/** Passes an error to the application, whose own errors must neither keep a connection open nor end the process. */
export function tell(onError: EventOptions["onError"], error: unknown): void {
  try {
    const told: unknown = onError?.(error);
    ignored(told);
  } catch {
    // The connection that this concerns is at its end; the callback belongs to the application.
  }
}
