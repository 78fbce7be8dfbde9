import { beforeEach, describe, expect, it } from "@jest/globals";
import { around, CommandBus, Query, QueryBus, shared, when, type BusOptions, type Middleware } from "cqrx";
import { concatMap, filter, map, of, pipe, tap } from "rxjs";
import { escapedFrom } from "../support/traps.js";

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

const store = new Map<string, string>();
const created = [["u1", "a@b.com"]];

function userBus(options?: BusOptions): CommandBus {
  const bus = new CommandBus(options);
  bus.register(CreateUser, ({ userId, email }) => void store.set(userId, email));
  return bus;
}

beforeEach(() => store.clear());

describe("dispatching without awaiting", () => {
  it("C1 a synchronous handler has changed the store when dispatch returns", () => {
    userBus().dispatch(new CreateUser("u1", "a@b.com"));

    expect([...store]).toEqual(created);
  });

  it("C2 the same with three synchronous middleware, whose after-parts have run", () => {
    const log: string[] = [];
    const logging = (name: string): Middleware =>
      around((message, next) => {
        log.push(`${name} before`);
        const result = next(message);
        log.push(`${name} after`);
        return result;
      });
    userBus({ middleware: [logging("a"), logging("b"), logging("c")] }).dispatch(
      new CreateUser("u1", "a@b.com"),
    );

    expect([...store]).toEqual(created);
    expect(log).toEqual(["a before", "b before", "c before", "c after", "b after", "a after"]);
  });

  it("C3 the same with an async logging middleware that returns next(message)", () => {
    const log: string[] = [];
    const logging = around(async (message, next) => {
      log.push(message.constructor.name);
      return next(message);
    });
    userBus({ middleware: [logging] }).dispatch(new CreateUser("u1", "a@b.com"));

    expect([...store]).toEqual(created);
    expect(log).toEqual(["CreateUser"]);
  });

  it("C4 a middleware that awaits before next delays the change until then", async () => {
    const waiting = around(async (message, next) => {
      await Promise.resolve();
      return next(message);
    });
    const dispatched = userBus({ middleware: [waiting] }).dispatch(new CreateUser("u1", "a@b.com"));

    expect([...store]).toEqual([]);
    await dispatched;
    expect([...store]).toEqual(created);
  });

  it("C5 of an async handler the part before its first await has run, and the rest has not", async () => {
    const bus = new CommandBus();
    bus.register(CreateUser, async ({ userId, email }) => {
      store.set(userId, "pending");
      await Promise.resolve();
      store.set(userId, email);
    });
    const dispatched = bus.dispatch(new CreateUser("u1", "a@b.com"));

    expect([...store]).toEqual([["u1", "pending"]]);
    await dispatched;
    expect([...store]).toEqual(created);
  });

  it("C6 dispatch$ does nothing until it is subscribed to, and then everything before subscribe returns", () => {
    const notifications: unknown[] = [];
    const cold = userBus().dispatch$(new CreateUser("u1", "a@b.com"));
    expect([...store]).toEqual([]);

    cold.subscribe({
      next: (value: unknown) => notifications.push(value),
      complete: () => notifications.push("complete"),
    });
    expect([...store]).toEqual(created);
    expect(notifications).toEqual([undefined, "complete"]);
  });

  it("C7 a synchronous throw in the handler rejects the promise, and the call itself does not throw", async () => {
    const boom = new Error("boom");
    const bus = new CommandBus();
    bus.register(CreateUser, () => {
      throw boom;
    });
    let dispatched: Promise<void> | undefined;

    expect(() => (dispatched = bus.dispatch(new CreateUser("u1", "a@b.com")))).not.toThrow();
    const reason: unknown = await dispatched!.catch((error: unknown) => error);
    expect(reason).toBe(boom);
  });

  it("C8 the handler of a query has run when ask returns", () => {
    const asked: string[] = [];
    const bus = new QueryBus();
    bus.register(GetUserEmail, ({ userId }) => {
      asked.push(userId);
      return null;
    });
    bus.ask(new GetUserEmail("u1"));

    expect(asked).toEqual(["u1"]);
  });

  it("two dispatches in a row: the first handler's synchronous part ends before the second begins", () => {
    const log: string[] = [];
    const bus = new CommandBus();
    bus.register(CreateUser, async ({ userId }) => {
      log.push(`${userId} start`);
      log.push(`${userId} end`);
      await Promise.resolve();
    });
    bus.dispatch(new CreateUser("u1", ""));
    bus.dispatch(new CreateUser("u2", ""));

    expect(log).toEqual(["u1 start", "u1 end", "u2 start", "u2 end"]);
  });
});

