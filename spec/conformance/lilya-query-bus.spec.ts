import { describe, expect, it, jest } from "@jest/globals";
import {
  around,
  CommandBus,
  fulfilled,
  HandlerNotFoundError,
  InvalidMessageError,
  ofType,
  Query,
  QueryBus,
  type Next,
} from "cqrx";
import { startWith, switchMap } from "rxjs";

class Greet extends Query<string> {
  readonly name: string;

  constructor(name: string) {
    super();
    this.name = name;
  }
}

describe("the query bus", () => {
  it("L06 a synchronous query handler's text is the answer, with its type inferred from the query class", async () => {
    const bus = new QueryBus();
    bus.register(Greet, ({ name }) => `hello ${name}`);

    const answer: string = await bus.ask(new Greet("ada"));
    expect(answer).toBe("hello ada");
  });

  it("L07 an asynchronous query handler's text is the answer", async () => {
    const bus = new QueryBus();
    bus.register(Greet, async ({ name }) => {
      await Promise.resolve();
      return `hello ${name}`;
    });

    expect(await bus.ask(new Greet("ada"))).toBe("hello ada");
  });

  it("L08 an empty query bus rejects with HandlerNotFoundError", async () => {
    await expect(new QueryBus().ask(new Greet("ada"))).rejects.toBeInstanceOf(HandlerNotFoundError);
  });

  it("L08 ask$ of a type without a handler emits an error notification and no value", () => {
    const notifications: unknown[] = [];
    new QueryBus().ask$(new Greet("ada")).subscribe({
      next: (value) => notifications.push(value),
      error: (error: unknown) => notifications.push(error),
    });

    expect(notifications).toEqual([expect.any(HandlerNotFoundError)]);
  });

  it.each([null, undefined])(
    "L09 asking %s rejects with InvalidMessageError and does not throw",
    async (nothing) => {
      const bus = new QueryBus();
      let asked: Promise<unknown> | undefined;

      expect(() => {
        asked = bus.ask(nothing as unknown as object);
        asked.catch(() => {});
      }).not.toThrow();
      await expect(asked).rejects.toBeInstanceOf(InvalidMessageError);
    },
  );

  it("L10 an error that a synchronous query handler throws arrives by identity", async () => {
    const bad = new Error("bad");
    const bus = new QueryBus();
    bus.register(Greet, () => {
      throw bad;
    });

    const reason: unknown = await bus.ask(new Greet("ada")).catch((error: unknown) => error);
    expect(reason).toBe(bad);
    expect(bad.message).toBe("bad");
  });

  it("L10 an error that an asynchronous query handler rejects with arrives by identity", async () => {
    const bad = new Error("bad");
    const bus = new QueryBus();
    bus.register(Greet, () => Promise.reject(bad));

    const reason: unknown = await bus.ask(new Greet("ada")).catch((error: unknown) => error);
    expect(reason).toBe(bad);
  });
});

describe("a command bus and a query bus together", () => {
  class CreateUser {
    readonly userId: string;

    constructor(userId: string) {
      this.userId = userId;
    }
  }
  class UserExists extends Query<boolean> {
    readonly userId: string;

    constructor(userId: string) {
      super();
      this.userId = userId;
    }
  }

  function application(): { commandBus: CommandBus; queryBus: QueryBus; passed: jest.Mock } {
    const users = new Set<string>();
    const passed = jest.fn();
    const passThrough = around((message, next: Next) => {
      passed(message.constructor.name);
      return next(message);
    });
    const commandBus = new CommandBus({ middleware: [passThrough] });
    const queryBus = new QueryBus({ middleware: [passThrough] });
    commandBus.register(CreateUser, ({ userId }) => void users.add(userId));
    queryBus.register(UserExists, ({ userId }) => users.has(userId));
    return { commandBus, queryBus, passed };
  }

  it("L19 a query sees what a command has written, both through the same middleware", async () => {
    const { commandBus, queryBus, passed } = application();

    expect(await queryBus.ask(new UserExists("u1"))).toBe(false);
    await commandBus.dispatch(new CreateUser("u1"));
    expect(await queryBus.ask(new UserExists("u1"))).toBe(true);
    expect(passed.mock.calls.flat()).toEqual(["UserExists", "CreateUser", "UserExists"]);
  });

  it("L19 a query asked again after each outcome of the command is live", async () => {
    const { commandBus, queryBus } = application();
    const answers: boolean[] = [];
    const live = commandBus.outcomes$
      .pipe(
        ofType(CreateUser),
        fulfilled(),
        startWith(undefined),
        switchMap(() => queryBus.ask$(new UserExists("u1"))),
      )
      .subscribe((exists) => answers.push(exists));

    await commandBus.dispatch(new CreateUser("u2"));
    await commandBus.dispatch(new CreateUser("u1"));
    live.unsubscribe();
    expect(answers).toEqual([false, false, true]);
  });
});
