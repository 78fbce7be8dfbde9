import { describe, expect, it } from "@jest/globals";
import { AsyncLocalStorage } from "node:async_hooks";
import { debounceTime, map, of, tap } from "rxjs";
import {
  around,
  CommandBus,
  EventBus,
  HandlerRegistry,
  InvalidMiddlewareError,
  InvalidOptionsError,
  QueryBus,
  shared,
  type EventBusOptions,
  type Middleware,
} from "cqrx";
import { idempotency, overlap, retrying, timeLimit } from "cqrx/middleware";

/** A promise that the spec resolves. */
function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve!: () => void;
  return { promise: new Promise<void>((done) => (resolve = done)), resolve: () => resolve() };
}

class Work {
  constructor(readonly id = "w1") {}
}
class Other {}

const failing = (times: number, calls: string[], name: string) => (): void => {
  calls.push(name);
  if (calls.filter((call) => call === name).length <= times) throw new Error(`${name} failed`);
};

/** The two ways to put the same middleware around the handlers of an event. */
const ways: [name: string, make: (middleware: Middleware[]) => EventBus & { add: EventBus["register"] }][] = [
  [
    "register()",
    (middleware) => {
      const bus = new EventBus();
      const add: EventBus["register"] = (type, handler) =>
        bus.register(type, handler, { middleware: middleware as never });
      return Object.assign(bus, { add });
    },
  ],
  [
    "handlerMiddleware",
    (handlerMiddleware) => {
      const bus = new EventBus({ handlerMiddleware });
      return Object.assign(bus, { add: bus.register.bind(bus) as never });
    },
  ],
];

describe.each(ways)("middleware around each handler of an event, by %s", (_, make) => {
  it("retries the handler that failed, and never one that succeeded", async () => {
    const bus = make([retrying({ count: 3 })]);
    const calls: string[] = [];
    bus.add(Work, failing(0, calls, "a"));
    bus.add(Work, failing(2, calls, "b"));
    bus.add(Work, failing(0, calls, "c"));
    await bus.publish(new Work());
    expect(calls).toEqual(["a", "b", "b", "b", "c"]);
  });

  it("limits the time of one handler, aborts its signal alone, and tells its error by its place", async () => {
    const bus = make([timeLimit(1)]);
    const aborted: string[] = [];
    const fast = deferred();
    bus.add(Work, (_work, { signal }) => {
      signal.addEventListener("abort", () => aborted.push("fast"));
      return fast.promise;
    });
    bus.add(Work, (_work, { signal }) => {
      return new Promise<void>((resolve) =>
        signal.addEventListener("abort", () => {
          aborted.push("slow");
          resolve();
        }),
      );
    });
    const published = bus.publish(new Work());
    fast.resolve();
    await expect(published).rejects.toMatchObject({ errors: [{ code: "TIME_LIMIT" }] });
    expect(aborted).toEqual(["slow"]);
  });

  it("keeps one queue for each handler: overlap", async () => {
    const bus = make([overlap({ strategy: "concat" })]);
    const calls: string[] = [];
    const gates = [deferred(), deferred()];
    bus.add(Work, ({ id }) => {
      calls.push(`slow ${id}`);
      return gates.shift()?.promise;
    });
    bus.add(Work, ({ id }) => void calls.push(`fast ${id}`));
    const [first, second] = [...gates];
    const all = Promise.all([bus.publish(new Work("1")), bus.publish(new Work("2"))]);
    expect(calls).toEqual(["slow 1", "fast 1", "fast 2"]);
    first!.resolve();
    second!.resolve();
    await all;
    expect(calls).toEqual(["slow 1", "fast 1", "fast 2", "slow 2"]);
  });

  it("may be any operator, and a dropped delivery fails one handler only", async () => {
    let dropping = true;
    const bus = make([
      (source) =>
        source.pipe(
          tap(),
          map((delivery) => delivery),
        ),
      shared((source) => source),
    ]);
    const strict = make([
      around((message, next) => {
        if (dropping) throw new TypeError("refused");
        return next(message);
      }),
    ]);
    const calls: string[] = [];
    for (const each of [bus, strict]) each.add(Work, () => void calls.push("handled"));
    await bus.publish(new Work());
    await expect(strict.publish(new Work())).rejects.toMatchObject({ errors: [{ message: "refused" }] });
    dropping = false;
    await strict.publish(new Work());
    expect(calls).toEqual(["handled", "handled"]);
  });

  it("ends with its handler, so that handlers that come and go leave nothing behind", async () => {
    const bus = make([retrying({ count: 1 })]);
    for (let round = 0; round < 3; round++) {
      const subscription = bus.add(Work, () => undefined);
      await bus.publish(new Work());
      expect(bus.describe().gauges).toHaveLength(1);
      subscription.unsubscribe();
    }
    expect(bus.describe().gauges).toBeUndefined();
  });

  it("releases its deliveries when the handler is unregistered", async () => {
    const bus = make([shared(debounceTime(1_000_000))]);
    const calls: string[] = [];
    const subscription = bus.add(Work, ({ id }) => void calls.push(id));
    const published = bus.publish(new Work());
    expect(calls).toEqual([]);
    subscription.unsubscribe();
    await published;
    expect(calls).toEqual(["w1"]);
    expect(await bus.close()).toMatchObject({ finished: 0, aborted: [] });
  });

  it("is shown by describe()", () => {
    const bus = make([retrying({ count: 1 }), timeLimit(5)]);
    bus.add(Work, function saveWork() {});
    bus.register(Work, function plain() {});
    expect(JSON.stringify(bus.describe())).toMatch(/\["retrying\(1\)","timeLimit\(5 ms\)"\]/);
    expect(bus.describe().handlers).toMatchObject([{ messageType: "Work", handlers: ["saveWork", "plain"] }]);
  });

  it("keeps order, depth first, and synchronous handlers synchronous", async () => {
    const calls: string[] = [];
    const bus = make([around((message, next) => (calls.push("around"), next(message)))]);
    bus.add(Work, () => void calls.push("first"));
    bus.add(Work, () => void calls.push("second"));
    const published = bus.publish(new Work());
    expect(calls).toEqual(["around", "first", "around", "second"]);
    await published;
  });
});

