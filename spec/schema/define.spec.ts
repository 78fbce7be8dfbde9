import { describe, expect, it } from "@jest/globals";
import { type } from "arktype";
import {
  Command,
  CommandBus,
  defineCommand,
  defineEvent,
  defineQuery,
  DomainEvent,
  Envelope,
  EventBus,
  InvalidMessageError,
  InvalidOptionsError,
  Query,
  QueryBus,
  type StandardSchema,
} from "cqrx";
import { validation } from "cqrx/middleware";
import * as v from "valibot";
import { z } from "zod";
import { hasWrittenName, nameOf } from "../../src/core/messages/message.js";

interface UserInput {
  userId: string;
  email: string;
  address: { city: string };
  tags?: string[] | undefined;
}
interface User {
  userId: string;
  email: string;
  address: { city: string };
  tags: string[];
}

/** One schema in three libraries: nested, with a default and a transform that changes nothing twice. */
const libraries: readonly (readonly [string, StandardSchema<UserInput, User>])[] = [
  [
    "zod",
    z.object({
      userId: z.string().min(1),
      email: z.string().trim().toLowerCase().pipe(z.email()),
      address: z.object({ city: z.string().min(1) }),
      tags: z.array(z.string()).default([]),
    }),
  ],
  [
    "valibot",
    v.object({
      userId: v.pipe(v.string(), v.minLength(1)),
      email: v.pipe(v.string(), v.trim(), v.toLowerCase(), v.email()),
      address: v.object({ city: v.pipe(v.string(), v.minLength(1)) }),
      tags: v.optional(v.array(v.string()), []),
    }),
  ],
  [
    "arktype",
    type({
      userId: "string > 0",
      email: type("string.trim").pipe((text) => text.toLowerCase(), type("string.email")),
      address: { city: "string > 0" },
      tags: type("string[]").default(() => []),
    }),
  ],
];

const input = { userId: "u1", email: " Ada@Example.com ", address: { city: "London" } };
const fields = { userId: "u1", email: "ada@example.com", address: { city: "London" }, tags: [] };

function errorOf<E extends Error>(work: () => unknown): E {
  try {
    work();
  } catch (error) {
    return error as E;
  }
  throw new Error("nothing was thrown");
}

describe.each(libraries)("a message from a schema of %s", (_, schema) => {
  class CreateUser extends defineCommand("users.create", schema) {
    readonly #city = this.address.city;
    get domain(): string {
      return this.email.slice(this.email.indexOf("@") + 1);
    }
    greet(): string {
      return `${this.userId} of ${this.#city}`;
    }
  }
  class Visible extends defineCommand("users.visible", schema) {}

  it("has the fields that the schema returns, and the members of its class", () => {
    const command = new CreateUser(input);
    expect({ ...command }).toEqual(fields);
    expect(JSON.parse(JSON.stringify(command))).toEqual(fields);
    expect(command).toBeInstanceOf(CreateUser);
    expect(command).toBeInstanceOf(Command);
    expect(command["~kind"]).toBe("command");
    expect(command.domain).toBe("example.com");
    expect(command.greet()).toBe("u1 of London");
    expect(input.email).toBe(" Ada@Example.com ");
  });

  it("is made of untyped data by parse", () => {
    const command = CreateUser.parse(JSON.parse(JSON.stringify(input)));
    expect(command.greet()).toBe("u1 of London");
    expect({ ...command }).toEqual(fields);
  });

  it.each([
    ["new", (data: unknown) => new CreateUser(data as UserInput)],
    ["parse", (data: unknown) => CreateUser.parse(data)],
  ])("is refused by %s with issues that name the field", (_, make) => {
    const error = errorOf<InvalidMessageError>(() =>
      make({ ...input, userId: "", address: { city: 7 }, password: "secret" }),
    );
    expect(error).toBeInstanceOf(InvalidMessageError);
    expect(error.message).toMatch(
      /^users\.create: payload\.(userId|address\.city) does not fit the schema; see issues\.$/,
    );
    expect(error.messageType).toBe("users.create");
    expect(error.path).toMatch(/^payload\.(userId|address\.city)$/);
    expect(error.issues.map(({ path }) => path?.map(String).join("."))).toEqual(
      expect.arrayContaining(["userId", "address.city"]),
    );
    for (const hostile of [null, undefined, 7, "text", [], Symbol("x"), () => 0])
      expect(errorOf(() => make(hostile))).toBeInstanceOf(InvalidMessageError);
  });

  it("comes back from JSON", () => {
    const envelope = Envelope.of(new Visible(input), { headers: { tenant: "t1" } });
    expect(envelope.meta.name).toBe("users.visible");
    const read = Envelope.fromJSON(JSON.stringify(envelope), Visible);
    expect(read.payload).toBeInstanceOf(Visible);
    expect(read.payload).toEqual(envelope.payload);
    expect(read.meta).toEqual(envelope.meta);
  });

  it("is handled, unchecked by validation()", async () => {
    const commandBus = new CommandBus({ middleware: [validation()] });
    const handled: CreateUser[] = [];
    commandBus.register(CreateUser, (command) => void handled.push(command));
    const command = new CreateUser(input);
    await commandBus.dispatch(command);
    expect(handled[0]).toBe(command);
  });
});

