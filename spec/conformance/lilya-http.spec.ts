import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  around,
  command,
  CommandBus,
  defaultCommandBus,
  defaultQueryBus,
  Query,
  query,
  QueryBus,
} from "cqrx";

/** A server, as every runtime with `fetch` defines it. */
type Fetch = (request: Request) => Promise<Response>;

const url = (path: string): string => new URL(path, "http://localhost").href;
const get = (path: string): Request => new Request(url(path));
const post = (path: string, body: unknown): Request =>
  new Request(url(path), { method: "POST", body: typeof body === "string" ? body : JSON.stringify(body) });
const notFound = (): Response => Response.json({ detail: "not found" }, { status: 404 });
const lastOf = (request: Request): string => new URL(request.url).pathname.split("/").at(-1)!;

async function answer(response: Promise<Response>): Promise<[status: number, body: unknown]> {
  const { status } = await response;
  return [status, await (await response).json()];
}

describe("an application with the default buses", () => {
  class Put {
    readonly key: string;
    readonly value: string;

    constructor(key: string, value: string) {
      this.key = key;
      this.value = value;
    }
  }
  class Get extends Query<string | undefined> {
    readonly key: string;

    constructor(key: string) {
      super();
      this.key = key;
    }
  }

  beforeEach(() => {
    defaultCommandBus.reset();
    defaultQueryBus.reset();
  });

  it("L28 answers a POST with ok, a GET with the value, and a GET of an unknown key with 404", async () => {
    const store = new Map<string, string>();
    command(Put)(({ key, value }) => void store.set(key, value));
    query(Get)(({ key }) => store.get(key));

    const app: Fetch = async (request) => {
      if (request.method === "POST") {
        const { key, value } = (await request.json()) as Put;
        await defaultCommandBus.dispatch(new Put(key, value));
        return Response.json({ ok: true });
      }
      const value = await defaultQueryBus.ask(new Get(lastOf(request)));
      return value === undefined ? notFound() : Response.json({ value });
    };

    expect(await answer(app(post("/kv", { key: "k", value: "v" })))).toEqual([200, { ok: true }]);
    expect(await answer(app(get("/kv/k")))).toEqual([200, { value: "v" }]);
    expect(await answer(app(get("/kv/other")))).toEqual([404, { detail: "not found" }]);
  });
});

describe("an application whose bus has middleware", () => {
  class Note {
    readonly value: number;

    constructor(value: number) {
      this.value = value;
    }
  }

  it("L29 answers with what the handler saw after the middleware had added 1", async () => {
    let seen = 0;
    const bus = new CommandBus({
      middleware: [around<Note>((message, next) => next(new Note(message.value + 1)))],
    });
    bus.register(Note, ({ value }) => void (seen = value));
    const app: Fetch = async (request) => {
      await bus.dispatch(new Note(((await request.json()) as Note).value));
      return Response.json({ seen });
    };

    expect(await answer(app(post("/notes", { value: 1 })))).toEqual([200, { seen: 2 }]);
  });
});

describe("an application with explicit buses", () => {
  class CreateUser {
    readonly userId: string;
    readonly email: string;

    constructor(userId: string, email: string) {
      this.userId = userId;
      this.email = email;
    }
  }
  class GetUserEmail extends Query<string | null> {
    readonly userId: string;

    constructor(userId: string) {
      super();
      this.userId = userId;
    }
  }

  function application(): { app: Fetch; accepted: unknown[] } {
    const users = new Map<string, string>();
    const accepted: unknown[] = [];
    const commandBus = new CommandBus();
    const queryBus = new QueryBus();
    commandBus.messages$.subscribe(({ payload }) => accepted.push(payload));
    queryBus.messages$.subscribe(({ payload }) => accepted.push(payload));
    commandBus.register(CreateUser, ({ userId, email }) => void users.set(userId, email));
    queryBus.register(GetUserEmail, ({ userId }) => users.get(userId) ?? null);

    const create: Fetch = async (request) => {
      const body = (await request.json().catch(() => undefined)) as
        { user_id: string; email: string } | undefined;
      if (body === undefined) return Response.json({ detail: "not JSON" }, { status: 400 });
      await commandBus.dispatch(new CreateUser(body.user_id, body.email));
      return Response.json({ status: "created" }, { status: 201 });
    };
    const read: Fetch = async (request) => {
      const userId = lastOf(request);
      const email = await queryBus.ask(new GetUserEmail(userId));
      return email === null ? notFound() : Response.json({ user_id: userId, email });
    };
    return { app: (request) => (request.method === "POST" ? create(request) : read(request)), accepted };
  }

  it("L30 creates a user with 201 and reads it with 200", async () => {
    const { app, accepted } = application();

    expect(await answer(app(post("/users", { user_id: "u1", email: "a@b.com" })))).toEqual([
      201,
      { status: "created" },
    ]);
    expect(await answer(app(get("/users/u1")))).toEqual([200, { user_id: "u1", email: "a@b.com" }]);
    expect(accepted).toEqual([new CreateUser("u1", "a@b.com"), new GetUserEmail("u1")]);
  });

  it("L31 answers 404 for an unknown user", async () => {
    expect(await answer(application().app(get("/users/nobody")))).toEqual([404, { detail: "not found" }]);
  });

  it("L32 answers broken JSON with a client error, and never calls the bus", async () => {
    const { app, accepted } = application();

    const { status } = await app(post("/users", "{broken"));
    expect(status).toBeGreaterThanOrEqual(400);
    expect(status).toBeLessThan(500);
    expect(accepted).toEqual([]);
  });
});
