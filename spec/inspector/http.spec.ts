import { createServer } from "node:http";
import { type AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { inspect, type Inspector, type InspectOptions } from "cqrx/inspector";
import { canaries } from "../support/traps.js";
import { get, raw, Reader } from "./raw.js";
import { PlaceOrder, shop, until, type Shop } from "./support.js";

const TOKEN = "the-token-of-these-specs";
const AUTHORIZED = `Authorization: Bearer ${TOKEN}`;
const SECRET = "hunter2-hunter2";

let buses: Shop;
let inspector: Inspector;
let port: number;

async function start(options: InspectOptions = {}): Promise<void> {
  await inspector?.close();
  inspector = inspect({ ...buses }, { token: TOKEN, ...options });
  port = (await inspector.listen()).port!;
}

beforeEach(async () => {
  buses = shop();
  await start();
  await buses.commands.dispatch(new PlaceOrder("o1", { password: SECRET, text: "shown" }));
});
afterEach(async () => {
  await inspector.close();
  await canaries(buses.commands, buses.queries, buses.events);
});

describe("the server", () => {
  it("150 binds loopback, and links to it with the token in the fragment", async () => {
    const { url, close } = await inspector.listen();
    expect(url).toMatch(new RegExp(`^http://127\\.0\\.0\\.1:\\d+/#${TOKEN}$`));
    await close();
    await expect(fetch(url!.split("#")[0]!)).rejects.toThrow();
  });

  it("150 makes a token of 144 bits, or takes that of the environment", async () => {
    const own = inspect(buses.commands);
    const { url } = await own.listen();
    expect(url).toMatch(/#[\w-]{24}$/);
    process.env["CQRX_INSPECTOR_TOKEN"] = "token-of-the-environment";
    try {
      expect((await own.listen()).url).toMatch(/#token-of-the-environment$/);
      process.env["CQRX_INSPECTOR_TOKEN"] = "short";
      await expect(own.listen()).rejects.toThrow("CQRX_INSPECTOR_TOKEN: token must be at least 16");
    } finally {
      delete process.env["CQRX_INSPECTOR_TOKEN"];
      await own.close();
    }
  });

  it.each<[string, string[], number]>([
    ["no token", [], 401],
    ["a wrong token", ["Authorization: Bearer the-token-of-these-specX"], 401],
    ["the beginning of the token", ["Authorization: Bearer the-token-of"], 401],
    ["a longer token", [`Authorization: Bearer ${TOKEN}${TOKEN}`], 401],
    ["an empty token", ["Authorization: Bearer "], 401],
    ["another scheme", [`Authorization: Basic ${TOKEN}`], 401],
    ["two tokens", [AUTHORIZED, AUTHORIZED], 401],
    ["a cookie", [`Cookie: token=${TOKEN}`], 401],
    ["the token", [AUTHORIZED], 200],
  ])("151 answers %s", async (_, headers, status) => {
    const answer = await get(port, "/export", ...headers);
    expect(answer.status).toBe(status);
    expect(answer.text.includes("PlaceOrder")).toBe(status === 200);
    if (status === 401) expect(answer.headers["www-authenticate"]).toBe("Bearer");
  });

  it.each(["/export", "/feed"])("151 takes no token from the query of %s", async (path) => {
    expect((await get(port, `${path}?token=${TOKEN}`)).status).toBe(401);
  });

  const hosts = (status: number, ...names: string[]): [string, number][] =>
    names.map((name) => [name, status]);
  it.each([
    ...hosts(200, "localhost", "localhost:PORT", "127.0.0.1:PORT", "[::1]:PORT", "LOCALHOST:1"),
    ...hosts(403, "evil.example", "127.evil.example", "localhost.evil.example", "127.0.0.1.evil.example"),
    ...hosts(
      403,
      "127.0.0.2",
      "0.0.0.0:PORT",
      "localhost:",
      "localhost:PORT@evil.example",
      "evil.example:80#localhost",
    ),
    ...hosts(403, ""),
  ])("152 answers the host %j by %d, before anything else", async (host, status) => {
    const named = host.replace("PORT", String(port));
    for (const path of ["/", "/export", "/feed"]) {
      if (status === 200 && path === "/feed") continue;
      const answer = await raw(port, `GET ${path} HTTP/1.1`, `Host: ${named}`, AUTHORIZED);
      expect([path, answer.status]).toEqual([path, status]);
      if (status === 403) expect(answer.text).not.toContain("PlaceOrder");
    }
    if (status !== 403) return;
    expect((await raw(port, "POST / HTTP/1.1", `Host: ${named}`, AUTHORIZED)).status).toBe(403);
    expect((await raw(port, "GET /feed HTTP/1.1", `Host: ${named}`)).status).toBe(403);
  });

  it("152 refuses two hosts and none", async () => {
    const two = await raw(
      port,
      "GET /export HTTP/1.1",
      `Host: localhost:${port}`,
      "Host: evil.example",
      AUTHORIZED,
    );
    expect(two.status).toBe(400);
    expect(two.text).not.toContain("PlaceOrder");
    expect((await raw(port, "GET /export HTTP/1.0", AUTHORIZED)).status).toBe(403);
    expect((await raw(port, "GET /export HTTP/1.1", AUTHORIZED)).status).toBe(400);
  });

  it("152 answers the hosts of the option, exactly", async () => {
    await start({ hosts: ["app.local:3000"] });
    const status = async (host: string): Promise<number> =>
      (await raw(port, "GET / HTTP/1.1", `Host: ${host}`)).status;
    expect(await Promise.all(["APP.local:3000", "app.local", "x.app.local:3000"].map(status))).toEqual([
      200, 403, 403,
    ]);
  });

  it.each([
    ["Origin: http://evil.example", 403],
    ["Origin: null", 403],
    ["Origin: http://localhost.evil.example", 403],
    ["Origin: http://127.0.0.1:1", 403],
    ["Origin: http://127.0.0.1:PORT", 200],
    ["Origin: https://127.0.0.1:PORT", 200],
    ["Sec-Fetch-Site: cross-site", 403],
    ["Sec-Fetch-Site: same-site", 403],
    ["Sec-Fetch-Site: same-origin", 200],
    ["Sec-Fetch-Site: none", 200],
  ])("153 answers %s by %d, and sends no CORS header", async (header, status) => {
    const answer = await get(port, "/export", AUTHORIZED, header.replace("PORT", String(port)));
    expect(answer.status).toBe(status);
    expect(answer.text.includes("PlaceOrder")).toBe(status === 200);
    expect(answer.text).not.toMatch(/access-control/i);
  });

  it("153 lets a link of another site lead to the page, which holds no data", async () => {
    const answer = await get(port, "/", "Sec-Fetch-Site: cross-site", "Sec-Fetch-Mode: navigate");
    expect(answer.status).toBe(200);
    expect(answer.text).not.toContain("PlaceOrder");
  });

  it.each(["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])(
    "153 166 answers %s by 405",
    async (method) => {
      for (const path of ["/", "/feed", "/export", "/replay"]) {
        const answer = await raw(
          port,
          `${method} ${path} HTTP/1.1`,
          `Host: localhost:${port}`,
          AUTHORIZED,
          "Content-Length: 1000000000",
        );
        expect([path, answer.status, answer.headers["allow"]]).toEqual([path, 405, "GET, HEAD"]);
        expect(answer.text).not.toMatch(/access-control|PlaceOrder/i);
      }
      expect(inspector.counts.accepted).toBe(3);
    },
  );

  it("155 changes nothing by GET and HEAD", async () => {
    const before = [inspector.messages(), { ...inspector.counts }];
    for (const method of ["GET", "HEAD"])
      for (const path of ["/", "/x", "/export", "//", "/%00", "/feed/../x", "/feed?x", "/*"]) {
        const answer = await raw(port, `${method} ${path} HTTP/1.1`, `Host: localhost:${port}`);
        expect([200, 401]).toContain(answer.status);
        if (method === "HEAD") expect(answer.body).toBe("");
      }
    const head = await raw(port, "HEAD /feed HTTP/1.1", `Host: localhost:${port}`, AUTHORIZED);
    expect([head.status, head.headers["content-type"]]).toEqual([200, "text/event-stream; charset=utf-8"]);
    expect([inspector.messages(), { ...inspector.counts }]).toEqual(before);
  });

  it("158 serves a page under a policy that allows its own script alone", async () => {
    const { status, headers, body } = await get(port, "/");
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      "cross-origin-resource-policy": "same-origin",
      "cross-origin-opener-policy": "same-origin",
    });
    expect(headers["content-security-policy"]).toMatch(
      /^default-src 'none'; script-src 'sha256-[\w+/]{43}='; connect-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'; frame-ancestors 'none'$/,
    );
    const [, script] = /<script>([^]*)<\/script><\/body>/.exec(body)!;
    const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script));
    expect(headers["content-security-policy"]).toContain(Buffer.from(digest).toString("base64"));
    expect(body.match(/<\/script/gi)).toHaveLength(1);
  });

  it("164 sends no secret in any answer", async () => {
    const reader = new Reader(port, TOKEN);
    await reader.until((frames) => frames.some(({ type }) => type === "history"));
    reader.socket.destroy();
    const answers = await Promise.all([
      get(port, "/"),
      get(port, "/export", AUTHORIZED),
      get(port, "/export"),
      get(port, "/nowhere", `X-Echo: ${SECRET}`),
      raw(port, "POST / HTTP/1.1", `Host: ${SECRET}`),
      raw(port, `GET /${SECRET} HTTP/1.1`, "Host: localhost"),
    ]);
    const all = [
      reader.text,
      inspector.toHTML(),
      inspector.toJSONLines(),
      ...answers.map(({ text }) => text),
    ].join();
    expect(all).toContain("shown");
    expect(all).toContain("[Redacted]");
    expect(all).not.toContain(SECRET);
    // The token comes from the link alone.
    expect(all).not.toContain(TOKEN);
  });

  it("exports JSON lines", async () => {
    const { headers, body } = await get(port, "/export", AUTHORIZED);
    expect(headers["content-type"]).toBe("application/x-ndjson; charset=utf-8");
    expect(headers["content-disposition"]).toContain("attachment");
    expect(body).toContain(JSON.stringify(inspector.messages()[0]));
  });

  it("162 ends open streams on close, and answers nothing more", async () => {
    const readers = [new Reader(port, TOKEN), new Reader(port, TOKEN)];
    await until(() => inspector.counts.clients === 2);
    await inspector.close();
    await until(() => readers.every(({ closed }) => closed));
    expect(inspector.counts.clients).toBe(0);
    await expect(get(port, "/")).rejects.toThrow();
    expect((await inspector.handler(new Request("http://localhost/"))).status).toBe(404);
    expect(await inspector.listen()).toMatchObject({ url: undefined });
  });

  it("ends a server that close() found on its way", async () => {
    const before = process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap").length;
    const own = inspect(buses.commands);
    const listening = own.listen();
    await own.close();
    expect(await listening).toMatchObject({ url: undefined, port: undefined });
    expect(process.getActiveResourcesInfo().filter((name) => name === "TCPServerWrap")).toHaveLength(before);
  });

  it("refuses wrong options of listen()", async () => {
    await expect(inspector.listen({ port: -1 })).rejects.toThrow("port must be a port");
    await expect(inspector.listen({ url: "x" } as object)).rejects.toThrow("unknown option url");
    await expect(inspector.listen({ port })).rejects.toThrow("EADDRINUSE");
  });
});

