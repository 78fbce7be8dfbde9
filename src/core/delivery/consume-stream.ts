import { from, isObservable, Observable } from "rxjs";
import { abortError } from "./abort.js";
import { NoResultError } from "../errors.js";
import type { LiveDelivery } from "./live-delivery.js";

export type Stream = Observable<unknown> | AsyncIterable<unknown>;

/** Observables and async iterables are streams; arrays, strings and iterables are values. */
export function isStream(value: unknown): value is Stream {
  return (
    typeof value === "object" && value !== null && (isObservable(value) || Symbol.asyncIterator in value)
  );
}

/**
 * Which values of a stream make the reply: none, the first, or all of them, one by one and in the end the last,
 * for as long as the function that takes them says that it wants more.
 */
export type Take = "none" | "first" | ((value: unknown) => boolean);

/** Runs a stream for a delivery: returns or throws at once what is known at once, a promise otherwise. */
export function consume(stream: Stream, delivery: LiveDelivery, take: Take): unknown {
  const reply = delivery.fork();
  let last: unknown;
  let empty = true;
  const values = new Observable<unknown>((subscriber) => {
    // Before the values come: a stream that emits synchronously, perhaps for ever, has to be stopped from within.
    reply.whenSettled(() => subscriber.unsubscribe());
    try {
      return toObservable(stream).subscribe(subscriber);
    } catch (error) {
      // A teardown that throws when the stream has been stopped already; RxJS catches all other errors.
      reply.lateFailure(error);
      return undefined;
    }
  });
  values.subscribe({
    next(value) {
      if (take === "none") return;
      last = value;
      empty = false;
      if (take === "first") reply.resolve(value);
      else if (!take(value)) reply.abort(abortError(`Nobody wants more of ${delivery.typeName}.`));
    },
    error: (error: unknown) => reply.fail(error),
    complete: () =>
      take === "first" && empty ? reply.fail(new NoResultError(delivery.typeName)) : reply.resolve(last),
  });
  return reply.outcome();
}

/** Not `from`: it lets an iterator that awaits go on when its subscriber has left, and asks for one value too many. */
function toObservable(stream: Stream): Observable<unknown> {
  if (!(Symbol.asyncIterator in stream)) return from(stream);
  return new Observable((subscriber) => {
    const iterator = stream[Symbol.asyncIterator]();
    void (async () => {
      while (!subscriber.closed) {
        const next = await iterator.next();
        if (next.done === true) break;
        subscriber.next(next.value);
      }
      subscriber.complete();
    })().catch((error: unknown) => subscriber.error(error));
    return () => void iterator.return?.()?.then(undefined, () => undefined);
  });
}
