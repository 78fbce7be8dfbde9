import { inspect } from "node:util";
import { describe, expect, it } from "@jest/globals";
import {
  CommandBus,
  InvalidMessageError,
  InvalidMiddlewareError,
  InvalidOptionsError,
  QueryBus,
  type MessageType,
  type StandardSchema,
} from "cqrx";
import { validation } from "cqrx/middleware";
import { delivery, marbles } from "cqrx/testing";
import { type } from "arktype";
import { map, tap } from "rxjs";
import * as v from "valibot";
import { z } from "zod";
import { deferred, microtasks, reasonOf } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";
import { faultsOf } from "./support.js";

class CreateUser {
  readonly email: string;
  readonly tags: readonly string[];

  constructor(email: string, tags: readonly string[] = []) {
    this.email = email;
    this.tags = tags;
  }

  get domain(): string {
    return this.email.split("@")[1]!;
  }
}

const libraries: readonly [string, StandardSchema][] = [
  ["zod", z.object({ email: z.string().trim().pipe(z.email()), tags: z.array(z.string()) })],
  ["valibot", v.object({ email: v.pipe(v.string(), v.trim(), v.email()), tags: v.array(v.string()) })],
  // A schema that is a function.
  ["arktype", type({ email: "string.trim |> string.email", tags: "string[]" })],
];

describe.each(libraries)("validation with %s", (_, schema) => {
  const schemas = new Map<MessageType, StandardSchema>([[CreateUser, schema]]);

  it("forwards the output of the schema, as an instance, synchronously", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [validation({ schemas })] });
      const handled: CreateUser[] = [];
      bus.register(CreateUser, (command, { envelope }) => {
        handled.push(command);
        expect(envelope.payload.email).toBe(command.email);
      });
      const sent: CreateUser[] = [];
      bus.messages$.subscribe(({ payload }) => sent.push(payload as CreateUser));

      bus.dispatch(new CreateUser("  ada@example.com ", ["a"]));
      expect(handled).toHaveLength(1);
      expect(handled[0]).toBeInstanceOf(CreateUser);
      expect(handled[0]).toEqual(new CreateUser("ada@example.com", ["a"]));
      expect(handled[0]!.domain).toBe("example.com");
      expect(sent[0]!.email).toBe("  ada@example.com ");
      await canaries(bus);
    }));

  it("rejects an invalid message, with issues and path, and without the payload", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [validation({ schemas })] });
      let runs = 0;
      bus.register(CreateUser, () => void runs++);

      const error = (await reasonOf(bus.dispatch(new CreateUser("s3cret")))) as InvalidMessageError;
      expect(error).toBeInstanceOf(InvalidMessageError);
      expect(error).toMatchObject({
        code: "INVALID_MESSAGE",
        messageType: "CreateUser",
        path: "payload.email",
      });
      expect(error.message).toBe("payload.email does not fit the schema; see issues.");
      expect(error.issues).toHaveLength(1);
      const [issue] = error.issues;
      expect(issue).toEqual({ message: expect.any(String), path: expect.anything() });
      // A plain list: arktype has a kind of its own.
      expect(issue!.path).toEqual(["email"]);
      expect(Object.getPrototypeOf(issue!.path)).toBe(Array.prototype);

      // The libraries' issues hold the input, and their texts quote it; who wants that asks for `issues`.
      expect(inspect(error)).not.toContain("tags");
      expect(inspect(error)).not.toContain("s3cret");
      expect(JSON.stringify(error)).not.toContain("s3cret");
      const nested = (await reasonOf(
        bus.dispatch(new CreateUser("ada@example.com", ["a", 1 as never])),
      )) as InvalidMessageError;
      expect(nested.path).toBe("payload.tags[1]");
      expect(runs).toBe(0);
      await canaries(bus);
    }));
});

