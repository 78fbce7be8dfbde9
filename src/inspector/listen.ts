import type { NodeRequest, NodeResponse } from "./http.js";

/** A server of the page. */
export interface Listening {
  /** The link to the page, with the token; undefined where the inspector is turned off or closed. */
  readonly url: string | undefined;
  readonly port: number | undefined;
  close(): Promise<void>;
}

/**
 * The parts of `node:http` that are used. Not its types, because the declarations of this module must not need
 * `@types/node`.
 */
interface NodeHttp {
  createServer(respond: (request: NodeRequest, response: NodeResponse) => void): Server;
}

interface Server {
  on(event: "connection", listener: (socket: { unref(): unknown }) => void): unknown;
  once(event: "error", listener: (error: unknown) => void): unknown;
  off(event: "error", listener: (error: unknown) => void): unknown;
  listen(port: number, host: string, listening: () => void): unknown;
  address(): unknown;
  unref(): unknown;
  close(closed: () => void): unknown;
  closeAllConnections(): void;
}

/** Not an import, because the recorder and the handler also run where there is no `node:http`. */
function nodeHttp(): NodeHttp {
  const { process } = globalThis as {
    readonly process?: { getBuiltinModule?(id: "node:http"): NodeHttp | undefined };
  };
  const http = process?.getBuiltinModule?.("node:http");
  if (http === undefined)
    throw new Error("listen() needs node:http of Node, Bun or Deno; use handler() of the inspector instead.");
  return http;
}

/** Starts a server that keeps no process alive. */
export async function listenOn(
  respond: (request: NodeRequest, response: NodeResponse) => void,
  { port = 0, host = "127.0.0.1" }: { readonly port?: number; readonly host?: string },
  token: string,
): Promise<Listening> {
  const server = nodeHttp().createServer(respond);
  server.on("connection", (socket) => socket.unref());
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  server.unref();
  const { port: bound } = server.address() as { readonly port: number };
  return {
    url: `http://${linkHost(host)}:${bound}/#${token}`,
    port: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Every interface is reached by loopback, too. */
function linkHost(host: string): string {
  if (host === "0.0.0.0" || host === "::") return "127.0.0.1";
  return host.includes(":") ? `[${host}]` : host;
}
