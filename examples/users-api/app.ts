// The HTTP service without a port: buses, endpoints and the audit stream around one logger.
import { fastify, type FastifyBaseLogger, type FastifyInstance } from "fastify";
import type { Logger } from "pino";
import { closeBuses, createBuses, type Buses } from "./buses.js";
import { errorReplies, limitConnections, sendError, sendRawError, userRoutes } from "./http.js";
import { auditRoute, liveRoute } from "./sse.js";
import type { UserStore } from "./store.js";

export interface UsersApi {
  readonly app: FastifyInstance;
  readonly buses: Buses;
  /** Refuses new requests, ends streams, and waits this long for messages in flight. */
  readonly close: (timeoutMs: number) => Promise<void>;
}

/** Limits on the simultaneous use by clients. */
export interface Limits {
  /** How long a request may take to arrive, in milliseconds. */
  readonly requestTimeoutMs: number;
  readonly connections: number;
  /** For each stream: `/audit` and `/users/:id/live`. */
  readonly streamClients: number;
}

const LIMITS: Limits = { requestTimeoutMs: 10_000, connections: 1_000, streamClients: 100 };

/** How long clients have to read their replies; then those that do not, or never asked for anything, are not waited for. */
const LAST_WORDS_MS = 500;

export function buildApp(logger: Logger, users?: UserStore, limits: Partial<Limits> = {}): UsersApi {
  const { requestTimeoutMs, connections, streamClients } = { ...LIMITS, ...limits };
  const buses = createBuses(logger, users);
  const loggerInstance: FastifyBaseLogger = logger;
  const app = fastify({
    loggerInstance,
    frameworkErrors: sendError,
    requestTimeout: requestTimeoutMs,
    // Node looks for requests that are late as often as this.
    http: {
      connectionsCheckingInterval: Math.min(requestTimeoutMs, 1_000),
      headersTimeout: requestTimeoutMs,
    },
    clientErrorHandler: (error, socket) => sendRawError(error, socket, requestTimeoutMs),
  });
  errorReplies(app);
  limitConnections(app, connections);
  userRoutes(app, buses);
  auditRoute(app, buses, undefined, streamClients);
  liveRoute(app, buses, undefined, streamClients);
  // A connection that is kept alive after its last reply would keep the server from closing.
  let closing = false;
  app.addHook("preClose", async () => void (closing = true));
  app.addHook("onSend", async (_request, reply) => void (closing && reply.header("connection", "close")));
  app.get("/health", () => ({
    status: "ok",
    inFlight: buses.commandBus.inFlight + buses.queryBus.inFlight + buses.eventBus.inFlight,
  }));
  return {
    app,
    buses,
    async close(timeoutMs) {
      const stopped = app.close();
      await closeBuses(buses, timeoutMs);
      const lastWords = setTimeout(() => app.server.closeAllConnections(), LAST_WORDS_MS);
      await stopped;
      clearTimeout(lastWords);
    },
  };
}