describe("a message from a schema that requires no field", () => {
  class ListUsers extends defineQuery<string[]>()("users.list", z.object({ page: z.number().default(1) })) {}

  it("is made without an argument, also of the body or query that a request lacks", () => {
    expect(new ListUsers()).toEqual({ page: 1 });
    expect(ListUsers.parse(undefined)).toEqual({ page: 1 });
    expect(new ListUsers({ page: 2 })).toEqual({ page: 2 });
  });

  it("refuses null, and names the fields that are missing where some are required", () => {
    expect(() => ListUsers.parse(null)).toThrow(InvalidMessageError);
    class GetUser extends defineQuery()("users.get", z.object({ userId: z.string() })) {}
    expect(() => GetUser.parse(undefined)).toThrow(/userId/);
  });
});

describe("queries and events from schemas", () => {
  const schema = z.object({ userId: z.string() });
  class GetUser extends defineQuery<string | null>()("users.get", schema) {}
  class UserCreated extends defineEvent("users.created", schema) {}

  it("are of their kind", async () => {
    const [queryBus, eventBus] = [new QueryBus(), new EventBus()];
    expect(new GetUser({ userId: "u1" })).toBeInstanceOf(Query);
    expect(new UserCreated({ userId: "u1" })).toBeInstanceOf(DomainEvent);
    queryBus.register(GetUser, ({ userId }) => userId);
    const result: string | null = await queryBus.ask(GetUser.parse({ userId: "u1" }));
    expect(result).toBe("u1");
    const told: string[] = [];
    eventBus.register(UserCreated, ({ userId }) => void told.push(userId));
    await eventBus.publish(new UserCreated({ userId: "u2" }));
    expect(told).toEqual(["u2"]);
  });
});

describe("the name of a message from a schema", () => {
  const Base = defineCommand("users.create", z.object({ userId: z.string() }));
  class CreateUser extends Base {}
  class CreateAdmin extends CreateUser {}
  class CreateBot extends CreateUser {
    static override readonly messageName = "bots.create";
  }

  it("was written for the class that extends it, and for no class below", () => {
    const types = [Base, CreateUser, CreateAdmin, CreateBot];
    expect(types.map(nameOf)).toEqual(["users.create", "users.create", "CreateAdmin", "bots.create"]);
    expect(types.map(hasWrittenName)).toEqual([true, true, false, true]);
    expect(CreateUser.messageName).toBe("users.create");
  });

  it("is in errors, envelopes and descriptions", () => {
    const commandBus = new CommandBus();
    commandBus.register(CreateUser, () => undefined);
    expect(commandBus.describe().handlers[0]?.messageType).toBe("users.create");
    expect(Envelope.of(new Base({ userId: "u1" })).meta.name).toBe("users.create");
    expect(errorOf(() => CreateAdmin.parse({})).message).toMatch(/^CreateAdmin: payload\.userId /);
  });
});

describe("a field with the name of a member", () => {
  class Greet extends defineCommand("greet", z.looseObject({ userId: z.string() })) {
    hello(): string {
      return "hello";
    }
  }

  it("may be any other name", () => {
    expect({ ...Greet.parse({ userId: "u1", other: 1 }) }).toEqual({ userId: "u1", other: 1 });
  });

  it.each(["hello", "~kind", "constructor", "toString", "toJSON2", "__proto__", "hasOwnProperty"])(
    "%s never hides it",
    (key) => {
      const data = JSON.parse(`{ "userId": "u1", "${key}": { "polluted": true } }`) as object;
      let message: Greet | undefined;
      let error: InvalidMessageError | undefined;
      try {
        message = Greet.parse(data);
      } catch (reason) {
        error = reason as InvalidMessageError;
      }
      if (message === undefined) {
        expect(error).toMatchObject({ code: "INVALID_MESSAGE", path: `payload.${key}` });
        expect(error?.issues).toEqual([{ message: "has the name of a member of the class", path: [key] }]);
        expect(error?.message).toMatch(`greet: payload.${key} has the name of a member of the class; `);
      } else {
        // zod leaves `__proto__` out; the last is not a member at all.
        expect(Object.keys(message)).toEqual(key === "toJSON2" ? ["userId", key] : ["userId"]);
      }
      expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
      expect((message as { polluted?: unknown } | undefined)?.polluted).toBeUndefined();
      expect(new Greet({ userId: "u1" }).hello()).toBe("hello");
    },
  );

  it.each<[string, StandardSchema<unknown, object>]>([
    ["valibot", v.looseObject({ userId: v.string() })],
    ["arktype", type({ userId: "string" })],
  ])("is refused or left out in the loose data of %s", (_, schema) => {
    class Loose extends defineCommand("loose", schema) {
      hello(): void {}
    }
    expect(errorOf(() => Loose.parse({ userId: "u1", hello: 1 }))).toMatchObject({ path: "payload.hello" });
    for (const key of ["~kind", "constructor"]) {
      try {
        // valibot leaves `constructor` out.
        expect(Object.keys(Loose.parse({ userId: "u1", [key]: 1 }))).toEqual(["userId"]);
      } catch (error) {
        expect(error).toMatchObject({ path: `payload.${key}` });
      }
    }
  });
});

