import { Subscription } from "rxjs";
import { checkOption, checkOptions, required, withMethods } from "../core/checks.js";
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

/** The parts of Node's `IncomingMessage`, of HTTP/1 or HTTP/2, that a stream of events reads. */
export interface NodeRequest {
  readonly headers: { readonly [name: string]: string | string[] | undefined };
  readonly method?: string | undefined;
  readonly httpVersionMajor?: number;
}

/** The parts of Node's `ServerResponse`, of HTTP/1 or HTTP/2, that a stream of events uses. */
export interface NodeResponse {
  readonly destroyed: boolean;
  readonly writableEnded: boolean;
  readonly writableLength: number;
  setHeader(name: string, value: string): unknown;
  writeHead(status: number): unknown;
  write(chunk: Uint8Array): unknown;
  end(): unknown;
  destroy(): unknown;
  once(event: "close", listener: () => void): unknown;
  removeListener(event: "close", listener: () => void): unknown;
}

/**
 * Sends the values of an Observable as server-sent events to a response of Node's: of Node itself, Express, or Fastify
 * (`reply.hijack(); sendEvents(values$, request.raw, reply.raw)`).
 *
 * Headers that are set before are kept. The source is unsubscribed when the client leaves, also if it has left before.
 * A source that completes ends the response; one that fails sends an event `failure` before. `EventSource` connects
 * again in either case. At most `maxUnsentBytes` wait for a slow client. A HEAD request gets the headers only.
 *
 * @returns the Subscription; unsubscribing ends the response, for example when the server closes
 * @throws InvalidOptionsError
 *
 * @example
 * app.get("/todos/live", (request, response) => {
 *   sendEvents(queryBus.watch(new ListTodos()), request, response);
 * });
 */
export function sendEvents<T>(
  source: EventSourceOf<T>,
  request: NodeRequest,
  response: NodeResponse,
  options: EventOptions<T> = {},
): Subscription {
  checkSource("sendEvents()", source);
  checkOption("sendEvents()", "the response", response, A_RESPONSE);
  checkOptions<EventOptions<never>>("sendEvents()", options, EVENT_OPTIONS);
  if (isOver(response)) return Subscription.EMPTY;

  for (const [name, value] of Object.entries(STREAM_HEADERS)) response.setHeader(name, value);
  // HTTP/2 forbids the header. In HTTP/1, a connection that stays open after its stream would delay the end of
  // the server.
  if ((request.httpVersionMajor ?? 1) < 2) response.setHeader("connection", "close");
  response.writeHead(200);
  if (request.method === "HEAD") {
    response.end();
    return Subscription.EMPTY;
  }

  const leave = (): void => sending.unsubscribe();
  const sending = new Subscription(() => {
    response.removeListener("close", leave);
    if (!isOver(response)) response.end();
  });
  // The response's event: the request's also comes when a request has merely been read to its end.
  response.once("close", leave);
  const client = {
    lastEventId: lastEventIdOf(request.headers["last-event-id"]),
    unsentBytes: () => response.writableLength,
  };
  sending.add(
    eventChunks(source, client, options).subscribe({
      next(chunk) {
        // A write to a response that is over would be an 'error' event that ends the process.
        if (!isOver(response)) response.write(chunk);
      },
      error(error: unknown) {
        // Drops what waits: end() would keep it until it is read.
        response.destroy();
        leave();
        tell(options.onError, error);
      },
      complete: leave,
    }),
  );
  return sending;
}

const A_RESPONSE = required(
  withMethods("a response of Node's", "setHeader", "writeHead", "write", "destroy"),
);

function isOver(response: NodeResponse): boolean {
  return response.destroyed || response.writableEnded;
}