describe("the middleware", () => {
  it("answers under any path of a server of node:http", async () => {
    const server = createServer(inspector.middleware).listen(0, "127.0.0.1");
    await new Promise((resolve) => server.once("listening", resolve));
    const { port: other } = server.address() as AddressInfo;
    expect((await get(other, "/inspector")).body).toContain("<!doctype html>");
    expect((await get(other, "/inspector/export", AUTHORIZED)).body).toContain("PlaceOrder");
    expect((await get(other, "/inspector/export")).status).toBe(401);
    await new Promise((resolve) => server.close(resolve));
  });
});

describe("the handler", () => {
  const ask = (path: string, headers: Record<string, string> = {}, method = "GET"): Promise<Response> =>
    inspector.handler(new Request(`http://localhost:3000${path}`, { method, headers }));

  it("answers requests of the fetch standard by the same rules", async () => {
    expect((await ask("/inspector")).headers.get("content-security-policy")).toContain(
      "trusted-types 'none'",
    );
    expect((await ask("/inspector/export")).status).toBe(401);
    expect((await ask("/inspector/export", { authorization: `Bearer ${TOKEN}` })).status).toBe(200);
    expect((await ask("/", {}, "POST")).status).toBe(405);
    expect((await ask("/", { origin: "null" })).status).toBe(403);
    expect((await inspector.handler(new Request("http://evil.example/"))).status).toBe(403);
    expect((await ask("/feed", { authorization: `Bearer ${TOKEN}` }, "HEAD")).status).toBe(200);
    expect(inspector.counts.clients).toBe(0);
  });

  it("159 160 streams the feed, and leaves when the reader cancels or the request is aborted", async () => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const { body } = await ask("/feed", headers);
    const reader = body!.getReader();
    const { value } = await reader.read();
    expect(new TextDecoder().decode(value)).toMatch(/^id: \w+-\d+\ndata: \{"type":"hello"/);
    expect(inspector.counts.clients).toBe(1);
    await reader.cancel();
    expect(inspector.counts.clients).toBe(0);

    const controller = new AbortController();
    const request = new Request("http://localhost/feed", { headers, signal: controller.signal });
    const response = await inspector.handler(request);
    expect(inspector.counts.clients).toBe(1);
    controller.abort();
    expect(inspector.counts.clients).toBe(0);
    expect(await response.text()).toContain('"type":"hello"');
    expect((await inspector.handler(request)).status).toBe(200);
    expect(inspector.counts.clients).toBe(0);
  });
});