describe("a schema that transforms its input", () => {
  const given = z.object({ age: z.string().transform(Number) });
  const output = z.object({ age: z.number() });
  class Plain extends defineCommand("plain", given) {}
  class Both extends defineCommand("both", given, { output }) {}

  it("needs output for reading, and the error says so", () => {
    expect(new Plain({ age: "36" }).age).toBe(36);
    const error = errorOf<InvalidMessageError>(() =>
      Envelope.fromJSON(JSON.stringify(Envelope.of(new Plain({ age: "36" }))), Plain),
    );
    expect(error.message).toBe(
      "plain: payload.age does not fit the schema; see issues. If the schema transforms its input, " +
        "give defineCommand() the option { output: schema } for what its schema returns.",
    );
    expect(error.issues).toHaveLength(1);
  });

  it("is read by output", () => {
    const { payload } = Envelope.fromJSON(JSON.stringify(Envelope.of(new Both({ age: "36" }))), Both);
    expect(payload).toBeInstanceOf(Both);
    expect(payload.age).toBe(36);
    const error = errorOf<InvalidMessageError>(() => Envelope.fromJSON({ payload: { age: "36" } }, Both));
    expect(error).toMatchObject({
      message: "both: payload.age does not fit the schema; see issues.",
      path: "payload.age",
    });
  });

  it("is not checked again by validation()", async () => {
    const commandBus = new CommandBus({ middleware: [validation()] });
    const ages: number[] = [];
    commandBus.register(Plain, ({ age }) => void ages.push(age));
    await commandBus.dispatch(new Plain({ age: "36" }));
    expect(ages).toEqual([36]);
  });

  it.each([
    ["a default that differs", z.object({ id: z.string().default(() => String(Math.random())) }), {}],
    ["a value that is added", z.object({}).transform(() => ({ id: Math.random() })), {}],
    ["a count", z.object({ count: z.number().transform((count) => count + 1) }), { count: 1 }],
  ])("is refused without output for %s that reading would change", (_, schema, payload) => {
    class Changed extends defineEvent("changed", schema as StandardSchema<unknown, object>) {}
    expect(errorOf(() => Envelope.fromJSON({ payload }, Changed)).message).toBe(
      "changed: payload is changed by the schema whenever it is read; " +
        "give defineEvent() the option { output: schema } for what its schema returns.",
    );
  });

  it("reads without output what it would not change again: trimmed text, a field that was added later, a date", () => {
    class Later extends defineEvent(
      "later",
      z.object({ name: z.string().trim(), role: z.string().default("user"), at: z.coerce.date() }),
    ) {}
    const { payload } = Envelope.fromJSON({ payload: { name: " ada ", at: "2026-01-01T00:00:00Z" } }, Later);
    expect({ ...payload }).toEqual({ name: "ada", role: "user", at: new Date("2026-01-01T00:00:00Z") });
    const again = Envelope.fromJSON(JSON.stringify(Envelope.of(payload)), Later);
    expect(again.payload).toEqual(payload);
  });
});

