import { checkOptions, check, aText, type Checks } from "../core/checks.js";
import { recordedPage } from "./document.js";
import { Feed } from "./feed.js";
import { helloFrame, type Run } from "./frames.js";
import { answerNode, answerWeb, type NodeRequest, type NodeResponse, type Site } from "./http.js";
import { listenOn, type Listening } from "./listen.js";
import { settingsOf, tokenOf, type InspectOptions } from "./options.js";
import { partsOf, type Inspected } from "./parts.js";
import type { Frame, InspectedCounts, InspectedMessage } from "./protocol.js";
import { Recorder } from "./recorder.js";

/** Options of {@link Inspector.listen}. */
export interface ListenOptions {
  /** @defaultValue 0, which takes a free one */
  readonly port?: number;
  /** The address to bind. @defaultValue "127.0.0.1" */
  readonly host?: string;
}

const LISTEN: Checks<ListenOptions> = {
  port: check(
    "a port from 0 to 65535",
    (port) => Number.isInteger(port) && (port as number) >= 0 && (port as number) < 65_536,
  ),
  host: aText,
};

/** Looks at buses: counts all messages, keeps texts of some, and shows them in a page. Made by {@link inspect}. */
export interface Inspector extends Disposable {
  /**
   * Serves the page on the loopback interface, and resolves with the link to it, which holds the token. The server keeps no process alive.
   * Where the inspector is turned off, the link is undefined.
   *
   * Needs Node, Bun or Deno.
   */
  listen(options?: ListenOptions): Promise<Listening>;
  /** Answers a request of the fetch standard, under any path: for Hono, Bun, Deno and Next. */
  handler(request: Request): Promise<Response>;
  /** Answers a request of `node:http`, under any path: for Express by `app.use("/inspector", inspector.middleware)`. */
  middleware(this: void, request: NodeRequest, response: NodeResponse): void;
  /** Returns the kept messages, oldest first. */
  messages(): readonly InspectedMessage[];
  /** Totals since attaching. */
  readonly counts: InspectedCounts;
  /**
   * Calls a listener with everything that is kept, at once, and then with the changes, up to ten times a second.
   *
   * @returns a function that ends it
   */
  subscribe(listener: (frame: Frame) => void): () => void;
  /** Returns the kept messages as JSON lines. */
  toJSONLines(): string;
  /** Returns a recording: one page that holds all it shows and sends no request. */
  toHTML(): string;
  /** Leaves the buses, ends every connection, and closes the servers. What was kept stays readable. */
  close(): Promise<void>;
}

/**
 * Attaches an inspector to buses.
 *
 * Guarantees: observers only; no object of the application is held; secrets are taken out before anything is kept; nothing listens until
 * {@link Inspector.listen} is called or a server uses the handler; off in production unless `enabled` says otherwise.
 *
 * @param buses - a bus, an array of buses, or an object of buses and other parts that have a method `describe()`, by name
 * @throws InvalidOptionsError
 * @example
 * const inspector = inspect({ commands, queries, events });
 * console.log((await inspector.listen()).url); // http://127.0.0.1:49152/#token
 */
export function inspect(buses: Inspected, options: InspectOptions = {}): Inspector {
  const settings = settingsOf(options);
  const recorder = new Recorder(partsOf(buses), settings);
  const run: Run = { id: Math.random().toString(36).slice(2, 10), title: titleOf() };
  const feed = new Feed(recorder, run);
  const servers = new Set<Listening>();
  let open = settings.enabled;
  if (open) recorder.attach();

  const messages = (): readonly InspectedMessage[] =>
    recorder.ring.toArray().map((record) => record.toPlain());
  const toJSONLines = (): string =>
    messages()
      .map((message) => `${JSON.stringify(message)}\n`)
      .join("");
  const site: Site = {
    settings,
    feed,
    get open() {
      return open;
    },
    get token() {
      return tokenOf(settings);
    },
    toJSONLines,
  };
  const middleware = (request: NodeRequest, response: NodeResponse): void =>
    answerNode(request, response, site);
  const close = (): Promise<void> => {
    open = false;
    recorder.detach();
    feed.close();
    return Promise.all([...servers].map((server) => server.close())).then(() => undefined);
  };

  return {
    async listen(listenOptions = {}) {
      checkOptions<ListenOptions>("listen()", listenOptions, LISTEN);
      if (!open) return { url: undefined, port: undefined, close: () => Promise.resolve() };
      const server = await listenOn(middleware, listenOptions, tokenOf(settings), () =>
        servers.delete(server),
      );
      servers.add(server);
      return server;
    },
    // eslint-disable-next-line @typescript-eslint/require-await -- a rejection, should it throw
    handler: async (request) => answerWeb(request, site),
    middleware,
    messages,
    get counts() {
      return recorder.counts(feed.clients);
    },
    subscribe: (listener) => feed.subscribe(listener),
    toJSONLines,
    toHTML: () => recordedPage({ hello: helloFrame(recorder, run, feed.clients), messages: messages() }),
    close,
    [Symbol.dispose]: () => void close(),
  };
}

/** Returns a name of the application: that of its package and process, or the title of its page. */
function titleOf(): string {
  const { process, document } = globalThis as {
    readonly process?: {
      readonly env?: { readonly [name: string]: string | undefined };
      readonly pid?: number;
    };
    readonly document?: { readonly title: string };
  };
  if (document !== undefined) return document.title;
  const name = process?.env?.npm_package_name ?? "cqrx";
  return process?.pid === undefined ? name : `${name} (pid ${process.pid})`;
}
