import { EMPTY, fromEvent, Observable, Subscription, takeUntil } from "rxjs";
import { check, checkOptions } from "../core/checks.js";
import {
  checkSource,
  EVENT_OPTIONS,
  eventChunks,
  tell,
  type EventOptions,
  type EventSourceOf,
} from "./event-chunks.js";
import { lastEventIdOf } from "./last-event-id.js";
import { STREAM_HEADERS } from "./stream-headers.js";

/** The parts of a web `Request` that a stream of events reads. */
export interface WebRequest {
  readonly headers: { get(name: string): string | null };
  readonly signal?: AbortSignal;
}

/** Options of {@link eventStream}. */
export interface EventStreamOptions<T = unknown> extends EventOptions<T> {
  /** The request: its `Last-Event-ID` is passed to the source, and the abort of its signal ends the stream. */
  readonly request?: WebRequest;
}

const aRequest = check(
  "a web Request",
  (value) => typeof (value as Partial<WebRequest> | null)?.headers?.get === "function",
);

/**
 * Returns a response that sends the values of an Observable as server-sent events, for hosts with web-standard
 * requests: Hono, Bun, Deno, Next, Workers, Fastify.
 *
 * The source is subscribed when the body is read first, so that a response that is thrown away holds nothing, and
 * unsubscribed when the client leaves. A source that completes ends the response; one that fails sends an event
 * `failure` before. `EventSource` connects again in either case. At most `maxUnsentBytes` wait for a slow client.
 *
 * @throws InvalidOptionsError
 *
 * @example
 * app.get("/todos/live", (c) => eventStream(queryBus.watch(new ListTodos()), { request: c.req.raw }));
 */
export function eventStream<T>(source: EventSourceOf<T>, options: EventStreamOptions<T> = {}): Response {
  checkSource("eventStream()", source);
  checkOptions<EventStreamOptions<never>>("eventStream()", options, { ...EVENT_OPTIONS, request: aRequest });
  const { request, ...eventOptions } = options;
  const lastEventId = lastEventIdOf(request?.headers.get("last-event-id"));
  const reading = new Subscription();
  let started = false;

  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (started) return;
        started = true;
        const unsentBytes = (): number => -(controller.desiredSize ?? 0);
        const chunks$ = eventChunks(source, { lastEventId, unsentBytes }, eventOptions);
        untilLeft(untilAborted(chunks$, request?.signal), reading).subscribe({
          next: (chunk) => controller.enqueue(chunk),
          error: (error: unknown) => {
            // Drops what waits: close() would keep it until it is read.
            controller.error(error);
            tell(options.onError, error);
          },
          complete: () => controller.close(),
        });
      },
      cancel: () => reading.unsubscribe(),
    },
    // Zero, so that nothing is pulled before the first read, and desiredSize tells the unsent bytes.
    { highWaterMark: 0, size: ({ byteLength }) => byteLength },
  );
  return new Response(body, { headers: STREAM_HEADERS });
}

/** Adds the subscriber to `reading` first, because the client may leave while the source is being subscribed. */
function untilLeft<T>(values$: Observable<T>, reading: Subscription): Observable<T> {
  return new Observable((subscriber) => {
    reading.add(subscriber);
    return values$.subscribe(subscriber);
  });
}

function untilAborted<T>(values$: Observable<T>, signal: AbortSignal | undefined): Observable<T> {
  if (signal === undefined) return values$;
  return signal.aborted ? EMPTY : values$.pipe(takeUntil(fromEvent(signal, "abort")));
}
