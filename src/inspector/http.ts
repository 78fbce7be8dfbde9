import { refusalOf, unauthorized, type Asked, type Refusal } from "./access.js";
import { contentSecurityPolicy, livePage } from "./document.js";
import type { Feed, Pipe } from "./feed.js";
import type { Settings } from "./options.js";

/** An answer, before it is written by the server at hand. */
interface Answer {
  readonly status: number;
  readonly headers: { readonly [name: string]: string };
  readonly body: string;
  /** Instead of a body: the feed from the id of the last frame on. */
  readonly feed?: { readonly lastEventId: string | undefined };
}

/** The parts of `IncomingMessage` of `node:http` that are read. */
export interface NodeRequest {
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  readonly rawHeaders: readonly string[];
}

/** The parts of `ServerResponse` of `node:http` that are used. */
export interface NodeResponse {
  writeHead(status: number, headers: { readonly [name: string]: string }): unknown;
  write(text: string): unknown;
  end(text?: string): unknown;
  once(event: "close", listener: () => void): unknown;
  readonly writableLength: number;
  readonly destroyed: boolean;
}

const COMMON = {
  "cache-control": "no-store",
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
} as const;
const TEXT = { ...COMMON, "content-type": "text/plain; charset=utf-8" } as const;

/** The source of the answers. */
export interface Site {
  readonly settings: Settings;
  readonly feed: Feed;
  /** Returns whether it answers: false once closed, and while turned off. */
  readonly open: boolean;
  readonly token: string;
  toJSONLines(): string;
}

function answerTo(asked: Asked, site: Site): Answer {
  if (!site.open) return { status: 404, headers: TEXT, body: "There is nothing here.\n" };
  const refusal = refusalOf(asked, site.settings.hosts);
  if (refusal !== undefined) return refused(refusal);
  const end = asked.path.slice(asked.path.lastIndexOf("/"));
  if (end !== "/feed" && end !== "/export") {
    return {
      status: 200,
      headers: {
        ...COMMON,
        "content-type": "text/html; charset=utf-8",
        "content-security-policy": contentSecurityPolicy(),
      },
      body: livePage(),
    };
  }
  const denied = unauthorized(asked, site.token);
  if (denied !== undefined) return refused(denied);
  if (end === "/export")
    return {
      status: 200,
      headers: {
        ...COMMON,
        "content-type": "application/x-ndjson; charset=utf-8",
        "content-disposition": 'attachment; filename="cqrx-messages.jsonl"',
      },
      body: site.toJSONLines(),
    };
  if (site.feed.clients >= site.settings.maxClients)
    return {
      status: 503,
      headers: { ...TEXT, "retry-after": "5" },
      body: "Too many pages read the feed; close one, or raise the option maxClients.\n",
    };
  return {
    status: 200,
    // For nginx, which would hold the frames back.
    headers: {
      ...COMMON,
      "content-type": "text/event-stream; charset=utf-8",
      "x-accel-buffering": "no",
    },
    body: "",
    feed: { lastEventId: asked.values("last-event-id")[0] },
  };
}

function refused({ status, text, headers }: Refusal): Answer {
  return { status, headers: { ...TEXT, ...headers }, body: `${text}\n` };
}

/** Answers a request of `node:http`. */
export function answerNode(request: NodeRequest, response: NodeResponse, site: Site): void {
  const { method = "", url = "/" } = request;
  const { status, headers, body, feed } = answerTo(
    { method, path: pathOf(url), values: (name) => rawValues(request.rawHeaders, name) },
    site,
  );
  response.writeHead(status, headers);
  if (feed === undefined || method === "HEAD") return void response.end(method === "HEAD" ? undefined : body);
  // The page that left before this line closed its response already, and its event will not come again.
  if (response.destroyed) return;
  const pipe: Pipe = {
    buffered: () => response.writableLength,
    write: (text) => void response.write(text),
    end: () => void response.end(),
  };
  response.once("close", site.feed.connect(pipe, feed.lastEventId));
}

/** Answers a request of the fetch standard. */
export function answerWeb(request: Request, site: Site): Response {
  const { method, headers: given, signal } = request;
  const { status, headers, body, feed } = answerTo(
    {
      method,
      path: pathOf(request.url),
      // Two headers of one name arrive as one value with a comma, which no check accepts.
      values: (name) => {
        const value = given.get(name) ?? (name === "host" ? hostOf(request.url) : null);
        return value === null ? [] : [value];
      },
    },
    site,
  );
  if (feed === undefined || method === "HEAD")
    return new Response(method === "HEAD" ? null : body, { status, headers });
  return new Response(streamOf(site, feed.lastEventId, signal), { status, headers });
}

function streamOf(
  site: Site,
  lastEventId: string | undefined,
  signal: AbortSignal,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const room = site.settings.maxBufferedBytes;
  let leave: () => void = () => undefined;
  let over = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const end = (): void => {
          if (over) return;
          over = true;
          leave();
          controller.close();
        };
        const pipe: Pipe = {
          buffered: () => room - (controller.desiredSize ?? 0),
          write: (text) => {
            if (!over) controller.enqueue(encoder.encode(text));
          },
          end,
        };
        const disconnect = site.feed.connect(pipe, lastEventId);
        leave = () => {
          signal.removeEventListener("abort", end);
          disconnect();
        };
        if (signal.aborted) end();
        else signal.addEventListener("abort", end);
      },
      cancel() {
        over = true;
        leave();
      },
    },
    { highWaterMark: room, size: (chunk) => chunk?.byteLength ?? 0 },
  );
}

/** Returns the path of an absolute or relative URL, without parsing it, because a client may send any text. */
function pathOf(url: string): string {
  return url.split(/[?#]/, 1)[0]!;
}

function hostOf(url: string): string | null {
  try {
    return new URL(url).host;
  } catch {
    return null;
  }
}

function rawValues(rawHeaders: readonly string[], name: string): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]!.toLowerCase() === name);
}