describe("C9 every form of middleware keeps a synchronous dispatch synchronous", () => {
  const forms: [string, (passed: () => void) => Middleware][] = [
    [
      "around",
      (passed) =>
        around((message, next) => {
          passed();
          return next(message);
        }),
    ],
    ["tap", (passed) => tap(passed)],
    ["filter", (passed) => filter(() => (passed(), true))],
    ["map to another message", (passed) => map((delivery) => (passed(), delivery.with(delivery.message)))],
    ["concatMap to a synchronous Observable", (passed) => concatMap((delivery) => (passed(), of(delivery)))],
    ["a pipe of operators", (passed) => pipe(tap(passed), filter(Boolean))],
    ["when", (passed) => when(CreateUser, tap(passed))],
    [
      "when around",
      (passed) =>
        when(
          [CreateUser],
          around((message, next) => {
            passed();
            return next(message);
          }),
        ),
    ],
    ["shared with a synchronous operator", (passed) => shared(tap(passed))],
  ];

  it.each(forms)("C9 %s", (_, form) => {
    let passed = 0;
    userBus({ middleware: [form(() => passed++)] }).dispatch(new CreateUser("u1", "a@b.com"));

    expect([...store]).toEqual(created);
    expect(passed).toBe(1);
  });

  it("C9 all of them together, in both orders, with observers and a dispatch inside the handler", () => {
    for (const order of [forms, [...forms].reverse()]) {
      store.clear();
      let passed = 0;
      let outcomes = 0;
      const bus = userBus({ middleware: order.map(([, form]) => form(() => passed++)) });
      class Register {}
      bus.register(Register, () => bus.dispatch(new CreateUser("u1", "a@b.com")));
      bus.outcomes$.subscribe(() => outcomes++);
      bus.dispatch(new Register());

      expect([...store]).toEqual(created);
      // Two of the forms are for CreateUser only.
      expect(passed).toBe(2 * forms.length - 2);
      expect(outcomes).toBe(1);
    }
  });
});

describe("the rejection of a dispatch that its caller does not await", () => {
  const boom = new Error("boom");

  function failing(options?: BusOptions): CommandBus {
    const bus = new CommandBus(options);
    bus.register(CreateUser, async () => {
      await Promise.resolve();
      throw boom;
    });
    bus.outcomes$.subscribe();
    return bus;
  }

  const chains: [string, Middleware[]][] = [
    ["no middleware", []],
    [
      "functions, operators and shared middleware",
      [around(async (message, next) => next(message)), tap(), shared(tap()), around((_, next) => next())],
    ],
  ];
  it.each(chains)("C10 is one unhandledRejection with %s", async (_, middleware) => {
    const escaped = await escapedFrom(() => void failing({ middleware }).dispatch(new CreateUser("", "")));

    expect(escaped).toEqual({ unhandledRejections: [boom], uncaughtExceptions: [], warnings: [] });
    expect(escaped.unhandledRejections[0]).toBe(boom);
  });

  it.each(chains)("C10 is not unhandled when it is awaited, with %s", async (_, middleware) => {
    const escaped = await escapedFrom(async () => {
      const reason: unknown = await failing({ middleware })
        .dispatch(new CreateUser("", ""))
        .catch((error: unknown) => error);
      expect(reason).toBe(boom);
    });

    expect(escaped).toEqual({ unhandledRejections: [], uncaughtExceptions: [], warnings: [] });
  });

  it.each([
    ["an unknown type", () => void new CommandBus().dispatch(new CreateUser("", ""))],
    ["no message", () => void new CommandBus().dispatch(null as unknown as object)],
    [
      "a handler that throws synchronously",
      () => {
        const bus = new CommandBus();
        bus.register(CreateUser, () => {
          throw boom;
        });
        bus.dispatch(new CreateUser("", ""));
      },
    ],
  ])("C10 is one unhandledRejection for %s", async (_, run) => {
    const escaped = await escapedFrom(run);

    expect(escaped.unhandledRejections).toHaveLength(1);
    expect(escaped).toMatchObject({ uncaughtExceptions: [], warnings: [] });
  });
});
