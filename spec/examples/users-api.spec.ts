import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { CommandBus, type Envelope, EventBus, QueryBus } from "cqrx";
import { fastify, type FastifyInstance, type InjectOptions } from "fastify";
import { pino } from "pino";
import { defer, finalize, type Observable } from "rxjs";
import { buildApp, type UsersApi } from "../../examples/users-api/app.js";
import type { Buses } from "../../examples/users-api/buses.js";
import { runCli } from "../../examples/users-api/cli.js";
import { startUserCount } from "../../examples/users-api/jobs.js";
import { ListUsers } from "../../examples/users-api/messages.js";
import { auditRoute } from "../../examples/users-api/sse.js";
import { MemoryStore, type UserStore } from "../../examples/users-api/store.js";
import { Child } from "./support/child.js";
import { EventReader } from "./support/sse.js";

const silent = pino({ level: "silent" });
const admin = { "x-role": "admin" };
const ada = { userId: "u1", email: "ada@example.com" };

let api: UsersApi;
let app: FastifyInstance;
let buses: Buses;

function build(users?: UserStore): void {
  api = buildApp(silent, users);
  ({ app, buses } = api);
}

beforeEach(() => build());
afterEach(() => api.close(0));

async function call(
  method: "GET" | "POST" | "PATCH" | "DELETE",
  url: string,
  body?: object | string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: unknown; headers: Record<string, unknown> }> {
  const options: InjectOptions = { method, url, headers };
  if (body !== undefined) {
    options.payload = body;
    options.headers = { "content-type": "application/json", ...headers };
  }
  const response = await app.inject(options);
  return {
    status: response.statusCode,
    body: response.body === "" ? undefined : (JSON.parse(response.body) as unknown),
    headers: response.headers,
  };
}

describe("POST /users", () => {
  it("creates a user: 201, with where to find it", async () => {
    const created = await call("POST", "/users", ada);
    expect(created).toMatchObject({ status: 201, body: ada, headers: { location: "/users/u1" } });
    expect(await call("GET", "/users/u1")).toMatchObject({ status: 200, body: ada });
  });

  it("refuses a second one of the same id: 409, and keeps the first", async () => {
    await call("POST", "/users", ada);
    expect(await call("POST", "/users", { ...ada, email: "eve@example.com" })).toMatchObject({
      status: 409,
      body: { error: "USER_EXISTS", message: "User u1 exists already." },
    });
    expect(await call("GET", "/users/u1")).toMatchObject({ body: ada });
  });

  it("creates one of two that come at the same time", async () => {
    const results = await Promise.all([call("POST", "/users", ada), call("POST", "/users", ada)]);
    expect(results.map(({ status }) => status).sort()).toEqual([201, 409]);
  });

  it("names invalid fields: 422 with each of them", async () => {
    expect(await call("POST", "/users", { userId: "", email: "nobody" })).toMatchObject({
      status: 422,
      body: {
        error: "INVALID_MESSAGE",
        message: "This is not valid; see issues.",
        issues: [
          { path: "userId", message: "must be 1 to 64 letters, digits, _ or -" },
          { path: "email", message: "must be an e-mail address" },
        ],
      },
    });
    expect(await call("GET", "/users")).toMatchObject({ body: [] });
  });

  it.each([
    ["is not JSON", "{nope", /not valid JSON/],
    ["is empty", "", /empty/],
    ["is a list", "[1, 2]", /must be object/],
    ["is null", "null", /must be object/],
    ["would change prototypes", '{"__proto__": {"admin": true}}', /./],
  ])("answers 400 to a body that %s", async (_, body, message) => {
    expect(await call("POST", "/users", body)).toMatchObject({
      status: 400,
      body: { error: expect.stringMatching(/^[A-Z_]+$/), message: expect.stringMatching(message) },
    });
  });

  it("answers 400 to an address that cannot be decoded, like any other error", async () => {
    expect(await call("GET", "/users/%zz")).toMatchObject({
      status: 400,
      body: { error: "FST_ERR_BAD_URL", message: expect.stringContaining("%zz") },
    });
  });

  it("does not take numbers for text", async () => {
    expect(await call("POST", "/users", { userId: 1, email: 2 })).toMatchObject({ status: 422 });
  });

  it("answers 400 to a header that cannot travel with a message", async () => {
    expect(await call("POST", "/users", ada, { "x-role": "caf\u00e9" })).toMatchObject({
      status: 400,
      body: { error: "INVALID_MESSAGE", message: expect.any(String) },
    });
  });
});