describe("middleware around a stream of deliveries", () => {
  it("ends with its subscriber", async () => {
    const bus = new EventBus({ handlerMiddleware: [retrying({ count: 1 })] });
    const subscription = bus.deliveries(Work).subscribe(({ resolve }) => resolve());
    await bus.publish(new Work());
    expect(bus.describe().gauges).toHaveLength(1);
    subscription.unsubscribe();
    expect(bus.describe().gauges).toBeUndefined();
  });
});

describe("middleware of one handler", () => {
  it("runs inside the middleware of the bus, around the handler of a command and of a query", async () => {
    const calls: string[] = [];
    const named = (name: string): Middleware => around((message, next) => (calls.push(name), next(message)));
    const commandBus = new CommandBus({ middleware: [named("bus")] });
    commandBus.register(Work, () => void calls.push("handler"), { middleware: [named("a"), named("b")] });
    commandBus.register(Other, () => void calls.push("other"));
    await commandBus.dispatch(new Work());
    await commandBus.dispatch(new Other());
    expect(calls).toEqual(["bus", "a", "b", "handler", "bus", "other"]);

    const queryBus = new QueryBus<number>();
    queryBus.register(Work, () => [1, 2, 3].length, {
      middleware: [around(async (query, next) => 2 * (await next(query)))],
    });
    expect(await queryBus.ask(new Work())).toBe(6);
  });

  it("passes the values of a stream to ask$, and the first to ask", async () => {
    const bus = new QueryBus<number>();
    bus.register(Work, () => of(1, 2), { middleware: [retrying({ count: 1 })] });
    const values: number[] = [];
    await new Promise<void>((complete) =>
      bus.ask$(new Work()).subscribe({ next: (value) => values.push(value), complete }),
    );
    expect(values).toEqual([1, 2]);
    expect(await bus.ask(new Work())).toBe(1);
  });

  it("counts attempts in the context and in the outcome", async () => {
    const bus = new CommandBus();
    const attempts: number[] = [];
    bus.outcomes$.subscribe((outcome) => attempts.push(outcome.attempts));
    bus.register(
      Work,
      (_, { attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) throw new Error("again");
      },
      { middleware: [retrying({ count: 1 })] },
    );
    await bus.dispatch(new Work());
    expect(attempts).toEqual([1, 2, 2]);
  });

  it("does a piece of work once: idempotency", async () => {
    const bus = new EventBus();
    const store = new Map();
    const sent: string[] = [];
    const once = (name: string) =>
      idempotency<Work>({ key: ({ id }) => `${name} ${id}`, store, scope: "process" });
    bus.register(Work, ({ id }) => void sent.push(`mail ${id}`), { middleware: [once("mail")] });
    bus.register(Work, ({ id }) => void sent.push(`stock ${id}`), { middleware: [once("stock")] });
    for (const id of ["1", "1", "2"]) await bus.publish(new Work(id));
    expect(sent).toEqual(["mail 1", "stock 1", "mail 2", "stock 2"]);
  });

  it("is another one in each bus that shares the registry", async () => {
    const registry = new HandlerRegistry();
    const [one, two] = [new CommandBus({ registry }), new CommandBus({ registry })];
    const gate = deferred();
    let running = 0;
    one.register(Work, () => (running++, gate.promise), { middleware: [overlap({ strategy: "concat" })] });
    const all = [one.dispatch(new Work()), two.dispatch(new Work()), two.dispatch(new Work())];
    expect(running).toBe(2);
    gate.resolve();
    await Promise.all(all);
    expect(running).toBe(3);
  });

  it("releases its deliveries when the handler is unregistered, and the next handler starts afresh", async () => {
    const bus = new CommandBus();
    const calls: string[] = [];
    const held = { middleware: [shared<Work>(debounceTime(1_000_000))] };
    const subscription = bus.register(Work, () => void calls.push("old"), held);
    const dispatched = bus.dispatch(new Work());
    expect(bus.inFlight).toBe(1);
    subscription.unsubscribe();
    await dispatched;
    expect(calls).toEqual(["old"]);
    bus.register(Work, () => void calls.push("new"));
    await bus.dispatch(new Work());
    expect(calls).toEqual(["old", "new"]);
    expect(await bus.close()).toMatchObject({ finished: 0, aborted: [] });
  });

  it("runs in the async context of its message", async () => {
    const storage = new AsyncLocalStorage<string>();
    const bus = new CommandBus();
    const seen: (string | undefined)[] = [];
    const gates = [deferred(), deferred()];
    bus.register(
      Work,
      () => {
        seen.push(storage.getStore());
        return gates.shift()?.promise;
      },
      { middleware: [overlap({ strategy: "concat" })] },
    );
    const [first, second] = [...gates];
    const all = ["a", "b"].map((name) => storage.run(name, () => bus.dispatch(new Work())));
    first!.resolve();
    second!.resolve();
    await Promise.all(all);
    expect(seen).toEqual(["a", "b"]);
  });

  it("is aborted with its message", async () => {
    const bus = new EventBus();
    const reasons: unknown[] = [];
    bus.register(
      Work,
      (_, { signal }) =>
        new Promise<void>((resolve) =>
          signal.addEventListener("abort", () => {
            reasons.push(signal.reason);
            resolve();
          }),
        ),
      { middleware: [retrying({ count: 5 })] },
    );
    const controller = new AbortController();
    const published = bus.publish(new Work(), { signal: controller.signal });
    controller.abort("gone");
    await expect(published).rejects.toBe("gone");
    expect(reasons).toEqual(["gone"]);
  });
});

