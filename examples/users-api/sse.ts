// Server-sent events. Try them in a browser, or with curl -N.
// GET /audit: every outcome of the buses, without payloads. GET /users/:id/live: a user, now and after each change.
import type { FastifyInstance, FastifyReply } from "fastify";
import { map, mergeWith, share, type Observable, type Subscription } from "rxjs";
import { outcomeEvent, sendEvents, type ServerSentEvent } from "cqrx/http";
import type { Buses } from "./buses.js";
import { TooManyError, UserNotFoundError } from "./errors.js";
import { fromRequest } from "./http.js";
import { GetUser } from "./messages.js";

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
    map(outcomeEvent),
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
      // Checked before the stream begins, because a reply can still say what is wrong.
      if ((await queryBus.ask(query, fromRequest(request))) === undefined)
        throw new UserNotFoundError(query.userId);
      // All who watch one user share each run of the query.
      const user$ = queryBus.watch(query, { onError: (error) => request.log.error(error) });
      stream(reply, user$.pipe(map((data) => ({ event: "user", data }))));
      return reply;
    },
  );
}

/** Sends events to each client until the client leaves or the service closes. Refuses clients beyond the most. */
function streams(
  app: FastifyInstance,
  pingMs: number,
  mostClients: number,
): (reply: FastifyReply, events$: Observable<ServerSentEvent>) => void {
  const clients = new Set<Subscription>();
  // An open stream would keep the server from closing.
  app.addHook("preClose", async () => clients.forEach((client) => client.unsubscribe()));

  return (reply, events$) => {
    // Before the reply is taken from Fastify, so that the error handler can answer.
    if (clients.size >= mostClients) throw new TooManyError("clients", mostClients);
    reply.hijack();
    const client = sendEvents(events$, reply.request.raw, reply.raw, {
      pingMs,
      map: (event) => event,
      onError: (error) => reply.log.warn(error),
    });
    clients.add(client);
    client.add(() => clients.delete(client));
  };
}
