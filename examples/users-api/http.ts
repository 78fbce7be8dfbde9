// The endpoints: each turns a request into a message, and its result into a reply. Errors go to the
// error handler.
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { DispatchOptions } from "cqrx";
import type { Buses } from "./buses.js";
import { toHttp, TooManyError, UserNotFoundError } from "./errors.js";
import { ChangeEmail, CreateUser, DeleteUser, GetUser, ListUsers } from "./messages.js";

type ById = { Params: { id: string } };

/** Whether the fields are valid is the messages' business; here it is enough that there can be some. */
const withBody = { schema: { body: { type: "object" } } };

/**
 * The role is taken as it comes, to keep this short. A real service reads it from a session or a signed
 * token.
 */
export function fromRequest({ id, headers: { "x-role": role } }: FastifyRequest): DispatchOptions {
  return { headers: { "x-request-id": id, ...(role !== undefined && { "x-role": String(role) }) } };
}

export function userRoutes(app: FastifyInstance, { commandBus, queryBus }: Buses): void {
  app.post("/users", withBody, async (request, reply) => {
    const command = CreateUser.parse(request.body);
    await commandBus.dispatch(command, fromRequest(request));
    const { userId, email } = command;
    return reply.code(201).header("location", `/users/${userId}`).send({ userId, email });
  });

  app.get("/users", (request) => queryBus.ask(new ListUsers(), fromRequest(request)));

  app.get<ById>("/users/:id", async (request) => {
    const user = await queryBus.ask(new GetUser(request.params.id), fromRequest(request));
    if (user === undefined) throw new UserNotFoundError(request.params.id);
    return user;
  });

  app.patch<ById & { Body: Record<string, unknown> }>("/users/:id", withBody, async (request, reply) => {
    const command = ChangeEmail.parse({ ...request.body, userId: request.params.id });
    await commandBus.dispatch(command, fromRequest(request));
    return reply.code(204).send();
  });

  app.delete<ById>("/users/:id", async (request, reply) => {
    await commandBus.dispatch(new DeleteUser({ userId: request.params.id }), fromRequest(request));
    return reply.code(204).send();
  });
}

/** Also replies to errors that Fastify finds before routing, such as an address that cannot be decoded. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { status, body } = toHttp(error);
  if (status === 500) request.log.error(error);
  void reply.code(status).send(body);
}

/** Answers a request that is late or malformed on its socket, because Fastify has no request to reply to. */
export function sendRawError(
  error: { readonly code: string },
  socket: Socket,
  requestTimeoutMs: number,
): void {
  if (!socket.writable) return void socket.destroy();
  const late = error.code === "ERR_HTTP_REQUEST_TIMEOUT";
  const status = late ? 408 : 400;
  const body = JSON.stringify(
    late
      ? { error: "REQUEST_TIMEOUT", message: `The request took longer than ${requestTimeoutMs} ms.` }
      : { error: "BAD_REQUEST", message: "This is not an HTTP request." },
  );
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n` +
      `content-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

/**
 * Answers requests with 503 while too many connections are open. Node drops connections beyond twice the
 * limit without an answer.
 */
export function limitConnections(app: FastifyInstance, most: number): void {
  const open = new Set<Socket>();
  app.server.maxConnections = most * 2;
  app.server.on("connection", (socket: Socket) => {
    open.add(socket);
    socket.once("close", () => open.delete(socket));
  });
  app.addHook("onRequest", async (_request, reply) => {
    if (open.size <= most) return;
    reply.header("connection", "close");
    throw new TooManyError("connections", most);
  });
}

export function errorReplies(app: FastifyInstance): void {
  app.setErrorHandler(sendError);

  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({
      error: "NOT_FOUND",
      message: `There is no ${request.method} ${request.url.slice(0, 200)} here.`,
    }),
  );
}