describe("reading a message from a schema", () => {
  it("takes upcast, version and private fields of its class into account", () => {
    class Rename extends defineCommand("rename", z.object({ name: z.string() })) {
      static readonly version = 2;
      static upcast({ title }: { title: string }): unknown {
        return { name: title };
      }
      readonly #shout = this.name.toUpperCase();
      shout(): string {
        return this.#shout;
      }
      toJSON(): unknown {
        return { name: this.name };
      }
    }
    const { payload } = Envelope.fromJSON(
      { meta: { name: "rename", version: 1 }, payload: { title: "ada" } },
      Rename,
    );
    expect(payload.shout()).toBe("ADA");
    expect(Envelope.fromJSON(JSON.stringify(Envelope.of(payload)), Rename).payload.shout()).toBe("ADA");
  });

  it("uses the data that was read, whatever a constructor of the class passes on", () => {
    class Add extends defineCommand("add", z.object({ a: z.number(), b: z.number() })) {
      readonly sum: number;
      constructor(given: { a: number }) {
        super({ a: given.a, b: 1 });
        this.sum = this.a + this.b;
      }
      toJSON(): unknown {
        return { a: this.a, b: this.b };
      }
    }
    expect(new Add({ a: 2 }).sum).toBe(3);
    expect(Envelope.fromJSON({ payload: { a: 2, b: 5 } }, Add).payload.sum).toBe(7);
    expect(new Add({ a: 2 }).sum).toBe(3);
  });

  it("says what to do about a constructor that takes something else", () => {
    const schema = z.object({ id: z.string() });
    class Odd extends defineCommand("odd", schema) {
      constructor(parts: readonly string[]) {
        super({ id: parts.join("-") });
      }
    }
    expect(errorOf(() => Envelope.fromJSON({ payload: { id: "a-b" } }, Odd)).message).toBe(
      "odd: payload was refused by the constructor; if it takes something else than the schema, " +
        "give the class a static fromJSON(payload).",
    );
    class Even extends defineCommand("even", schema) {
      static fromJSON({ id }: { id: string }): Even {
        return new Even(id.split("-"));
      }
      constructor(parts: readonly string[]) {
        super({ id: parts.join("-") });
      }
    }
    expect(Envelope.fromJSON({ payload: { id: "a-b" } }, Even).payload.id).toBe("a-b");
  });

  it("refuses the same names of fields as the constructor", () => {
    class Greet extends defineCommand("greet", z.looseObject({})) {
      hello(): void {}
    }
    expect(errorOf(() => Envelope.fromJSON({ payload: { hello: 1 } }, Greet)).message).toMatch(
      /^greet: payload\.hello has the name of a member of the class; /,
    );
    expect({ ...new Greet({ other: 1 }) }).toEqual({ other: 1 });
  });
});

describe("a schema that cannot be used", () => {
  it("answers with a promise", () => {
    const schema = z.object({ userId: z.string().refine(async () => Promise.resolve(true)) });
    class CreateUser extends defineCommand("users.create", schema) {}
    const text =
      "users.create: payload has an asynchronous schema, or one that throws; a constructor cannot wait, " +
      "so check what takes time in the handler.";
    expect(errorOf(() => new CreateUser({ userId: "u1" })).message).toBe(text);
    expect(errorOf(() => CreateUser.parse({ userId: "u1" })).message).toBe(text);
    expect(errorOf(() => Envelope.fromJSON({ payload: { userId: "u1" } }, CreateUser)).message).toMatch(
      "users.create: payload has an asynchronous schema, or one that throws;",
    );
    const broken = z.object({ userId: z.string().transform(() => JSON.parse("{") as string) });
    class Broken extends defineCommand("users.create", broken) {}
    expect(errorOf(() => new Broken({ userId: "u1" })).message).toBe(text);
  });

  it.each([["text"], [null], [7], [[1]], [new Map()], [undefined]])("makes %p of an object", (made) => {
    const schema = z.object({}).transform(() => made) as unknown as StandardSchema<object, object>;
    expect(errorOf(() => new (defineCommand("made", schema))({})).message).toBe(
      "made: payload is not an object with fields after the schema; a message needs fields.",
    );
  });

  it.each<[string, () => unknown, string]>([
    [
      "no name",
      () => defineCommand("", z.object({})),
      "defineCommand(): name must be a text of 1 to 256 characters",
    ],
    [
      "a long name",
      () => defineEvent("x".repeat(257), z.object({})),
      "defineEvent(): name must be a text of",
    ],
    [
      "no schema",
      () => defineQuery()("x", undefined as never),
      "defineQuery(): schema must be a schema of a library",
    ],
    [
      "another schema",
      () => defineEvent("x", {} as never),
      "defineEvent(): schema must be a schema of a library",
    ],
    [
      "an unknown option",
      () => defineCommand("x", z.object({}), { input: z.object({}) } as never),
      "defineCommand(): unknown option input; pass one of output.",
    ],
    [
      "another output",
      () => defineCommand("x", z.object({}), { output: z.object } as never),
      "defineCommand(): output must be a schema of a library that implements Standard Schema",
    ],
  ])("is refused at once: %s", (_, make, text) => {
    const error = errorOf(make);
    expect(error).toBeInstanceOf(InvalidOptionsError);
    expect(error.message).toMatch(text);
  });
});