describe("validation", () => {
  it("takes the schema of the class, and prefers the map", () =>
    withTraps(async () => {
      class Rename {
        static readonly schema = z.object({ name: z.string().min(3) });
        readonly name: string;
        constructor(name: string) {
          this.name = name;
        }
      }
      const byClass = new CommandBus({ middleware: [validation()] });
      const byMap = new CommandBus({
        middleware: [validation({ schemas: new Map([[Rename, z.object({ name: z.string().max(2) })]]) })],
      });
      for (const bus of [byClass, byMap]) bus.register(Rename, () => undefined);

      await byClass.dispatch(new Rename("abc"));
      await expect(byClass.dispatch(new Rename("ab"))).rejects.toThrow(InvalidMessageError);
      await byMap.dispatch(new Rename("ab"));
      await expect(byMap.dispatch(new Rename("abc"))).rejects.toThrow(InvalidMessageError);
      await canaries(byClass, byMap);
    }));

  it("forwards a message unchanged that has no schema, or whose schema returns it", () =>
    withTraps(async () => {
      class Plain {}
      class Same {
        static readonly schema = z.instanceof(Same);
      }
      const bus = new CommandBus({ middleware: [validation()] });
      const handled: object[] = [];
      bus.register(Plain, (command) => void handled.push(command));
      bus.register(Same, (command) => void handled.push(command));
      const [plain, same] = [new Plain(), new Same()];
      bus.dispatch(plain);
      bus.dispatch(same);
      expect(handled[0]).toBe(plain);
      expect(handled[1]).toBe(same);
      await canaries(bus);
    }));

  it("waits for an asynchronous schema, and does not run a message that was aborted meanwhile", () =>
    withTraps(async () => {
      const free = deferred<boolean>();
      const schema = z.object({
        email: z.string().refine((email) => (email === "late@x" ? free.promise : email !== "taken@x")),
        tags: z.array(z.string()),
      });
      const slow = z.object({
        email: z.string().refine(async (email) => email !== "taken@x", "is taken"),
        tags: z.array(z.string()).transform(async (tags) => [...tags, "checked"]),
      });
      const bus = new QueryBus({ middleware: [validation({ schemas: new Map([[CreateUser, slow]]) })] });
      bus.register(CreateUser, ({ tags }) => tags);
      expect(await bus.ask(new CreateUser("free@x", ["a"]))).toEqual(["a", "checked"]);
      await expect(bus.ask(new CreateUser("taken@x"))).rejects.toMatchObject({
        path: "payload.email",
        issues: [{ message: "is taken" }],
      });

      const held = new QueryBus({ middleware: [validation({ schemas: new Map([[CreateUser, schema]]) })] });
      const faults = faultsOf(held);
      let runs = 0;
      held.register(CreateUser, () => ++runs);
      const controller = new AbortController();
      const asked = held.ask(new CreateUser("late@x"), { signal: controller.signal });
      controller.abort();
      await expect(asked).rejects.toMatchObject({ name: "AbortError" });
      free.resolve(true);
      await microtasks();
      expect(runs).toBe(0);
      expect(faults).toEqual([]);
      await canaries(bus, held);
    }));

  it("rejects with the error of the schema", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      const throwing = (validate: () => never): StandardSchema => ({
        "~standard": { version: 1, vendor: "test", validate },
      });
      for (const validate of [
        () => {
          throw boom;
        },
        () => Promise.reject(boom) as never,
      ]) {
        const bus = new CommandBus({
          middleware: [validation({ schemas: new Map([[CreateUser, throwing(validate)]]) })],
        });
        bus.register(CreateUser, () => undefined);
        expect(await reasonOf(bus.dispatch(new CreateUser("a@b")))).toBe(boom);
        await canaries(bus);
      }
    }));

  it.each([
    [null, "null"],
    ["text", "a value of type string"],
    [5, "a value of type number"],
  ])("rejects a message of which its schema makes %p", async (made, received) => {
    const bus = new CommandBus({
      middleware: [validation({ schemas: new Map([[CreateUser, z.any().transform(() => made)]]) })],
    });
    bus.register(CreateUser, () => undefined);
    await expect(bus.dispatch(new CreateUser("a@b"))).rejects.toThrow(
      `The schema of CreateUser returned ${received}; return an object.`,
    );
    await canaries(bus);
  });

  it("does not let data reach a setter or a prototype", async () => {
    const hostile = z
      .any()
      .transform((): unknown => JSON.parse('{"__proto__":{"isAdmin":true},"domain":"evil"}'));
    const bus = new QueryBus({ middleware: [validation({ schemas: new Map([[CreateUser, hostile]]) })] });
    bus.register(CreateUser, (query) => query);
    const handled = (await bus.ask(new CreateUser("a@b"))) as CreateUser & { isAdmin?: boolean };
    expect(Object.getPrototypeOf(handled)).toBe(CreateUser.prototype);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    await canaries(bus);
  });

  it("refuses a value that is not a schema", async () => {
    expect(() => validation({ schemas: new Map([[CreateUser, {} as never]]) })).toThrow(
      InvalidMiddlewareError,
    );
    expect(() => validation({ schemas: {} as never })).toThrow(InvalidOptionsError);
    // No message would ever be checked by it.
    expect(() => validation({ schemas: new Map([["CreateUser" as never, z.any()]]) })).toThrow(
      'A message type is a class; received "CreateUser".',
    );
    class Odd {
      static readonly schema = { parse: () => 1 } as never;
    }
    const bus = new CommandBus({ middleware: [validation()] });
    bus.register(Odd, () => undefined);
    await expect(bus.dispatch(new Odd())).rejects.toThrow("The schema of Odd has no ~standard.validate");
  });

  it("is an operator", () => {
    const operator = validation<CreateUser>({ schemas: new Map([[CreateUser, libraries[0]![1]]]) });
    marbles(({ cold, expectObservable }) => {
      const [good, bad] = ["a@b.com ", "bad"].map((email) => delivery(new CreateUser(email)));
      const messages = cold("-g-b-g-|", { g: good!, b: bad! }).pipe(
        operator as never,
        tap((d: { resolve(): void }) => d.resolve()),
        map((d) => (d as unknown as { message: CreateUser }).message),
      );
      // The second time it has been settled already.
      expectObservable(messages).toBe("-g-----|", { g: new CreateUser("a@b.com") });
      expectObservable(cold("-#").pipe(operator as never)).toBe("-#");
      expectObservable(cold("-").pipe(operator as never)).toBe("-");
    });
  });
});