describe("GET /users", () => {
  it("lists them", async () => {
    expect(await call("GET", "/users")).toMatchObject({ status: 200, body: [] });
    await call("POST", "/users", ada);
    expect(await call("GET", "/users")).toMatchObject({ status: 200, body: [ada] });
  });

  it("answers 404 to an id without a user, 422 to an invalid id", async () => {
    expect(await call("GET", "/users/u9")).toMatchObject({
      status: 404,
      body: { error: "USER_NOT_FOUND", message: "There is no user u9." },
    });
    expect(await call("GET", "/users/%20")).toMatchObject({ status: 422 });
  });
});

describe("PATCH /users/:id", () => {
  it("changes the address: 204", async () => {
    await call("POST", "/users", ada);
    expect(await call("PATCH", "/users/u1", { email: "lovelace@example.com" })).toMatchObject({
      status: 204,
      body: undefined,
    });
    expect(await call("GET", "/users/u1")).toMatchObject({ body: { email: "lovelace@example.com" } });
  });

  it("answers 404 to an unknown user, 422 to a bad address", async () => {
    expect(await call("PATCH", "/users/u9", { email: "x@example.com" })).toMatchObject({ status: 404 });
    await call("POST", "/users", ada);
    expect(await call("PATCH", "/users/u1", { email: "nobody" })).toMatchObject({
      status: 422,
      body: { issues: [{ path: "email", message: "must be an e-mail address" }] },
    });
    expect(await call("PATCH", "/users/u1", {})).toMatchObject({ status: 422 });
    expect(await call("GET", "/users/u1")).toMatchObject({ body: ada });
  });
});

describe("DELETE /users/:id", () => {
  it("needs the role: 403, and nothing is deleted", async () => {
    await call("POST", "/users", ada);
    for (const headers of [{}, { "x-role": "user" }, { "x-role": "admin, user" }]) {
      expect(await call("DELETE", "/users/u1", undefined, headers)).toMatchObject({
        status: 403,
        body: { error: "UNAUTHORIZED", message: "You may not do this." },
      });
    }
    expect(await call("GET", "/users/u1")).toMatchObject({ status: 200 });
  });

  it("deletes: 204, and then 404", async () => {
    await call("POST", "/users", ada);
    expect(await call("DELETE", "/users/u1", undefined, admin)).toMatchObject({ status: 204 });
    expect(await call("GET", "/users/u1")).toMatchObject({ status: 404 });
    expect(await call("DELETE", "/users/u1", undefined, admin)).toMatchObject({ status: 404 });
  });
});

