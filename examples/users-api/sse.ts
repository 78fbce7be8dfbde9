// Server-sent events. Try them in a browser, or with curl -N.
// GET /audit: every outcome of the buses, without payloads. GET /users/:id/live: a user, now and after each change.
import type { FastifyInstance, FastifyReply } from "fastify";
import { map, mergeWith, share, Subscription, type Observable } from "rxjs";
import type { Outcome } from "cqrx";
import type { Buses } from "./buses.js";
import { TooManyError, UserNotFoundError } from "./errors.js";
import { fromRequest } from "./http.js";
import { GetUser } from "./messages.js";

/** A client that reads too slowly is let go at this much waiting for it; it may come back. */
const MOST_UNSENT_BYTES = 1_000_000;

export function auditRoute(
  app: FastifyInstance,
  { commandBus, queryBus, eventBus }: Buses,
  pingMs = 15_000,
  mostClients = 100,
): void {
  const stream = streams(app, pingMs, mostClients);
  // Shared, because each outcome is written once for all clients.
  const events$ = commandBus.outcomes$.pipe(
    mergeWith(queryBus.outcomes$, eventBus.outcomes$),
    map(toEvent),
    share(),
  );
  app.get("/audit", { exposeHeadRoute: false }, (_request, reply) => stream(reply, events$));
}

export function liveRoute(
  app: FastifyInstance,
  { queryBus }: Pick<Buses, "queryBus">,
  pingMs = 15_000,
  mostClients = 100,
): void {
  const stream = streams(app, pingMs, mostClients);
  app.get<{ Params: { id: string } }>(
    "/users/:id/live",
    { exposeHeadRoute: false },
    async (request, reply) => {
      const query = new GetUser(request.params.id);
      // While there can still be a reply that says what is wrong.
      if ((await queryBus.ask(query, fromRequest(request))) === undefined)
        throw new UserNotFoundError(query.userId);
      // All who watch one user share each run of the query.
      const user$ = queryBus.watch(query, { onError: (error) => request.log.error(error) });
      stream(reply, user$.pipe(map((user) => `event: user\ndata: ${JSON.stringify(user ?? null)}\n\n`)));
      return reply;
    },
  );
}

/** Sends texts to each client until the client leaves or the service closes. Refuses clients beyond the most. */
function streams(
  app: FastifyInstance,
  pingMs: number,
  mostClients: number,
): (reply: FastifyReply, texts$: Observable<string>) => void {
  const clients = new Subscription();
  let count = 0;
  // An open stream would keep the server from closing.
  app.addHook("preClose", async () => clients.unsubscribe());

  return (reply, texts$) => {
    // Before the reply is taken from Fastify, so that the error handler can answer.
    if (count >= mostClients) throw new TooManyError("clients", mostClients);
    count++;
    reply.hijack();
    const response = reply.raw;
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      connection: "close",
      "x-accel-buffering": "no",
    });
    const write = (text: string): void => {
      if (response.writableLength > MOST_UNSENT_BYTES) response.destroy();
      else response.write(text);
    };
    write(": connected\n\n");

    const ping = setInterval(() => write(": ping\n\n"), pingMs);
    const client = new Subscription(() => {
      count--;
      clearInterval(ping);
      response.end();
    });
    client.add(texts$.subscribe({ next: write, complete: () => client.unsubscribe() }));
    clients.add(client);
    // The response's event: the request's also comes when a request has merely been read to its end.
    response.once("close", () => client.unsubscribe());
    if (response.destroyed) client.unsubscribe();
  };
}

/** One event. No field may bring a line break of its own, with which it could forge others. */
export function toEvent({ envelope: { meta }, durationMs, ...result }: Outcome): string {
  const { id, name, correlationId, causationId, time } = meta;
  const data = JSON.stringify({
    status: result.status,
    ...(result.status === "rejected" && { error: errorCode(result.reason) }),
    time: new Date(time).toISOString(),
    durationMs: Math.round(durationMs * 1000) / 1000,
    correlationId,
    causationId,
  });
  return `id: ${oneLine(id)}\nevent: ${oneLine(name)}\ndata: ${data}\n\n`;
}

function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, " ");
}

/** Returns the code or name of an error, because its text may quote what a client entered. */
function errorCode(reason: unknown): string {
  const { code, name } = reason as { code?: unknown; name?: unknown };
  return String(code ?? name);
}
