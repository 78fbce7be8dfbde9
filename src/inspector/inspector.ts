import { aText, check, checkOptions, type Checks } from "../core/checks.js";
import { attach, type LocalInspector } from "./attached.js";
import { recordedPage } from "./document.js";
import { answerNode, answerWeb, type NodeRequest, type NodeResponse, type Site } from "./http.js";
import { listenOn, type Listening } from "./listen.js";
import { tokenOf, type InspectOptions } from "./options.js";
import type { Inspected } from "./parts.js";

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

const NOWHERE: Listening = { url: undefined, port: undefined, close: () => Promise.resolve() };

/** Looks at buses: counts all messages, keeps texts of some, and shows them in a page. Made by {@link inspect}. */
export interface Inspector extends LocalInspector {
  /**
   * Serves the page on the loopback interface, and resolves with the link to it, which holds the token. The
   * server keeps no process alive. Where the inspector is turned off, the link is undefined.
   *
   * Needs Node, Bun or Deno.
   */
  listen(options?: ListenOptions): Promise<Listening>;
  /** Answers a request of the fetch standard, under any path: for Hono, Bun, Deno and Next. */
  handler(request: Request): Promise<Response>;
  /** Answers a request of `node:http`, under any path: for Express by `app.use("/inspector", inspector.middleware)`. */
  middleware(this: void, request: NodeRequest, response: NodeResponse): void;
  /** Returns a recording: one page that holds all it shows and sends no request. */
  toHTML(): string;
}

/**
 * Attaches an inspector to buses.
 *
 * Guarantees: it only observes; it holds no object of the application; secrets are taken out before anything is
 * kept; nothing listens until {@link Inspector.listen} is called or a server uses the handler; it is off in
 * production unless `enabled` says otherwise.
 *
 * @param buses - a bus, an array of buses, or an object of buses and other parts that have a method `describe()`,
 * by name
 * @throws InvalidOptionsError
 * @example
 * const inspector = inspect({ commands, queries, events });
 * console.log((await inspector.listen()).url); // http://127.0.0.1:49152/#token
 */
export function inspect(buses: Inspected, options: InspectOptions = {}): Inspector {
  const attached = attach(buses, options);
  const { settings, feed, local } = attached;
  const site: Site = {
    settings,
    feed,
    get open() {
      return attached.open;
    },
    get token() {
      return tokenOf(settings);
    },
    toJSONLines: () => local.toJSONLines(),
  };
  const middleware = (request: NodeRequest, response: NodeResponse): void =>
    answerNode(request, response, site);
  return Object.defineProperties({} as Inspector, {
    ...Object.getOwnPropertyDescriptors(local),
    ...Object.getOwnPropertyDescriptors({
      async listen(listenOptions: ListenOptions = {}): Promise<Listening> {
        checkOptions<ListenOptions>("listen()", listenOptions, LISTEN);
        if (!attached.open) return NOWHERE;
        const server = await listenOn(middleware, listenOptions, tokenOf(settings));
        if (!attached.open) {
          // The inspector was closed meanwhile.
          await server.close();
          return NOWHERE;
        }
        attached.onClose(() => server.close());
        return server;
      },
      // eslint-disable-next-line @typescript-eslint/require-await -- a rejection, should it throw
      handler: async (request: Request): Promise<Response> => answerWeb(request, site),
      middleware,
      toHTML: (): string => recordedPage(attached.record()),
    }),
  });
}