describe("wrong middleware of a handler", () => {
  const handler = (): void => undefined;

  it.each([
    ["null", null],
    ["an object", {}],
    ["a function", handler],
  ])("is refused where it is passed: %s", (_, middleware) => {
    const [commands, events] = [new CommandBus(), new EventBus()];
    expect(() => commands.register(Work, handler, { middleware: middleware as never })).toThrow(
      InvalidOptionsError,
    );
    expect(() => events.register(Work, handler, { middleware: middleware as never })).toThrow(
      InvalidOptionsError,
    );
    expect(() => new EventBus({ handlerMiddleware: middleware as never })).toThrow(InvalidOptionsError);
    expect(commands.registry.size).toBe(0);
    commands.register(Work, handler);
  });

  it("is refused by name, in its place", () => {
    const bus = new EventBus();
    const wrong = [retrying({ count: 1 }), () => 1] as never;
    expect(() => bus.register(Work, handler, { middleware: wrong })).toThrow(/middleware\[1\]/);
    expect(() => new EventBus({ handlerMiddleware: wrong })).toThrow(/handlerMiddleware\[1\]/);
    expect(() => bus.register(Work, handler, { middlewares: [] } as never)).toThrow(/middlewares/);
    expect(bus.registry.size).toBe(0);
  });

  it("would take other handlers for done: idempotency around every handler", () => {
    const options: EventBusOptions = {
      handlerMiddleware: [idempotency({ key: () => "k", store: new Map() })],
    };
    expect(() => new EventBus(options)).toThrow(InvalidMiddlewareError);
    expect(() => new EventBus(options)).toThrow(/each handler with an idempotency\(\) and a key of its own/);
  });
});