describe("the service", () => {
  it("tells its health, and how many messages are in flight", async () => {
    let open = (): void => undefined;
    class SlowStore extends MemoryStore {
      override insert(): never {
        return new Promise<boolean>((resolve) => (open = () => resolve(true))) as never;
      }
    }
    await api.close(0);
    build(new SlowStore());
    expect(await call("GET", "/health")).toMatchObject({ status: 200, body: { status: "ok", inFlight: 0 } });

    const begun = new Promise((resolve) => buses.commandBus.messages$.subscribe(resolve));
    const creating = call("POST", "/users", ada);
    await begun;
    expect(await call("GET", "/health")).toMatchObject({ body: { inFlight: 1 } });
    open();
    expect(await creating).toMatchObject({ status: 201 });
    expect(await call("GET", "/health")).toMatchObject({ body: { inFlight: 0 } });
  });

  it("answers 404 where there is nothing, in the form of all its errors", async () => {
    expect(await call("GET", "/nowhere")).toMatchObject({ status: 404, body: { error: "NOT_FOUND" } });
  });

  it("hides an unexpected error: 500, logged", async () => {
    class BrokenStore extends MemoryStore {
      override list(): never {
        throw new Error("password=hunter2");
      }
    }
    const logged: string[] = [];
    await api.close(0);
    api = buildApp(pino({}, { write: (line) => logged.push(line) }), new BrokenStore());
    ({ app, buses } = api);
    expect(await call("GET", "/users")).toMatchObject({
      status: 500,
      body: { error: "INTERNAL", message: "Something went wrong." },
    });
    expect(logged.join("")).toContain("hunter2");
  });

  it("writes HTTP requests and messages to one log, without addresses", async () => {
    const logged: { msg: string; bus?: string }[] = [];
    await api.close(0);
    api = buildApp(pino({}, { write: (line) => logged.push(JSON.parse(line) as { msg: string }) }));
    ({ app, buses } = api);
    await call("POST", "/users", ada);
    const texts = logged.map(({ msg }) => msg);
    expect(texts).toContain("incoming request");
    expect(logged).toContainEqual(
      expect.objectContaining({ bus: "CommandBus", msg: "CreateUser fulfilled" }),
    );
    expect(logged).toContainEqual(expect.objectContaining({ bus: "EventBus", msg: "UserCreated fulfilled" }));
    expect(JSON.stringify(logged)).not.toContain("ada@example.com");
  });

  it("passes the request's id and the cause on to its effects", async () => {
    const seen: Envelope[] = [];
    buses.commandBus.messages$.subscribe((envelope) => seen.push(envelope));
    buses.eventBus.messages$.subscribe((envelope) => seen.push(envelope));
    await call("POST", "/users", ada);
    const [command, event] = seen;
    expect(command?.meta.headers).toEqual({ "x-request-id": expect.any(String) });
    expect(event?.meta).toMatchObject({ name: "UserCreated", causationId: command!.meta.id });
  });

  it("answers 503 once it is closing", async () => {
    await Promise.all([buses.commandBus.close(), buses.queryBus.close()]);
    expect(await call("POST", "/users", ada)).toMatchObject({
      status: 503,
      body: { error: "SHUTTING_DOWN" },
    });
  });
});

describe("the command line", () => {
  const lines: string[] = [];
  const cli = (...args: string[]): Promise<number> => runCli(buses, args, (line) => lines.push(line));

  beforeEach(() => {
    lines.length = 0;
  });

  it("shares the buses with HTTP", async () => {
    expect(await cli("create", "u1", "ada@example.com")).toBe(0);
    expect(await call("GET", "/users/u1")).toMatchObject({ status: 200, body: ada });
    await call("POST", "/users", { userId: "u2", email: "grace@example.com" });
    expect(await cli("change", "u1", "lovelace@example.com")).toBe(0);
    expect(await cli("list")).toBe(0);
    expect(await cli("get", "u2")).toBe(0);
    expect(lines).toEqual(["u1  lovelace@example.com\nu2  grace@example.com", "u2  grace@example.com"]);
  });

  it("may delete, as the operator", async () => {
    await cli("create", "u1", "ada@example.com");
    expect(await cli("delete", "u1")).toBe(0);
    expect(await cli("get", "u1")).toBe(1);
    expect(lines).toEqual(["There is no user u1."]);
  });

  it("prints the error, and fails", async () => {
    expect(await cli("create", "u1", "nobody")).toBe(1);
    expect(await cli("delete", "u1")).toBe(1);
    expect(await cli("dance")).toBe(2);
    expect(await cli()).toBe(2);
    expect(lines).toEqual([
      "This is not valid; see issues.\n  email must be an e-mail address",
      "There is no user u1.",
      expect.stringContaining("Usage: cli.ts create|"),
      expect.stringContaining("Usage: cli.ts create|"),
    ]);
  });

  it("keeps users in a file between runs", async () => {
    await inTemporaryFolder(async (folder) => {
      const env = { USERS_FILE: join(folder, "users.json") };
      const run = async (...args: string[]): Promise<[number | null, string]> => {
        await using child = Child.of("examples/users-api/cli.ts", args, env);
        const { code } = await child.exited;
        return [code, child.printed];
      };
      expect(await run("create", "u1", "ada@example.com")).toEqual([0, ""]);
      expect(await run("create", "u1", "ada@example.com")).toEqual([1, "User u1 exists already.\n"]);
      for (const broken of ["{", "{}"]) {
        writeFileSync(env.USERS_FILE, broken);
        expect(await run("list")).toEqual([
          1,
          expect.stringMatching(
            /^Could not start: .*users\.json (cannot be read|holds no valid list of users)/,
          ),
        ]);
      }
    });
  });
});

