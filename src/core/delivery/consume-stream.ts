import { from, isObservable, Observable } from "rxjs";
import { NoResultError } from "../errors.js";
import { isThenable } from "../util/thenable.js";
import { abortError } from "./abort.js";
import type { ReplyForm } from "./delivery.js";
import { rememberWork, type WorkLinks } from "./unfinished-work.js";

export type Stream = Observable<unknown> | AsyncIterable<unknown>;

/** Observables and async iterables are streams; arrays, strings and iterables are values. */
export function isStream(value: unknown): value is Stream {
  return (
    typeof value === "object" && value !== null && (isObservable(value) || Symbol.asyncIterator in value)
  );
}

/** Takes the values of a stream one by one, under `ask$` and `watch`. */
export interface StreamSink {
  readonly reply: Passed;
  /** The handler returned a stream, even if an empty one. */
  streamed: boolean;
  /** Returns whether more values are wanted. */
  take(value: unknown): boolean;
}

/** A stream travels up through the middleware as it is: on every fork under `ask$` and `watch`. */
type Passed = Exclude<ReplyForm, "one">;

/** How a reply consumes a stream under `ask$`: by its sink, or not at all because the reply further up has the sink. */
export type Consumption = StreamSink | Passed;

export interface StreamLinks {
  /** Absent unless the message was sent by `ask$`. */
  consumption: Consumption | undefined;
  /** The last late failure, so that it is reported once. */
  lateFailure: unknown;
}

/** A reply, as far as the values of a stream need it. */
interface StreamReply {
  whenSettled(hook: () => void): void;
  succeed(value?: unknown): void;
  fail(error: unknown): void;
  cancel(reason: unknown): void;
  lateFailure(reason: unknown): void;
  asResult(): unknown;
}

interface Consumer {
  readonly origin: { readonly links: WorkLinks };
  readonly host: { readonly returnsValue: boolean };
  readonly typeName: string;
  readonly streaming: boolean;
  forked(): StreamReply;
}

/**
 * Decides how the result of a handler, or of the middleware around it, is consumed; the only place that does.
 *
 * - A result that is not a stream is returned as it is.
 * - Under `ask$` it travels up as it is, until the reply that has the sink takes every value.
 * - Otherwise a query takes the first value, and a command or an event waits for the end.
 *
 * @param consumption - the reply's own, once nothing above may take the stream
 * @returns the stream itself, or its result at once if that is known at once, a promise otherwise
 */
export function consumeIfDue(result: unknown, consumer: Consumer, consumption?: Consumption): unknown {
  if (!isStream(result)) return result;
  if (typeof consumption === "string" || (consumption === undefined && consumer.streaming)) return result;
  return consume(result, consumer, consumption);
}

/** Returns the result of a handler as a value, a promise, or a stream under `ask$`. */
export function resultOfHandler(result: unknown, delivery: Consumer): unknown {
  // Convert a thenable to a promise once, because it may run its work again each time its then() is called.
  if (result instanceof Promise) return result;
  if (isThenable(result)) return Promise.resolve(result);
  return isStream(result) ? consumeIfDue(result, delivery) : result;
}

/** Consumes a stream that a promise brought. Rejects where {@link consume} throws. */
export function consumed(stream: Stream, consumer: Consumer): Promise<unknown> {
  return new Promise((resolve) => resolve(consume(stream, consumer)));
}

/** Consumes a stream on a fork, so that it can end before the reply does. */
export function consume(stream: Stream, consumer: Consumer, sink?: StreamSink): unknown {
  const { typeName, host } = consumer;
  const reply = consumer.forked();
  const first = sink === undefined && host.returnsValue;
  if (sink !== undefined) sink.streamed = true;
  let last: unknown;
  const values = new Observable<unknown>((subscriber) => {
    // Add the hook before subscribing. If it came later, a stream that emits synchronously without end could not be
    // stopped.
    reply.whenSettled(() => subscriber.unsubscribe());
    // The handler may have aborted its own message. An iterator is made all the same, to be told to return: it may
    // hold what the handler opened.
    if (subscriber.closed && !(Symbol.asyncIterator in stream)) return undefined;
    try {
      return toObservable(stream, consumer).subscribe(subscriber);
    } catch (error) {
      // Only the teardown of a stream that has been stopped throws here, because RxJS catches all other errors.
      reply.lateFailure(error);
      return undefined;
    }
  });
  values.subscribe({
    next(value) {
      if (first) return reply.succeed(value);
      if (sink === undefined) return;
      last = value;
      if (!sink.take(value)) reply.cancel(abortError(`The subscriber of ${typeName} wants no more values.`));
    },
    error: (error: unknown) => reply.fail(error),
    // A query that has its first value is settled by now.
    complete: () => (first ? reply.fail(new NoResultError(typeName)) : reply.succeed(last)),
  });
  return reply.asResult();
}

/** Not `from`: it lets an iterator that awaits go on when its subscriber has left, and asks for one value too many. */
function toObservable(stream: Stream, { origin }: Consumer): Observable<unknown> {
  if (!(Symbol.asyncIterator in stream)) return from(stream);
  return new Observable((subscriber) => {
    const iterator = stream[Symbol.asyncIterator]();
    // Do not call return() of an iterator that has ended or thrown; `for await` does not either.
    let ended = false;
    let asked: Promise<IteratorResult<unknown>> | undefined;
    void (async () => {
      while (!subscriber.closed) {
        const next = await (asked = iterator.next());
        if (next.done === true) {
          ended = true;
          break;
        }
        subscriber.next(next.value);
      }
      subscriber.complete();
    })().catch((error: unknown) => {
      ended = true;
      subscriber.error(error);
    });
    return () => {
      if (ended) return;
      // An iterator works on until return() has ended; one without it, until it has answered. Called inside a promise,
      // because it may throw.
      rememberWork(origin, new Promise((resolve) => resolve(iterator.return?.() ?? asked)));
    };
  });
}
