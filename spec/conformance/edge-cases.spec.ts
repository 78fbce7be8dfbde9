import { describe, expect, it, jest } from "@jest/globals";
import {
  around,
  command,
  CommandBus,
  defaultCommandBus,
  DispatchDepthExceededError,
  HandlerAlreadyRegisteredError,
  HandlerNotFoundError,
  HandlerRegistry,
  InvalidHandlerError,
  InvalidMessageError,
  MiddlewareCrashedError,
  query,
  QueryBus,
  type Fault,
  type Handler,
  type Middleware,
  type Next,
} from "cqrx";
import { of, tap } from "rxjs";
import { canaries, withTraps } from "../support/traps.js";

class Item {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}
class SubItem extends Item {}
class Other {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const reasonOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => "fulfilled",
    (reason: unknown) => reason,
  );

describe("finding the handler", () => {
  it("X01 a message of an unknown type fails before any middleware and any observer", async () => {
    const seen = jest.fn();
    const bus = new CommandBus({
      middleware: [
        around((message, next) => {
          seen(message);
          return next(message);
        }),
        tap((delivery) => seen(delivery)),
      ],
    });
    bus.messages$.subscribe(seen);
    bus.outcomes$.subscribe(seen);

    await expect(bus.dispatch(new Item(1))).rejects.toBeInstanceOf(HandlerNotFoundError);
    expect(seen).not.toHaveBeenCalled();
    expect(bus.inFlight).toBe(0);
  });

  it("X02 an instance of a subclass is not handled by its base class's handler, and the error names the base", async () => {
    const handler = jest.fn();
    const bus = new CommandBus();
    bus.register(Item, handler);

    await expect(bus.dispatch(new SubItem(1))).rejects.toMatchObject({
      code: "HANDLER_NOT_FOUND",
      messageType: "SubItem",
      message: expect.stringMatching(/SubItem.*Item/) as unknown,
    });
    expect(handler).not.toHaveBeenCalled();
  });

  it("X03 registering the same function twice throws", () => {
    const bus = new CommandBus();
    const handler = (): void => {};
    bus.register(Item, handler);

    expect(() => bus.register(Item, handler)).toThrow(HandlerAlreadyRegisteredError);
  });

  it("X04 after a failed second registration the first handler runs", async () => {
    const [first, second] = [jest.fn(), jest.fn()];
    const bus = new CommandBus();
    bus.register(Item, first);
    expect(() => bus.register(Item, second)).toThrow(HandlerAlreadyRegisteredError);

    await bus.dispatch(new Item(1));
    expect(first).toHaveBeenCalledTimes(1);
    expect(second).not.toHaveBeenCalled();
  });

  it("X14 a registry shared by two command buses serves both, and belongs to that kind only", async () => {
    const registry = new HandlerRegistry();
    const handler = jest.fn();
    const buses = [new CommandBus({ registry }), new CommandBus({ registry })];
    buses[0]!.register(Item, handler);

    await buses[1]!.dispatch(new Item(1));
    expect(handler).toHaveBeenCalledTimes(1);
    expect(() => new QueryBus({ registry })).toThrow(/belongs to command buses/);
    expect(() => new QueryBus({ registry })).toThrow(InvalidHandlerError);
  });

  it("X15 a registry that is still empty when it is passed is used", async () => {
    class Lengthy extends HandlerRegistry {
      get length(): number {
        return this.size;
      }
    }
    const registry = new Lengthy();
    const bus = new CommandBus({ registry });
    const handler = jest.fn();
    registry.register(Item, handler);

    await bus.dispatch(new Item(1));
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it("X18 a command in flight ends normally after its registry has been cleared, and the next one is not found", async () => {
    let finish = (): void => {};
    let finished = false;
    const registry = new HandlerRegistry();
    const bus = new CommandBus({ registry });
    bus.register(Item, async () => {
      await new Promise<void>((resolve) => (finish = resolve));
      finished = true;
    });

    const running = bus.dispatch(new Item(1));
    registry.clear();
    finish();
    await expect(running).resolves.toBeUndefined();
    expect(finished).toBe(true);
    await expect(bus.dispatch(new Item(1))).rejects.toBeInstanceOf(HandlerNotFoundError);
  });

  it("X18 a command keeps the handler it had at the door when middleware clears the registry", async () => {
    const handler = jest.fn();
    const registry = new HandlerRegistry();
    const bus = new CommandBus({
      registry,
      middleware: [
        around((message, next) => {
          registry.clear();
          return next(message);
        }),
      ],
    });
    bus.register(Item, handler);

    await bus.dispatch(new Item(1));
    expect(handler).toHaveBeenCalledTimes(1);
  });

  const falsy: [unknown, new () => object][] = [
    [0, Number],
    ["", String],
    [false, Boolean],
  ];
  it.each(falsy)("X19 the falsy value %p is a message like any other", async (message, type) => {
    const bus = new QueryBus();
    bus.register(type, (received) => ({ received }));

    expect(await bus.ask(message as object)).toEqual({ received: message });
  });
});

describe("next() in middleware", () => {
  it("X05 next(message of another type) runs the handler of that type", async () => {
    const [items, others] = [jest.fn(), jest.fn()];
    const bus = new CommandBus({ middleware: [around((_, next) => next(new Other("x")))] });
    bus.register(Item, items);
    bus.register(Other, others);

    await bus.dispatch(new Item(1));
    expect(items).not.toHaveBeenCalled();
    expect(others.mock.calls[0]?.[0]).toEqual(new Other("x"));
  });

  it("X05 next(message of an unknown type) rejects with HandlerNotFoundError", async () => {
    const items = jest.fn();
    const bus = new CommandBus({ middleware: [around((_, next) => next(new Other("x")))] });
    bus.register(Item, items);

    await expect(bus.dispatch(new Item(1))).rejects.toMatchObject({
      code: "HANDLER_NOT_FOUND",
      messageType: "Other",
    });
    expect(items).not.toHaveBeenCalled();
  });

  it("X06 next(null) rejects with InvalidMessageError and runs no handler", async () => {
    const handler = jest.fn();
    const bus = new CommandBus({
      middleware: [around((_, next) => next(null as unknown as object))],
    });
    bus.register(Item, handler);

    await expect(bus.dispatch(new Item(1))).rejects.toBeInstanceOf(InvalidMessageError);
    expect(handler).not.toHaveBeenCalled();
  });

  it("X07 next() passes the current message on", async () => {
    const handler = jest.fn();
    const bus = new CommandBus({
      middleware: [around((_, next) => next(new Item(2))), around((_, next) => next())],
    });
    bus.register(Item, handler);

    await bus.dispatch(new Item(1));
    expect(handler.mock.calls.map(([message]) => message)).toEqual([new Item(2)]);
  });

  it("X08 next may be called again after a failure, which is how retries are written", async () => {
    let attempts = 0;
    const bus = new QueryBus({
      middleware: [
        around(async (message, next) => {
          try {
            return await next(message);
          } catch {
            return next(message);
          }
        }),
      ],
    });
    bus.register(Item, async () => {
      await Promise.resolve();
      attempts++;
      if (attempts === 1) throw new Error("first attempt");
      return `attempt ${attempts}`;
    });

    expect(await bus.ask(new Item(1))).toBe("attempt 2");
    expect(bus.inFlight).toBe(0);
  });

  it("X08 next may be called twice at once, and both runs reach the handler", async () => {
    const values: unknown[] = [];
    const bus = new QueryBus({
      middleware: [around((message, next) => Promise.all([next(message), next(new Item(2))]))],
    });
    bus.register(Item, async ({ value }) => {
      await Promise.resolve();
      values.push(value);
      return value;
    });

    expect(await bus.ask(new Item(1))).toEqual([1, 2]);
    expect(values).toEqual([1, 2]);
  });

  it("X08 next may be called twice when operators follow it", async () => {
    let attempts = 0;
    const retry = around((message, next: Next) => {
      try {
        return next(message);
      } catch {
        return next(message);
      }
    });
    const bus = new QueryBus({ middleware: [retry, tap(() => attempts++)] });
    bus.register(Item, () => {
      if (attempts === 1) throw new Error("first attempt");
      return attempts;
    });

    expect(await bus.ask(new Item(1))).toBe(2);
  });

  it("X09 a handler whose next was neither awaited nor returned runs, and its error appears on faults$", async () => {
    const lost = new Error("lost");
    const faults: Fault[] = [];
    const bus = new CommandBus({ middleware: [around((message, next) => void next(message))] });
    bus.faults$.subscribe((fault) => faults.push(fault));
    let ran = false;
    bus.register(Item, async () => {
      await Promise.resolve();
      ran = true;
      throw lost;
    });

    await withTraps(async () => {
      await expect(bus.dispatch(new Item(1))).resolves.toBeUndefined();
    });
    expect(ran).toBe(true);
    expect(faults.map(({ kind, error }) => [kind, error])).toEqual([["late", lost]]);
    expect(faults[0]?.envelope?.payload).toEqual(new Item(1));
    await canaries(bus);
  });

  it("X10 next called after the dispatch has ended throws, and does not run the handler again", async () => {
    let kept: Next | undefined;
    const handler = jest.fn();
    const bus = new CommandBus({
      middleware: [
        around((message, next) => {
          kept = next;
          return next(message);
        }),
      ],
    });
    bus.register(Item, handler);
    await bus.dispatch(new Item(1));

    expect(() => kept!(new Item(2))).toThrow(MiddlewareCrashedError);
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it("X11 a synchronous middleware may return a value of its own", async () => {
    const bus = new QueryBus({
      middleware: [around((message, next) => ((message as Item).value === 0 ? "zero" : next(message)))],
    });
    bus.register(Item, ({ value }) => value);

    expect(await bus.ask(new Item(0))).toBe("zero");
    expect(await bus.ask(new Item(7))).toBe(7);
  });

  it("X16 middleware appended to the list after construction takes no effect", async () => {
    const late = jest.fn();
    const list: Middleware[] = [];
    const bus = new CommandBus({ middleware: list });
    bus.register(Item, () => {});
    list.push(tap(() => late()));

    await bus.dispatch(new Item(1));
    expect(late).not.toHaveBeenCalled();
    expect(bus.describe().middleware).toEqual([]);
  });

  it("X17 a dispatch in flight keeps its chain when the list changes", async () => {
    const log: string[] = [];
    let release = (): void => {};
    const list: Middleware[] = [
      around(async (message, next) => {
        await new Promise<void>((resolve) => (release = resolve));
        return next(message);
      }),
      tap(() => log.push("old")),
    ];
    const bus = new CommandBus({ middleware: list });
    bus.register(Item, () => void log.push("handler"));

    const running = bus.dispatch(new Item(1));
    list[1] = tap(() => log.push("new"));
    list.push(tap(() => log.push("added")));
    release();
    await running;
    expect(log).toEqual(["old", "handler"]);
  });
});

describe("handlers and their results", () => {
  async function* streaming(): AsyncGenerator<number> {
    yield 1;
    await Promise.resolve();
    yield 2;
  }

  it("X12 ask takes the first value of an Observable and of an async iterable, ask$ all of them", async () => {
    const bus = new QueryBus();
    bus.register(Item, () => of(1, 2));
    bus.register(Other, () => streaming());

    expect(await bus.ask(new Item(0))).toBe(1);
    expect(await bus.ask(new Other(""))).toBe(1);
    const all: number[] = [];
    await bus.ask$(new Item(0)).forEach((value) => all.push(value as number));
    await bus.ask$(new Other("")).forEach((value) => all.push(value as number));
    expect(all).toEqual([1, 2, 1, 2]);
  });

  it("X12 arrays, strings, Sets and synchronous iterators are values, not streams", async () => {
    const values = [[1, 2], "text", new Set([1]), new Map([[1, 2]]).entries()];
    const bus = new QueryBus();
    bus.register(Item, ({ value }) => values[value]);

    for (const [index, value] of values.entries()) expect(await bus.ask(new Item(index))).toBe(value);
  });

  const generators: [string, Handler<object>][] = [
    ["generator function", function* () {}],
    ["async generator function", async function* () {}],
    ["object whose handle is a generator", { *handle() {} }],
  ];
  it.each(generators)("X12 a handler that is a %s is refused at registration", (_, handler) => {
    const bus = new CommandBus();

    expect(() => bus.register(Item, handler)).toThrow(InvalidHandlerError);
    expect(() => bus.register(Item, handler)).toThrow(/generator/);
    expect(bus.describe().handlers).toEqual([]);
  });

  it.each([undefined, null, 42, "handler", {}, { handle: 42 }, class Handler {}])(
    "X13 a handler that cannot be called is refused at registration: %p",
    (handler) => {
      const bus = new CommandBus();

      expect(() => bus.register(Item, handler as unknown as Handler<Item>)).toThrow(InvalidHandlerError);
      expect(bus.describe().handlers).toEqual([]);
    },
  );

  it("X20 a promise of a promise is flattened, for the caller and in the outcome", async () => {
    const bus = new QueryBus();
    const outcomes: unknown[] = [];
    bus.outcomes$.subscribe((outcome) => outcomes.push(outcome.status === "fulfilled" && outcome.value));
    bus.register(Item, () => Promise.resolve(Promise.resolve("deep")));

    expect(await bus.ask(new Item(1))).toBe("deep");
    expect(outcomes).toEqual(["deep"]);
  });

  it("X20 a thenable of a thenable is flattened as await would do it, for the caller and in the outcome", async () => {
    const thenable = <T>(value: T): PromiseLike<T> => ({
      then: ((resolve: (value: T) => unknown) => void resolve(value)) as never,
    });
    const bus = new QueryBus();
    const outcomes: unknown[] = [];
    bus.outcomes$.subscribe((outcome) => outcomes.push(outcome.status === "fulfilled" && outcome.value));
    bus.register(Item, () => thenable(thenable("deep")));

    expect(await bus.ask(new Item(1))).toBe("deep");
    expect(outcomes).toEqual(["deep"]);
  });

  it("X20 a command waits for the inner promise of a thenable", async () => {
    let inner = (): void => {};
    let done = false;
    const bus = new CommandBus();
    bus.register(Item, () => ({
      then: (resolve: (value: unknown) => void) => resolve(new Promise<void>((finish) => (inner = finish))),
    }));

    const dispatched = bus.dispatch(new Item(1)).then(() => (done = true));
    await new Promise(setImmediate);
    expect(done).toBe(false);
    inner();
    await dispatched;
    expect(done).toBe(true);
  });
});

describe("nesting and long chains", () => {
  it("X21 nested dispatches run depth first, each through the middleware again", async () => {
    const log: string[] = [];
    const bus = new CommandBus({
      middleware: [
        around((message, next) => {
          const { value } = message as Item;
          log.push(`in ${value}`);
          const result = next(message);
          log.push(`out ${value}`);
          return result;
        }),
      ],
    });
    bus.register(Item, ({ value }) => {
      log.push(`start ${value}`);
      if (value < 3) bus.dispatch(new Item(value + 1));
      log.push(`end ${value}`);
    });

    const dispatched = bus.dispatch(new Item(1));
    expect(log).toEqual(
      "in 1,start 1,in 2,start 2,in 3,start 3,end 3,out 3,end 2,out 2,end 1,out 1".split(","),
    );
    await dispatched;
  });

  function countdown(options: { maxDepth?: number; middleware?: Middleware[] } = {}): CommandBus {
    const bus = new CommandBus(options);
    bus.register(Item, ({ value }) => (value > 1 ? bus.dispatch(new Item(value - 1)) : undefined));
    return bus;
  }

  it("X21 by default 256 dispatches fit into each other, and the next one is rejected with what to do", async () => {
    const bus = countdown();

    await expect(bus.dispatch(new Item(256))).resolves.toBeUndefined();
    const reason = await reasonOf(bus.dispatch(new Item(257)));
    expect(reason).toBeInstanceOf(DispatchDepthExceededError);
    expect((reason as Error).message).toMatch(/256 .*maxDepth/);
    await canaries(bus);
  });

  it("X21 a maxDepth of 1,100 allows 1,000 nested dispatches", async () => {
    const bus = countdown({ maxDepth: 1_100 });

    await expect(bus.dispatch(new Item(1_000))).resolves.toBeUndefined();
    await canaries(bus);
  });

  it("X22 a bus with 1,000 functions as middleware works", async () => {
    let passed = 0;
    const bus = new QueryBus({
      middleware: Array.from({ length: 1_000 }, () =>
        around((message, next) => {
          passed++;
          return next(message);
        }),
      ),
    });
    bus.register(Item, ({ value }) => value);

    expect(await bus.ask(new Item(7))).toBe(7);
    expect(passed).toBe(1_000);
  });

  it("X22 a bus with 1,000 operators as middleware works", async () => {
    let passed = 0;
    const bus = new QueryBus({ middleware: Array.from({ length: 1_000 }, () => tap<never>(() => passed++)) });
    bus.register(Item, ({ value }) => value);

    expect(await bus.ask(new Item(7))).toBe(7);
    expect(passed).toBe(1_000);
  });
});

describe("decorators used wrongly", () => {
  type Loose = (...args: unknown[]) => unknown;
  const decorators: [string, Loose][] = [
    ["command", command as unknown as Loose],
    ["query", query as unknown as Loose],
  ];
  const methodContext = { kind: "method", name: "handle", addInitializer: () => {} };
  const classContext = { kind: "class", name: "Users", addInitializer: () => {} };

  it.each(decorators)("X23 @%s without an argument list says how it is written", (name, decorator) => {
    const hint = new RegExp(`@${name} takes a message class.*@${name}\\(SomeType\\)`);
    class Users {}

    expect(() => decorator(Users, classContext)).toThrow(hint);
    expect(() => decorator(() => {}, methodContext)).toThrow(hint);
    expect(() => decorator(Users.prototype, "handle", {})).toThrow(hint);
    expect(() => decorator()).toThrow(InvalidHandlerError);
  });

  it.each(decorators)("X23 @%s(Type, bus) called as a legacy decorator says so", (name, decorator) => {
    class Users {
      handle(): void {}
    }
    const decorate = decorator(Item, name === "query" ? new QueryBus() : new CommandBus()) as Loose;
    const descriptor = Object.getOwnPropertyDescriptor(Users.prototype, "handle");

    expect(() => decorate(Users.prototype, "handle", descriptor)).toThrow(/experimentalDecorators/);
    expect(() => decorate(Users, "handle", descriptor)).toThrow(/a static method is a function/);
    expect(() => decorate(Users.prototype, "handle", {})).toThrow(/not a field/);
  });

  it.each(decorators)(
    "X23 @%s as a legacy decorator of a class, without an argument list, says so",
    (name, decorator) => {
      class Users {}
      const replaced = decorator(Users) as new () => unknown;
      expect(() => new replaced()).toThrow(`@${name} takes a message class: @${name}(SomeType).`);
    },
  );

  it("X23 command(Type) on a field, or on a class without a handle method, is refused", () => {
    const decorate = command(Item) as unknown as Loose;

    expect(() => decorate(undefined, { kind: "field", name: "x", addInitializer: () => {} })).toThrow(
      /field/,
    );
    expect(() => decorate(class {}, classContext)).toThrow(/handle method/);
  });

  it("X23 a bus of another kind is refused, and nothing is registered anywhere", () => {
    expect(() => command(Item, new QueryBus() as unknown as CommandBus)).toThrow(InvalidHandlerError);
    expect(defaultCommandBus.describe().handlers).toEqual([]);
  });
});