describe("the job", () => {
  beforeEach(() => void jest.useFakeTimers({ doNotFake: ["nextTick", "queueMicrotask", "setImmediate"] }));
  afterEach(() => void jest.useRealTimers());

  it("asks on the same buses, at once and at each tick, until it is stopped", async () => {
    const logged: unknown[] = [];
    const logger = pino({}, { write: (line) => logged.push((JSON.parse(line) as { users: unknown }).users) });
    const asked: object[] = [];
    buses.queryBus.messages$.subscribe(({ payload }) => asked.push(payload));
    await call("POST", "/users", ada);
    const timers = jest.getTimerCount();

    const job = startUserCount(buses, logger, 1_000);
    await jest.advanceTimersByTimeAsync(2_500);
    expect(asked).toEqual([new ListUsers(), new ListUsers(), new ListUsers()]);
    expect(logged).toEqual([1, 1, 1]);

    job.unsubscribe();
    expect(jest.getTimerCount()).toBe(timers);
  });

  it("skips a tick while a run is under way, and survives one that fails", async () => {
    const runs: PromiseWithResolversLike[] = [];
    class SlowStore extends MemoryStore {
      override list(): never {
        return new Promise((resolve, reject) => runs.push({ resolve, reject })) as never;
      }
    }
    await api.close(0);
    build(new SlowStore());
    const job = startUserCount(buses, silent, 1_000);
    await jest.advanceTimersByTimeAsync(3_500);
    expect(runs).toHaveLength(1);
    runs[0]!.reject(new Error("no database"));
    await jest.advanceTimersByTimeAsync(1_000);
    expect(runs).toHaveLength(2);

    expect(buses.queryBus.inFlight).toBe(1);
    job.unsubscribe();
    expect(buses.queryBus.inFlight).toBe(0);
  });

  it("does not keep the process alive", () => {
    const setInterval = jest.spyOn(globalThis, "setInterval");
    const job = startUserCount(buses, silent);
    expect(setInterval.mock.results.map(({ value }) => (value as NodeJS.Timeout).hasRef())).toEqual([false]);
    job.unsubscribe();
    setInterval.mockRestore();
  });
});

interface PromiseWithResolversLike {
  resolve(value: never): void;
  reject(reason: unknown): void;
}

