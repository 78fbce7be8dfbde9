import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { connect, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { pino } from "pino";
import { buildApp, type Limits, type UsersApi } from "../../examples/users-api/app.js";
import { FileStore } from "../../examples/users-api/store.js";
import { EventReader } from "./support/sse.js";

const silent = pino({ level: "silent" });
const ada = { userId: "u1", email: "ada@example.com" };

describe("the limits of the service", () => {
  let api: UsersApi;
  let url: string;
  const sockets: Socket[] = [];

  async function listen(limits: Partial<Limits>): Promise<void> {
    api = buildApp(silent, undefined, limits);
    url = await api.app.listen({ port: 0, host: "127.0.0.1" });
  }

  /** Opens a connection and sends a text on it. */
  async function send(request: string): Promise<Socket> {
    const socket = connect((api.app.server.address() as AddressInfo).port, "127.0.0.1");
    sockets.push(socket);
    await once(socket, "connect");
    socket.write(request);
    return socket;
  }

  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    await api.close(0);
  });

  it("end a request whose body does not come, with 408", async () => {
    await listen({ requestTimeoutMs: 20 });

    const answer = await text(
      await send(
        "POST /users HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{",
      ),
    );

    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toMatch(/\{"error":"REQUEST_TIMEOUT","message":"The request took longer than 20 ms\."\}$/);
  });

  it("quote at most 200 characters of an address that is not found", async () => {
    await listen({});

    const { message } = (await (await fetch(`${url}/${"x".repeat(5_000)}`)).json()) as { message: string };

    expect(message.length).toBeLessThan(250);
  });

  it("answer a request that is not HTTP with 400", async () => {
    await listen({});

    const answer = await text(await send("hello\r\n\r\n"));

    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).toMatch(/\{"error":"BAD_REQUEST","message":".+"\}$/);
  });

  it("refuse a request on one connection too many with 503, and answer again when one has ended", async () => {
    await listen({ connections: 1 });
    const first = await send("GET /health HTTP/1.1\r\nhost: a\r\n\r\n");
    await once(first, "data");

    const refused = await text(await send("GET /health HTTP/1.1\r\nhost: a\r\n\r\n"));
    expect(refused).toMatch(/^HTTP\/1\.1 503 /);
    expect(refused).toMatch(/\r\nconnection: close\r\n/i);
    expect(refused).toMatch(/\{"error":"TOO_MANY_CONNECTIONS","message":".+"\}$/);

    const ended = new Promise<void>((resolve) => {
      const poll = (): void => {
        api.app.server.getConnections((_error, count) => {
          if (count === 0) resolve();
          else setImmediate(poll);
        });
      };
      poll();
    });
    first.destroy();
    await ended;
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });

  it("refuse one audit client too many with 503, and take one again when one has left", async () => {
    await listen({ streamClients: 1 });
    const first = new AbortController();
    await fetch(`${url}/audit`, { signal: first.signal });

    const refused = await fetch(`${url}/audit`);
    expect(refused.status).toBe(503);
    expect(await refused.json()).toEqual({ error: "TOO_MANY_CLIENTS", message: expect.any(String) });

    first.abort();
    let next: Response;
    do next = await fetch(`${url}/audit`);
    while (next.status === 503);
    expect(next.status).toBe(200);
    await next.body!.cancel();
  });

  it("write each outcome once for all audit clients", async () => {
    await listen({});
    const clients = await Promise.all([1, 2, 3].map(() => fetch(`${url}/audit`)));
    const readers = clients.map((client) => new EventReader(client));
    const written = jest.spyOn(Date.prototype, "toISOString");

    await fetch(`${url}/users`);
    const events = await Promise.all(readers.map((reader) => reader.next()));

    expect(events.map((event) => event?.type)).toEqual(["ListUsers", "ListUsers", "ListUsers"]);
    expect(written).toHaveBeenCalledTimes(1);
    written.mockRestore();
  });
});

describe("the file of users", () => {
  const dir = mkdtempSync(join(tmpdir(), "cqrx-users-"));
  const path = join(dir, "users.json");
  const stored = (users: unknown): string[] => {
    writeFileSync(path, JSON.stringify(users));
    return new FileStore(path).list().map(({ userId }) => userId);
  };

  afterEach(() => {
    for (const file of readdirSync(dir)) rmSync(join(dir, file));
  });

  it("gives users that are valid", () => expect(stored([ada])).toEqual(["u1"]));

  it.each([
    ["[{}]", [{}], "0.userId "],
    ["null for a user", [ada, null], "1 "],
    ["an id that cannot be", [{ ...ada, userId: "../u1" }], "0.userId must be 1 to 64 letters"],
    ["an address that is not one", [ada, { ...ada, email: "x" }], "1.email must be an e-mail address"],
    ["no list", {}, "holds no valid list of users: "],
  ])("is refused with %s", (_, users, problem) => {
    expect(() => stored(users)).toThrow(`${path} holds no valid list of users: `);
    expect(() => stored(users)).toThrow(problem);
  });

  it("is written to a new file of its own, which follows no link", () => {
    const target = join(dir, "target");
    writeFileSync(target, "precious");
    symlinkSync(target, `${path}.new`);
    const store = new FileStore(path);

    store.insert(ada);

    expect(readFileSync(target, "utf8")).toBe("precious");
    expect(lstatSync(path).isFile()).toBe(true);
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual([ada]);
    expect(lstatSync(path).mode & 0o077).toBe(0);
    expect(readdirSync(dir).sort()).toEqual(["target", "users.json", "users.json.new"]);
  });
});
