import { setTimeout as hold } from "node:timers/promises";
import { MessageChannel } from "node:worker_threads";
import { beforeEach, describe, expect, it, jest } from "@jest/globals";
import {
  around,
  command,
  Command,
  CommandBus,
  defaultCommandBus,
  defaultQueryBus,
  Envelope,
  HandlerAlreadyRegisteredError,
  HandlerNotFoundError,
  HandlerRegistry,
  InvalidMessageError,
  Query,
  query,
  QueryBus,
  type HandlerContext,
  type Middleware,
} from "cqrx";
import { validation } from "cqrx/middleware";
import { EMPTY, lastValueFrom, of, tap, toArray } from "rxjs";
import { z } from "zod";

class CreateUser extends Command {
  readonly userId: string;
  readonly email: string;

  constructor(userId: string, email: string) {
    super();
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

const users = new Map<string, string>();
const createUser = ({ userId, email }: CreateUser): void => void users.set(userId, email);
const getUserEmail = ({ userId }: GetUserEmail): string | null => users.get(userId) ?? null;

function application(middleware: { commands?: Middleware[]; queries?: Middleware[] } = {}): {
  commandBus: CommandBus;
  queryBus: QueryBus;
} {
  const commandBus = new CommandBus({ middleware: middleware.commands ?? [] });
  const queryBus = new QueryBus({ middleware: middleware.queries ?? [] });
  commandBus.register(CreateUser, createUser);
  queryBus.register(GetUserEmail, getUserEmail);
  return { commandBus, queryBus };
}

const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "fulfilled",
    (reason: unknown) => reason,
  );

beforeEach(() => {
  users.clear();
  defaultCommandBus.reset();
  defaultQueryBus.reset();
});

describe("commands and queries", () => {
  it("S01 a query cannot be registered on a command bus, nor a command on a query bus", () => {
    const { commandBus, queryBus } = application();

    expect(() => commandBus.register(GetUserEmail as unknown as typeof CreateUser, () => {})).toThrow(
      InvalidMessageError,
    );
    expect(() => queryBus.register(CreateUser as unknown as typeof GetUserEmail, () => null)).toThrow(
      InvalidMessageError,
    );
  });

  it("S02 commands and queries pass through the middleware of their own bus only", async () => {
    const seen: string[] = [];
    const { commandBus, queryBus } = application({
      commands: [tap(({ message }) => seen.push(`commands: ${message.constructor.name}`))],
      queries: [tap(({ message }) => seen.push(`queries: ${message.constructor.name}`))],
    });

    await commandBus.dispatch(new CreateUser("u1", "a@b.com"));
    await queryBus.ask(new GetUserEmail("u1"));
    expect(seen).toEqual(["commands: CreateUser", "queries: GetUserEmail"]);
    expect(commandBus.describe().handlers.map(({ messageType }) => messageType)).toEqual(["CreateUser"]);
    expect(queryBus.describe().handlers.map(({ messageType }) => messageType)).toEqual(["GetUserEmail"]);
  });

  it("S12 dispatch$ emits undefined once, for any result of its handler, streams included", async () => {
    const returned = [
      () => 42,
      async () => "secret",
      () => of("secret", "values"),
      async () => of("secret"),
      () => EMPTY,
      async () => EMPTY,
    ];
    for (const handler of returned) {
      const bus = new CommandBus();
      bus.register(CreateUser, handler);
      const emitted = bus.dispatch$(new CreateUser("u1", "a@b.com")).pipe(toArray());
      expect(await lastValueFrom(emitted, { defaultValue: [] })).toEqual([undefined]);
    }
  });

  it("S12 S40 a command resolves to undefined for any result of its handler", async () => {
    class Returning {
      readonly value: unknown;

      constructor(value: unknown) {
        this.value = value;
      }
    }
    const bus = new CommandBus({ middleware: [around(async (_, next) => (await next()) ?? "middleware")] });
    bus.register(Returning, ({ value }) => value);

    for (const value of [42, "text", Promise.resolve("later"), of(1, 2), undefined]) {
      const result: unknown = await bus.dispatch(new Returning(value));
      expect(result).toBeUndefined();
    }
  });

  it("S14 messages and handlers need no base class and no container", async () => {
    class Plain {
      readonly text = "plain";
    }
    const heard: string[] = [];
    const bus = new CommandBus();
    bus.register(Plain, (message) => void heard.push(message.text));

    await bus.dispatch(new Plain());
    expect(heard).toEqual(["plain"]);
  });

  it("S25 a user is created, a password updated, an order deleted and an email sent by commands", async () => {
    class UpdatePassword extends Command {
      readonly hash: string;

      constructor(hash: string) {
        super();
        this.hash = hash;
      }
    }
    class DeleteOrder extends Command {
      readonly orderId: string;

      constructor(orderId: string) {
        super();
        this.orderId = orderId;
      }
    }
    class SendEmail extends Command {
      readonly to: string;

      constructor(to: string) {
        super();
        this.to = to;
      }
    }
    const done: string[] = [];
    const { commandBus } = application();
    commandBus.register(UpdatePassword, ({ hash }) => void done.push(hash));
    commandBus.register(DeleteOrder, ({ orderId }) => void done.push(orderId));
    commandBus.register(SendEmail, ({ to }) => void done.push(to));

    await commandBus.dispatch(new CreateUser("u1", "a@b.com"));
    await commandBus.dispatch(new UpdatePassword("hash"));
    await commandBus.dispatch(new DeleteOrder("o1"));
    await commandBus.dispatch(new SendEmail("a@b.com"));
    expect(users.get("u1")).toBe("a@b.com");
    expect(done).toEqual(["hash", "o1", "a@b.com"]);
  });

  it("S26 the handler gets the very object that was dispatched", async () => {
    const handler = jest.fn();
    const bus = new CommandBus();
    bus.register(CreateUser, handler);
    const command = Object.freeze(new CreateUser("u1", "a@b.com"));

    await bus.dispatch(command);
    expect(handler.mock.calls[0]?.[0]).toBe(command);
  });

  it("S27 a command is validated before its handler runs, by a schema on its class", async () => {
    class Checked extends CreateUser {
      static readonly schema = z.object({ userId: z.string(), email: z.email() });
    }
    const handler = jest.fn();
    const bus = new CommandBus({ middleware: [validation()] });
    bus.register(Checked, handler);

    const reason = await reasonOf(bus.dispatch(new Checked("u1", "nonsense")));
    expect(reason).toBeInstanceOf(InvalidMessageError);
    expect(reason).toMatchObject({ path: "payload.email", issues: [expect.anything()] });
    expect(() => Envelope.fromJSON({ payload: { userId: "u1", email: "nonsense" } }, Checked)).toThrow(
      expect.objectContaining({ path: "payload.email" }),
    );
    expect(handler).not.toHaveBeenCalled();
    await bus.dispatch(new Checked("u1", "a@b.com"));
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it("S28 a command may fail, and its error keeps its class and fields", async () => {
    class EmailTaken extends Error {
      readonly email: string;

      constructor(email: string) {
        super(`${email} is taken`);
        this.email = email;
      }
    }
    const bus = new CommandBus();
    bus.register(CreateUser, ({ email }) => Promise.reject(new EmailTaken(email)));

    const reason = await reasonOf(bus.dispatch(new CreateUser("u1", "a@b.com")));
    expect(reason).toBeInstanceOf(EmailTaken);
    expect(reason).toMatchObject({ email: "a@b.com", message: "a@b.com is taken" });
  });

  it("S29 a profile is read, orders are listed and permissions checked by queries", async () => {
    class Profile extends Query<{ readonly name: string }> {}
    class ListOrders extends Query<readonly string[]> {}
    class MayDelete extends Query<boolean> {}
    const bus = new QueryBus();
    bus.register(Profile, () => ({ name: "ada" }));
    bus.register(ListOrders, async () => ["o1", "o2"]);
    bus.register(MayDelete, () => of(false));

    expect(await bus.ask(new Profile())).toEqual({ name: "ada" });
    expect(await bus.ask(new ListOrders())).toEqual(["o1", "o2"]);
    expect(await bus.ask(new MayDelete())).toBe(false);
  });

  it("S30 a query returns its handler's value as it is, falsy ones included", async () => {
    class Echo extends Query<unknown> {
      readonly value: unknown;

      constructor(value: unknown) {
        super();
        this.value = value;
      }
    }
    const bus = new QueryBus();
    bus.register(Echo, ({ value }) => value);

    for (const value of [null, undefined, 0, "", false, NaN, Object.freeze({})])
      expect(await bus.ask(new Echo(value))).toBe(value);
  });
});

describe("the parts", () => {
  it("S10 S38 a query reads what a command of the quick start has written", async () => {
    const users = new Map<string, string>();
    const commandBus = new CommandBus();
    const queryBus = new QueryBus();

    commandBus.register(CreateUser, ({ userId, email }) => void users.set(userId, email));
    queryBus.register(GetUserEmail, ({ userId }) => users.get(userId) ?? null);

    await commandBus.dispatch(new CreateUser("u1", "ada@example.com"));
    const email = await queryBus.ask(new GetUserEmail("u1"));

    expect(email).toBe("ada@example.com");
  });

  it("S17 S18 a QueryBus reads before and after what a CommandBus changes", async () => {
    const { commandBus, queryBus } = application();

    expect(await queryBus.ask(new GetUserEmail("u1"))).toBeNull();
    await commandBus.dispatch(new CreateUser("u1", "a@b.com"));
    expect(await queryBus.ask(new GetUserEmail("u1"))).toBe("a@b.com");
  });

  it("S19 a bus takes an envelope, and observers see it", async () => {
    const { commandBus } = application();
    const seen: unknown[] = [];
    commandBus.messages$.subscribe((envelope) => seen.push(envelope));
    const envelope = Envelope.of(new CreateUser("u1", "a@b.com"));

    await commandBus.dispatch(envelope);
    expect(users.get("u1")).toBe("a@b.com");
    expect(seen).toEqual([envelope]);
  });

  it("S20 a registry takes handlers before its bus is made", async () => {
    const registry = new HandlerRegistry();
    registry.register(CreateUser, createUser);

    await new CommandBus({ registry }).dispatch(new CreateUser("u1", "a@b.com"));
    expect(users.get("u1")).toBe("a@b.com");
  });

  it("S21 middleware is optional, and a bus without any says so", async () => {
    const { commandBus } = application();

    expect(commandBus.describe().middleware).toEqual([]);
    await commandBus.dispatch(new CreateUser("u1", "a@b.com"));
    expect(users.size).toBe(1);
  });

  it("S22 S57 registration by decorator is as good as by register()", async () => {
    const [byDecorator, byHand] = [new CommandBus(), new CommandBus()];
    command(CreateUser, byDecorator)(createUser);
    byHand.register(CreateUser, createUser);

    expect(byDecorator.describe()).toEqual(byHand.describe());
    await byDecorator.dispatch(new CreateUser("u1", "a@b.com"));
    await byHand.dispatch(new CreateUser("u2", "c@d.com"));
    expect([...users.keys()]).toEqual(["u1", "u2"]);
  });

  it("S56 decorated functions register on the default buses", async () => {
    command(CreateUser)(createUser);
    query(GetUserEmail)(getUserEmail);

    await defaultCommandBus.dispatch(new CreateUser("u1", "a@b.com"));
    expect(await defaultQueryBus.ask(new GetUserEmail("u1"))).toBe("a@b.com");
  });

  it("S08 S58 explicit buses share nothing with each other nor with the default ones", async () => {
    const [one, other] = [application(), application()];
    const outcomes = jest.fn();
    other.commandBus.outcomes$.subscribe(outcomes);
    defaultCommandBus.outcomes$.subscribe(outcomes);
    class OnlyHere {}
    one.commandBus.register(OnlyHere, () => {});

    await one.commandBus.dispatch(new OnlyHere());
    await expect(other.commandBus.dispatch(new OnlyHere())).rejects.toBeInstanceOf(HandlerNotFoundError);
    await expect(defaultCommandBus.dispatch(new OnlyHere())).rejects.toBeInstanceOf(HandlerNotFoundError);
    expect(outcomes).not.toHaveBeenCalled();
  });

  it("S61 a message without a registered handler is not handled, even if it is named like an inherited function", async () => {
    const { commandBus } = application();
    const Namesake = { CreateUser: class extends CreateUser {} }.CreateUser;

    expect(Namesake.name).toBe("CreateUser");
    await expect(commandBus.dispatch(new Namesake("u1", ""))).rejects.toBeInstanceOf(HandlerNotFoundError);
    expect(users.size).toBe(0);
  });
});

describe("handlers", () => {
  it("S07 S35 synchronous and asynchronous handlers are dispatched to in one way", async () => {
    async function* iterate(value: string): AsyncGenerator<string> {
      yield value;
    }
    const forms = [
      (value: string) => value,
      async (value: string) => Promise.resolve(value),
      (value: string) => of(value),
      iterate,
    ];
    for (const form of forms) {
      const bus = new QueryBus();
      bus.register(GetUserEmail, ({ userId }) => form(userId));
      expect(await bus.ask(new GetUserEmail("u1"))).toBe("u1");
    }
  });

  it("S34 handlers are functions, bound methods, or objects with a handle method", async () => {
    class Users {
      readonly #prefix = "user ";

      handle({ userId }: GetUserEmail): string {
        return this.#prefix + userId;
      }
    }
    const service = new Users();
    function named({ userId }: GetUserEmail): string {
      return `user ${userId}`;
    }
    for (const handler of [named, service, service.handle.bind(service), (m: GetUserEmail) => named(m)]) {
      const bus = new QueryBus();
      bus.register(GetUserEmail, handler);
      expect(await bus.ask(new GetUserEmail("u1"))).toBe("user u1");
    }
  });

  it("S36 a handler is tested by calling it, with no bus", () => {
    createUser(new CreateUser("u1", "a@b.com"));

    expect(getUserEmail(new GetUserEmail("u1"))).toBe("a@b.com");
  });

  it("S37 S48 one handler serves two buses, and one bus an endpoint, a command line, a resolver, a job and a service", async () => {
    const { commandBus } = application();
    const second = application().commandBus;
    const endpoint = async (request: Request): Promise<Response> => {
      const { userId, email } = (await request.json()) as CreateUser;
      await commandBus.dispatch(new CreateUser(userId, email));
      return new Response(null, { status: 201 });
    };
    const cli = ([userId, email]: string[]): Promise<void> =>
      commandBus.dispatch(new CreateUser(userId!, email!));
    const resolver = async (_: unknown, args: { id: string }): Promise<boolean> => {
      await commandBus.dispatch(new CreateUser(args.id, ""));
      return true;
    };
    const job = { run: () => commandBus.dispatch(new CreateUser("job", "")) };
    const service = (bus: CommandBus): Promise<void> => bus.dispatch(new CreateUser("service", ""));

    const body = JSON.stringify({ userId: "http", email: "a@b.com" });
    expect((await endpoint(new Request("http://localhost/", { method: "POST", body }))).status).toBe(201);
    await cli(["cli", "c@d.com"]);
    await resolver(undefined, { id: "graphql" });
    await job.run();
    await service(second);
    expect([...users.keys()]).toEqual(["http", "cli", "graphql", "job", "service"]);
  });

  it("S39 a command type has one handler, until that is unregistered", async () => {
    const bus = new CommandBus();
    const [first, second] = [jest.fn(), jest.fn()];
    const registration = bus.register(CreateUser, first);

    expect(() => bus.register(CreateUser, second)).toThrow(HandlerAlreadyRegisteredError);
    registration.unsubscribe();
    bus.register(CreateUser, second);
    await bus.dispatch(new CreateUser("u1", ""));
    expect(first).not.toHaveBeenCalled();
    expect(second).toHaveBeenCalledTimes(1);
  });

  it("S41 a handler's exception bubbles up through three middleware by identity", async () => {
    const boom = new Error("boom");
    const passed: unknown[] = [];
    const rethrowing = around(async (message, next) => {
      try {
        return await next(message);
      } catch (error) {
        passed.push(error);
        throw error;
      }
    });
    const bus = new CommandBus({ middleware: [rethrowing, tap(), rethrowing] });
    bus.register(CreateUser, () => {
      throw boom;
    });

    expect(await reasonOf(bus.dispatch(new CreateUser("u1", "")))).toBe(boom);
    expect(passed.map((error) => error === boom)).toEqual([true, true]);
  });

  it("S42 S43 a typed query bus gives its type to unmarked queries, from synchronous and asynchronous handlers", async () => {
    class FindEmail {
      readonly userId: string;

      constructor(userId: string) {
        this.userId = userId;
      }
    }
    class FindName extends FindEmail {}
    const bus = new QueryBus<string | null>();
    bus.register(FindEmail, ({ userId }) => (userId === "u1" ? "a@b.com" : null));
    bus.register(FindName, async ({ userId }) => userId);

    const email: string | null = await bus.ask(new FindEmail("u1"));
    expect([email, await bus.ask(new FindEmail("u2")), await bus.ask(new FindName("ada"))]).toEqual([
      "a@b.com",
      null,
      "ada",
    ]);
  });
});

describe("middleware", () => {
  it("S44 a query bus is cached without anything changing on the command bus", async () => {
    const cache = new Map<string, unknown>();
    const caching = around<GetUserEmail>(({ userId }, next) => {
      if (!cache.has(userId)) cache.set(userId, next());
      return cache.get(userId);
    });
    const { commandBus, queryBus } = application({ queries: [caching] });
    await commandBus.dispatch(new CreateUser("u1", "old"));
    await queryBus.ask(new GetUserEmail("u1"));
    await commandBus.dispatch(new CreateUser("u1", "new"));

    expect(await queryBus.ask(new GetUserEmail("u1"))).toBe("old");
    expect(users.get("u1")).toBe("new");
    expect(commandBus.describe().middleware).toEqual([]);
  });

  it("S49 S50 S51 the seed's logging middleware logs each message's name, and nothing waits for it", async () => {
    const log: string[] = [];
    const logging = around(async (message, next) => {
      log.push(message.constructor.name);
      return next(message);
    });
    const { commandBus, queryBus } = application({ commands: [logging], queries: [logging] });

    const dispatched = commandBus.dispatch(new CreateUser("u1", "a@b.com"));
    expect(users.size).toBe(1);
    await dispatched;
    expect(await queryBus.ask(new GetUserEmail("u1"))).toBe("a@b.com");
    expect(log).toEqual(["CreateUser", "GetUserEmail"]);
  });

  it("S52 middleware may change a message", async () => {
    const lowerCase = around<CreateUser>(({ userId, email }, next) =>
      next(new CreateUser(userId, email.toLowerCase())),
    );
    await application({ commands: [lowerCase] }).commandBus.dispatch(new CreateUser("u1", "A@B.com"));

    expect(users.get("u1")).toBe("a@b.com");
  });

  it("S53 middleware may answer a query, and let a command pass for done, without the handler", async () => {
    const { commandBus, queryBus } = application({
      commands: [around(() => "ignored")],
      queries: [around(() => "cached")],
    });

    expect(await queryBus.ask(new GetUserEmail("u1"))).toBe("cached");
    await expect(commandBus.dispatch(new CreateUser("u1", "a@b.com"))).resolves.toBeUndefined();
    expect(users.size).toBe(0);
  });

  it("S54 middleware traces nested dispatches as parents and children, by the ids of their envelopes", async () => {
    interface Span {
      readonly name: string;
      readonly id: string;
      readonly parent: string | undefined;
      readonly trace: string;
    }
    const spans: Span[] = [];
    const tracing = around(async (message, next, { envelope: { meta } }) => {
      try {
        return await next(message);
      } finally {
        spans.push({ name: meta.name, id: meta.id, parent: meta.causationId, trace: meta.correlationId });
      }
    });
    class SignUp {}
    const commandBus = new CommandBus({ middleware: [tracing] });
    const queryBus = new QueryBus({ middleware: [tracing] });
    queryBus.register(GetUserEmail, getUserEmail);
    commandBus.register(CreateUser, createUser);
    commandBus.register(SignUp, async (_, context: HandlerContext) => {
      await queryBus.ask(new GetUserEmail("u1"), { causedBy: context });
      await commandBus.dispatch(new CreateUser("u1", "a@b.com"), { causedBy: context });
    });

    await commandBus.dispatch(new SignUp());
    const root = spans.at(-1)!.id;
    expect(spans.map(({ name, parent, trace }) => [name, parent, trace])).toEqual([
      ["GetUserEmail", root, root],
      ["CreateUser", root, root],
      ["SignUp", undefined, root],
    ]);
    expect(new Set(spans.map(({ id }) => id)).size).toBe(3);
  });

  it("S55 middleware rejects a forbidden message before its handler runs", async () => {
    const denied = new Error("denied");
    const permission = around<CreateUser>((message, next) => {
      if (message.userId === "root") throw denied;
      return next(message);
    });
    const { commandBus } = application({ commands: [permission] });

    expect(await reasonOf(commandBus.dispatch(new CreateUser("root", "")))).toBe(denied);
    expect(users.size).toBe(0);
    await commandBus.dispatch(new CreateUser("u1", ""));
    expect(users.size).toBe(1);
  });

  it("S66 buses nest and middleware composes: the same instance works on several buses and in every order", async () => {
    const log: string[] = [];
    const [a, b] = ["a", "b"].map((name) => tap<never>(() => log.push(name)));
    const inner = new CommandBus({ middleware: [b!, a!] });
    inner.register(CreateUser, createUser);
    const outer = new CommandBus({ middleware: [a!, b!], fallback: (message) => inner.dispatch(message) });

    await outer.dispatch(new CreateUser("u1", "a@b.com"));
    expect(log).toEqual(["a", "b", "b", "a"]);
    expect(users.size).toBe(1);
  });
});

describe("at the edges", () => {
  it("S06 S45 S47 S62 S64 an endpoint is a line or two: 201 for POST, 200 or 404 for GET", async () => {
    const { commandBus, queryBus } = application();
    const app = async (request: Request): Promise<Response> => {
      if (request.method === "POST") {
        const { userId, email } = (await request.json()) as CreateUser;
        await commandBus.dispatch(new CreateUser(userId, email));
        return new Response(null, { status: 201 });
      }
      const email = await queryBus.ask(new GetUserEmail(new URL(request.url).pathname.slice(1)));
      return Response.json({ email }, { status: email === null ? 404 : 200 });
    };
    const body = JSON.stringify({ userId: "u1", email: "a@b.com" });

    expect((await app(new Request("http://localhost/u1"))).status).toBe(404);
    expect((await app(new Request("http://localhost/", { method: "POST", body }))).status).toBe(201);
    const found = await app(new Request("http://localhost/u1"));
    expect([found.status, await found.json()]).toEqual([200, { email: "a@b.com" }]);
  });

  it("S09 any Standard Schema checks a message that is read, and an answer goes straight into a Response", async () => {
    class Rename extends Command {
      static readonly schema = z.strictObject({ name: z.string().min(1) });

      readonly name: string;

      constructor(name: string) {
        super();
        this.name = name;
      }
    }
    class GetName extends Query<{ readonly name: string }> {}
    let name = "";
    const { commandBus, queryBus } = application();
    commandBus.register(Rename, (rename) => void (name = rename.name));
    queryBus.register(GetName, () => ({ name }));

    expect(() => Envelope.fromJSON({ payload: { name: "" } }, Rename)).toThrow(InvalidMessageError);
    expect(() => Envelope.fromJSON({ payload: { name: "x", extra: 1 } }, Rename)).toThrow(
      InvalidMessageError,
    );
    await commandBus.dispatch(Envelope.fromJSON('{"payload":{"name":"ada"}}', Rename));
    expect(await Response.json(await queryBus.ask(new GetName())).json()).toEqual({ name: "ada" });
  });

  it("S59 the store has changed when an un-awaited dispatch returns", () => {
    application().commandBus.dispatch(new CreateUser("u1", "a@b.com"));

    expect(users.get("u1")).toBe("a@b.com");
  });

  it("S63 ten thousand registered types each find their own handler", async () => {
    const bus = new QueryBus<number>();
    const types = Array.from({ length: 10_000 }, () => class {});
    for (const [index, type] of types.entries()) bus.register(type, () => index);

    for (const index of [0, 1, 4_999, 9_999]) expect(await bus.ask(new types[index]!())).toBe(index);
  });

  it("S65 an asynchronous message is cancelled by an AbortSignal, and by unsubscribing", async () => {
    const signals: AbortSignal[] = [];
    const bus = new CommandBus();
    bus.register(CreateUser, (_, { signal }) => {
      signals.push(signal);
      return hold(60_000, undefined, { signal, ref: false });
    });
    const stop = new Error("stop");
    const controller = new AbortController();

    const aborted = bus.dispatch(new CreateUser("u1", ""), { signal: controller.signal });
    const watched = bus.dispatch$(new CreateUser("u2", "")).subscribe();
    controller.abort(stop);
    watched.unsubscribe();
    expect(await reasonOf(aborted)).toBe(stop);
    expect(signals.map((signal) => signal.aborted)).toEqual([true, true]);
    expect(signals[0]?.reason).toBe(stop);
    expect(signals[1]?.reason).toMatchObject({ name: "AbortError" });
    expect(bus.inFlight).toBe(0);
  });

  it("S71 an envelope crosses a MessageChannel as JSON, and is dispatched on the other side as it was sent", async () => {
    const { port1, port2 } = new MessageChannel();
    const there = new CommandBus();
    const arrived = new Promise<HandlerContext<CreateUser>>((resolve) =>
      there.register(CreateUser, (message, context) => {
        createUser(message);
        resolve(context);
      }),
    );
    port2.on("message", (text: string) => void there.dispatch(Envelope.fromJSON(text, CreateUser)));

    const sent = Envelope.of(new CreateUser("u1", "a@b.com"), {
      causationId: "cause",
      correlationId: "root",
      headers: { tenant: "t1" },
    });
    port1.postMessage(JSON.stringify(sent));
    const { envelope } = await arrived;
    port1.close();

    expect(envelope.payload).toBeInstanceOf(CreateUser);
    expect(envelope.payload).toEqual(sent.payload);
    expect(envelope.meta).toEqual(sent.meta);
    expect(users.get("u1")).toBe("a@b.com");
  });

  it("S73 the registry, the clock, the ids and the handling of unknown types can be replaced", async () => {
    const registry = new HandlerRegistry();
    const unknown: object[] = [];
    let now = 1_000;
    const bus = new CommandBus({
      registry,
      clock: { now: () => now },
      ids: () => "id-1",
      fallback: (message) => void unknown.push(message),
      name: "mine",
    });
    registry.register(CreateUser, () => void (now += 25));
    const metas: unknown[] = [];
    const durations: number[] = [];
    bus.messages$.subscribe(({ meta: { id, time } }) => metas.push([id, time]));
    bus.outcomes$.subscribe(({ durationMs }) => durations.push(durationMs));
    class Nobody {}

    await bus.dispatch(new CreateUser("u1", ""));
    await bus.dispatch(new Nobody());
    expect(metas).toEqual([
      ["id-1", 1_000],
      ["id-1", 1_025],
    ]);
    expect(durations).toEqual([25, 0]);
    expect(unknown).toEqual([new Nobody()]);
    expect(bus.describe().name).toBe("mine");
  });
});
