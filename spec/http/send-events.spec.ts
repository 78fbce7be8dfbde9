import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect as connect2, createServer as createServer2 } from "node:http2";
import { connect, type AddressInfo, type Socket } from "node:net";
import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { fastify } from "fastify";
import { concat, EMPTY, of, throwError, type Subscription } from "rxjs";
import { CommandBus, InvalidOptionsError } from "cqrx";
import { eventStream, sendEvents, SlowClientError, type EventOptions, type EventSourceOf } from "cqrx/http";
import { EventReader } from "../examples/support/sse.js";
import { canaries, macrotask, withTraps } from "../support/traps.js";
import { Source } from "./support/source.js";

type Handle = (request: IncomingMessage, response: ServerResponse) => unknown;

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function listen(handle: Handle): Promise<{ url: string; port: number; server: Server }> {
  const server = createServer((request, response) => void handle(request, response));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, port, server };
}

async function serve<T>(source: EventSourceOf<T>, options?: EventOptions<T>): Promise<string> {
  return (await listen((request, response) => sendEvents(source, request, response, options))).url;
}

/** Asks for `/` and reads nothing. */
async function deaf(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1").on("error", () => undefined);
  closing.push(() => socket.destroy());
  await once(socket, "connect");
  socket.pause().write("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
  return socket;
}

describe("sendEvents()", () => {
  it("sends events and ends with the source", async () => {
    const response = await fetch(await serve(of(1, { a: "x" })));
    expect([response.status, Object.fromEntries(response.headers)]).toEqual([
      200,
      expect.objectContaining({
        "content-type": "text/event-stream",
        "cache-control": "no-cache, no-transform",
        "x-accel-buffering": "no",
        connection: "close",
      }),
    ]);
    expect(await response.text()).toBe(': connected\n\ndata: 1\n\ndata: {"a":"x"}\n\n');
  });

  it("sends headers and the first comment at once, and comments while nothing happens", async () => {
    const source = new Source<number>();
    const events = new EventReader(await fetch(await serve(source.values$, { pingMs: 1 })));
    const next = events.next();
    while (!events.comments.includes("ping")) await macrotask();
    source.next(7);
    expect(await next).toMatchObject({ data: "7" });
    expect(events.comments[0]).toBe("connected");
  });

  it("keeps headers that were set before, such as those of CORS", async () => {
    const { url } = await listen((request, response) => {
      response.setHeader("access-control-allow-origin", "https://app.example");
      sendEvents(of(1), request, response);
    });
    const { headers } = await fetch(url);
    expect(headers.get("access-control-allow-origin")).toBe("https://app.example");
  });

  it("answers HEAD by the headers alone, and never subscribes", async () => {
    const source = new Source<number>();
    const response = await fetch(await serve(source.values$), { method: "HEAD" });
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect([await response.text(), source.count]).toEqual(["", 0]);
  });

  it("passes Last-Event-ID to the function that returns the source", async () => {
    const url = await serve((lastEventId) => of(lastEventId));
    const id = Buffer.from("é€😀").toString("latin1");
    const response = await fetch(url, { headers: { "last-event-id": id } });
    expect(await response.text()).toContain('data: "é€😀"');
    expect(await (await fetch(url)).text()).toContain("data: null");
  });

  it("serves HTTP/2, without the headers that it forbids", async () => {
    const source = new Source<number>();
    const server = createServer2((request, response) => sendEvents(source.values$, request, response));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const client = connect2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    closing.push(() => {
      client.destroy();
      server.close();
    });
    const stream = client.request({ ":path": "/" });
    const [headers] = (await once(stream, "response")) as [Record<string, unknown>];
    expect([headers[":status"], headers["content-type"]]).toEqual([200, "text/event-stream"]);
    await source.has(1);
    source.next(1);
    let text = "";
    stream.setEncoding("utf8").on("data", (chunk: string) => (text += chunk));
    while (!text.includes("data: 1")) await macrotask();
    stream.close();
    await source.has(0);
  });

  it("serves Fastify, whose routes also take the response of eventStream()", async () => {
    const source = new Source<number>();
    const app = fastify({ forceCloseConnections: true });
    app.get("/node", (request, reply) => {
      reply.hijack();
      sendEvents(source.values$, request.raw, reply.raw);
    });
    app.get("/web", () => eventStream(source.values$));
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    closing.push(() => app.close());
    for (const path of ["/node", "/web"]) {
      const leaving = new AbortController();
      const events = new EventReader(await fetch(url + path, { signal: leaving.signal }));
      const next = events.next();
      await source.has(1);
      source.next(1);
      expect(await next).toMatchObject({ data: "1" });
      leaving.abort();
      await source.has(0);
    }
  });
});

describe("the subscription of sendEvents()", () => {
  it("159 is freed when the client leaves, with no later value", async () => {
    const source = new Source<number>();
    const url = await serve(source.values$);
    const leaving = new AbortController();
    await fetch(url, { signal: leaving.signal });
    await source.has(1);
    leaving.abort();
    await source.has(0);
  });

  it("is freed when the source completes, and the response has no listener left", async () => {
    let response!: ServerResponse;
    const source = new Source<number>();
    const { url } = await listen((request, answer) => {
      response = answer;
      sendEvents(source.values$, request, answer);
    });
    const answer = await fetch(url);
    const before = response.listenerCount("close");
    source.complete();
    expect(await answer.text()).toBe(": connected\n\n");
    expect([source.count, before - response.listenerCount("close")]).toEqual([0, 1]);
  });

  it("is returned, and ends the response", async () => {
    const source = new Source<number>();
    let sending: Subscription | undefined;
    const { url } = await listen((request, response) => {
      sending = sendEvents(source.values$, request, response);
    });
    const response = await fetch(url);
    sending!.unsubscribe();
    expect(await response.text()).toBe(": connected\n\n");
    expect(source.count).toBe(0);
  });

  it("160 never begins for a client that has left while the application was waiting", async () => {
    await withTraps(async () => {
      const source = new Source<number>();
      const leaving = new AbortController();
      let sending: Promise<Subscription> | undefined;
      const { url } = await listen((request, response) => {
        sending = once(response, "close").then(() => sendEvents(source.values$, request, response));
        leaving.abort();
      });
      await fetch(url, { signal: leaving.signal }).catch(() => undefined);
      while (sending === undefined) await macrotask();
      expect([(await sending).closed, source.count]).toEqual([true, 0]);
    });
  });

  it("never begins for a response that was ended", async () => {
    const source = new Source<number>();
    const { url } = await listen((request, response) => {
      response.end("bye");
      sendEvents(source.values$, request, response);
    });
    expect(await (await fetch(url)).text()).toBe("bye");
    expect(source.count).toBe(0);
  });

  it("is freed in whatever order the client, the source and the application end it", async () => {
    await withTraps(async () => {
      const source = new Source<number>();
      const sendings: Subscription[] = [];
      const { url } = await listen((request, response) => {
        sendings.push(sendEvents(source.values$, request, response));
      });
      const ends: ((leaving: AbortController) => unknown)[] = [
        (leaving) => (leaving.abort(), source.next(1), source.complete()),
        (leaving) => (source.error(new Error("gone")), leaving.abort()),
        (leaving) => (sendings.at(-1)!.unsubscribe(), leaving.abort(), sendings.at(-1)!.unsubscribe()),
        (leaving) => (source.next(1), leaving.abort()),
      ];
      for (const end of ends) {
        const leaving = new AbortController();
        await fetch(url, { signal: leaving.signal });
        await source.has(1);
        end(leaving);
        await source.has(0);
      }
      await macrotask();
      expect(sendings.map(({ closed }) => closed)).toEqual([true, true, true, true]);
    });
  });

  it("161 is freed for each of many that come and go", async () => {
    const source = new Source<number>();
    const url = await serve(source.values$);
    for (let round = 0; round < 5; round++) {
      const leaving = new AbortController();
      await Promise.all(Array.from({ length: 50 }, () => fetch(url, { signal: leaving.signal })));
      expect(source.count).toBe(50);
      leaving.abort();
      await source.has(0);
    }
  });
});

describe("a source of sendEvents() that fails", () => {
  it("ends the response after an event that leaks nothing, and is told to onError", async () => {
    const onError = jest.fn();
    const error = Object.assign(new Error("password is secret"), { code: "28P01" });
    const failing = concat(
      of(1),
      throwError(() => error),
    );
    const text = await (await fetch(await serve(failing, { onError }))).text();
    expect(text).toBe(
      ': connected\n\ndata: 1\n\nevent: failure\ndata: {"error":"INTERNAL","status":500}\n\n',
    );
    expect(onError.mock.calls).toEqual([[error]]);
  });
});

describe("a client of sendEvents() that reads too slowly", () => {
  it("is cut off, and at most maxUnsentBytes wait for it", async () => {
    await withTraps(async () => {
      const source = new Source<string>();
      const onError = jest.fn();
      let response!: ServerResponse;
      const { port } = await listen((request, answer) => {
        response = answer;
        sendEvents(source.values$, request, answer, { maxUnsentBytes: 200_000, onError });
      });
      const socket = await deaf(port);
      await source.has(1);
      let most = 0;
      // The kernel takes some megabytes, and then no more.
      const event = "x".repeat(10_000);
      while (source.count > 0) {
        source.next(event);
        most = Math.max(most, response.writableLength);
      }
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThanOrEqual(200_000);
      expect(onError.mock.calls).toEqual([[expect.any(SlowClientError)]]);
      expect(response.destroyed).toBe(true);
      socket.resume();
      await once(socket, "close");
    });
  });

  it("delays no other client", async () => {
    const source = new Source<string>();
    const { url, port } = await listen((request, response) =>
      sendEvents(source.values$, request, response, { maxUnsentBytes: 200_000 }),
    );
    await deaf(port);
    await source.has(1);
    const events = new EventReader(await fetch(url));
    await source.has(2);
    while (source.count > 1) {
      source.next("x".repeat(100_000));
      expect((await events.next())?.data).toHaveLength(100_002);
    }
    source.next("last");
    expect(await events.next()).toMatchObject({ data: '"last"' });
  });
});

describe("the arguments of sendEvents()", () => {
  it.each<[string, unknown, unknown, object, string]>([
    ["a source", 1, {}, {}, "the first argument must be an Observable or a function; received 1."],
    ["a response", EMPTY, undefined, {}, "the response must be a response of Node's; received undefined."],
    ["a web response", EMPTY, new Response(), {}, "the response must be a response of Node's;"],
    ["an option", EMPTY, {}, { request: {} }, ""],
  ])("are checked: %s", async (_, source, response, options, text) => {
    const make = (): unknown =>
      sendEvents(source as never, { headers: {} }, response as never, options as never);
    expect(make).toThrow(InvalidOptionsError);
    expect(make).toThrow(`sendEvents(): ${text}`);
    await canaries(new CommandBus());
  });
});