describe("GET /audit", () => {
  const closing: (() => Promise<unknown>)[] = [];
  afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

  async function listen(server: FastifyInstance = app): Promise<string> {
    return server.listen({ port: 0, host: "127.0.0.1" });
  }

  /** The audit stream alone, over buses whose observers are counted. */
  async function counted(
    pingMs?: number,
  ): Promise<{ url: string; commandBus: CommandBus; observers: Count }> {
    const observers = new Count();
    const commandBus = observers.watch(new CommandBus());
    const server = fastify({ forceCloseConnections: true });
    const [queryBus, eventBus] = [observers.watch(new QueryBus()), observers.watch(new EventBus())];
    auditRoute(server, { commandBus, queryBus, eventBus }, pingMs);
    closing.push(() => server.close());
    return { url: await listen(server), commandBus, observers };
  }

  it("sends one event for each outcome of all buses, without payloads", async () => {
    const url = await listen();
    const response = await fetch(`${url}/audit`);
    expect(response.headers.get("content-type")).toBe("text/event-stream");
    expect(response.headers.get("cache-control")).toContain("no-cache");
    const events = new EventReader(response);
    const sent: Envelope[] = [];
    for (const bus of [buses.commandBus, buses.queryBus, buses.eventBus])
      bus.outcomes$.subscribe(({ envelope }) => sent.push(envelope));

    await call("POST", "/users", ada);
    await call("GET", "/users/u1");
    // Not a command at all, because its class refuses it.
    await call("POST", "/users", { ...ada, email: "secret" });
    await call("POST", "/users", ada);
    await call("DELETE", "/users/u1");

    const received = await events.take(5);
    expect(received.map(({ id, type }) => [id, type])).toEqual(sent.map(({ meta }) => [meta.id, meta.name]));
    expect(received.map(({ type }) => type)).toEqual([
      "UserCreated",
      "CreateUser",
      "GetUser",
      "CreateUser",
      "DeleteUser",
    ]);
    expect(received.map(({ data }) => JSON.parse(data) as unknown)).toEqual([
      { status: "fulfilled", ...fieldsOf(sent[0]!), causationId: sent[1]!.meta.id },
      { status: "fulfilled", ...fieldsOf(sent[1]!) },
      { status: "fulfilled", ...fieldsOf(sent[2]!) },
      { status: "rejected", error: "USER_EXISTS", ...fieldsOf(sent[3]!) },
      { status: "rejected", error: "UNAUTHORIZED", ...fieldsOf(sent[4]!) },
    ]);
    expect(JSON.stringify(received)).not.toMatch(/example\.com|secret/);
    expect(events.comments).toEqual(["connected"]);

    await api.close(1_000);
    expect(await events.next()).toBeUndefined();
  });

  it("sends every client each event once", async () => {
    const url = await listen();
    const clients = await Promise.all(
      [1, 2, 3].map(async () => new EventReader(await fetch(`${url}/audit`))),
    );
    await call("POST", "/users", ada);
    await api.close(1_000);
    for (const client of clients) {
      expect(await client.next()).toMatchObject({ type: "UserCreated" });
      expect(await client.next()).toMatchObject({ type: "CreateUser" });
      expect(await client.next()).toBeUndefined();
    }
  });

  it("keeps the connection alive with comments", async () => {
    const { url, commandBus } = await counted(1);
    class Ping {}
    commandBus.register(Ping, () => undefined);
    const events = new EventReader(await fetch(`${url}/audit`));
    // Comments come by themselves; an event behind some of them makes the reader return.
    const reading = events.next();
    while (!events.comments.includes("ping")) await new Promise((resolve) => setImmediate(resolve));
    await commandBus.dispatch(new Ping());
    expect(await reading).toMatchObject({ type: "Ping" });
  });

  it("159 frees its subscriptions when a client leaves, with no later message", async () => {
    const { url, observers } = await counted();
    const leaving = new AbortController();
    await fetch(`${url}/audit`, { signal: leaving.signal });
    expect(observers.count).toBe(3);
    leaving.abort();
    await observers.none();
  });

  it("160 keeps nothing for a client that is gone before it is served", async () => {
    const { url, observers } = await counted();
    for (let round = 0; round < 20; round++) {
      const leaving = new AbortController();
      const request = fetch(`${url}/audit`, { signal: leaving.signal }).catch(() => undefined);
      setImmediate(() => leaving.abort());
      await request;
    }
    await observers.none();
  });

  it("162 close() ends open streams at once", async () => {
    const url = await listen();
    const clients = await Promise.all(
      [1, 2, 3].map(async () => new EventReader(await fetch(`${url}/audit`))),
    );
    // The test would time out if closing waited for its deadline.
    await api.close(3_600_000);
    expect(await Promise.all(clients.map((client) => client.next()))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });

  it("is ended by the end of the buses, too", async () => {
    const { url, observers } = await counted();
    const events = new EventReader(await fetch(`${url}/audit`));
    await Promise.all(observers.buses.map((bus) => bus.close()));
    expect(await events.next()).toBeUndefined();
    await observers.none();
  });

  it("V26 close() waits for no client that never asks, and for none that does not read", async () => {
    const port = Number(new URL(await listen()).port);
    const silent = connect(port, "127.0.0.1");
    await once(silent, "connect");
    const deaf = connect(port, "127.0.0.1").pause();
    deaf.write("GET /audit HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const ends = [silent, deaf].map(
      (socket) => new Promise((resolve) => socket.on("error", () => undefined).once("close", resolve)),
    );
    await api.close(10_000);
    deaf.resume();
    await Promise.all(ends);
  });

  it("has no HEAD that would never end", async () => {
    expect((await app.inject({ method: "HEAD", url: "/audit" })).statusCode).toBe(404);
  });
});

function fieldsOf({ meta }: Envelope): object {
  return {
    time: new Date(meta.time).toISOString(),
    durationMs: expect.any(Number),
    correlationId: meta.correlationId,
  };
}

/** How many observers the outcomes of some buses have. */
class Count {
  count = 0;
  readonly buses: (CommandBus | QueryBus | EventBus)[] = [];
  #changed: () => void = () => undefined;

  watch<B extends CommandBus | QueryBus | EventBus>(bus: B): B {
    this.buses.push(bus);
    const outcomes$: Observable<unknown> = bus.outcomes$;
    const value = defer(() => {
      this.count++;
      return outcomes$.pipe(
        finalize(() => {
          this.count--;
          this.#changed();
        }),
      );
    });
    return Object.defineProperty(bus, "outcomes$", { value });
  }

  async none(): Promise<void> {
    while (this.count > 0) await new Promise<void>((resolve) => (this.#changed = resolve));
  }
}

describe("SIGTERM", () => {
  const service = "spec/examples/support/gated-service.ts";

  async function started(
    folder: string,
    env: NodeJS.ProcessEnv = {},
  ): Promise<{ child: Child; url: string }> {
    const child = Child.of(service, [], { PORT: "0", LEDGER: join(folder, "ledger"), ...env });
    const [, url] = await child.match(/curl -i (http:\S+)\/users\/u1/);
    return { child, url: url! };
  }

  function create(url: string, userId: string): Promise<number> {
    return fetch(`${url}/users`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ userId, email: "ada@example.com" }),
    }).then(({ status }) => status);
  }

  /** The canary: a service that is started after the other has gone does its work. */
  async function nextServes(folder: string): Promise<void> {
    const { child, url } = await started(folder);
    await using _ = child;
    const creating = create(url, "canary");
    await child.match(/waiting: 1\b/);
    child.send("go on");
    expect(await creating).toBe(201);
  }

  it("58 with requests in flight exits 0 within the grace, each effect once", async () => {
    await inTemporaryFolder(async (folder) => {
      const { child, url } = await started(folder);
      await using _ = child;
      const ids = Array.from({ length: 50 }, (_, index) => `u${index}`);
      const creating = Promise.all(ids.map((id) => create(url, id)));
      const audit = new EventReader(await fetch(`${url}/audit`));
      await child.match(/waiting: 50\b/);

      child.kill("SIGTERM");
      await child.match(/SIGTERM: shutting down/);
      expect(await audit.next()).toBeUndefined();
      await expect(create(url, "late")).rejects.toThrow();
      child.send("go on");

      expect(await creating).toEqual(ids.map(() => 201));
      expect(await child.exited).toEqual({ code: 0, signal: null });
      expect(readFileSync(join(folder, "ledger"), "utf8").trim().split("\n").sort()).toEqual(ids.sort());
      expect(child.printed).toContain("bye");
      await nextServes(folder);
    });
  });

  it("58 a second time exits at once, non-zero", async () => {
    await inTemporaryFolder(async (folder) => {
      const { child, url } = await started(folder);
      await using _ = child;
      const creating = create(url, "u1").catch(() => "cut off");
      await child.match(/waiting: 1\b/);
      child.kill("SIGTERM");
      await child.match(/SIGTERM: shutting down/);
      child.kill("SIGTERM");
      expect(await child.exited).toEqual({ code: 1, signal: null });
      expect(await creating).toBe("cut off");
      await nextServes(folder);
    });
  });

  it("58 with work that does not end answers 503 at the end of the grace, and exits 0", async () => {
    await inTemporaryFolder(async (folder) => {
      const { child, url } = await started(folder, { GRACE_MS: "200" });
      await using _ = child;
      const creating = create(url, "u1");
      await child.match(/waiting: 1\b/);
      child.kill("SIGINT");
      expect(await creating).toBe(503);
      expect(await child.exited).toEqual({ code: 0, signal: null });
      await nextServes(folder);
    });
  });
});

async function inTemporaryFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "cqrx-"));
  try {
    await run(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
