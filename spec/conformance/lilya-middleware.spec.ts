import { describe, expect, it, jest } from "@jest/globals";
import { around, CommandBus, Query, QueryBus, type Middleware } from "cqrx";
import { map, tap } from "rxjs";

class Count {
  value: number;

  constructor(value: number) {
    this.value = value;
  }
}

class Lookup extends Query<string> {
  readonly value: number;

  constructor(value: number) {
    super();
    this.value = value;
  }
}

describe("the middleware pipeline", () => {
  const onion = ["mw1 before", "mw2 before", "handler", "mw2 after", "mw1 after"];

  it("L20 synchronous middleware runs around the handler, first one outermost, all inside the dispatch call", async () => {
    const log: string[] = [];
    const logging = (name: string): Middleware =>
      around((message, next) => {
        log.push(`${name} before`);
        const result = next(message);
        log.push(`${name} after`);
        return result;
      });
    const bus = new CommandBus({ middleware: [logging("mw1"), logging("mw2")] });
    bus.register(Count, () => void log.push("handler"));

    const dispatched = bus.dispatch(new Count(1));
    expect(log).toEqual(onion);
    await dispatched;
    expect(log).toEqual(onion);
  });

  it("L20 asynchronous middleware runs around an asynchronous handler in the same order", async () => {
    const log: string[] = [];
    const logging = (name: string): Middleware =>
      around(async (message, next) => {
        log.push(`${name} before`);
        const result = await next(message);
        log.push(`${name} after`);
        return result;
      });
    const bus = new CommandBus({ middleware: [logging("mw1"), logging("mw2")] });
    bus.register(Count, async () => {
      await Promise.resolve();
      log.push("handler");
    });

    await bus.dispatch(new Count(1));
    expect(log).toEqual(onion);
  });

  it("L20 operators run in the same order before the handler", async () => {
    const log: string[] = [];
    const bus = new CommandBus({
      middleware: [tap(() => log.push("mw1 before")), tap(() => log.push("mw2 before"))],
    });
    bus.register(Count, () => void log.push("handler"));

    await bus.dispatch(new Count(1));
    expect(log).toEqual(onion.slice(0, 3));
  });

  it("L21 middleware that changes the message changes what the handler sees", async () => {
    const seen: number[] = [];
    const bus = new CommandBus({
      middleware: [
        around((message, next) => {
          (message as Count).value += 1;
          return next(message);
        }),
      ],
    });
    bus.register(Count, ({ value }) => void seen.push(value));

    await bus.dispatch(new Count(1));
    expect(seen).toEqual([2]);
  });

  it("L21 a frozen message is replaced by next(copy), and the caller's own stays as it was", async () => {
    const seen: number[] = [];
    const bus = new CommandBus({
      middleware: [around((message, next) => next(new Count((message as Count).value + 1)))],
    });
    bus.register(Count, ({ value }) => void seen.push(value));
    const frozen = Object.freeze(new Count(1));

    await bus.dispatch(frozen);
    expect(seen).toEqual([2]);
    expect(frozen.value).toBe(1);
  });

  it("L21 an operator replaces the message by delivery.with(copy)", async () => {
    const seen: number[] = [];
    const bus = new CommandBus({
      middleware: [map((delivery) => delivery.with(new Count((delivery.message as Count).value + 1)))],
    });
    bus.register(Count, ({ value }) => void seen.push(value));

    await bus.dispatch(Object.freeze(new Count(1)));
    expect(seen).toEqual([2]);
  });

  it("L22 query middleware answers instead of the handler for some messages only", async () => {
    const handler = jest.fn(({ value }: Lookup) => `db:${value}`);
    const bus = new QueryBus({
      middleware: [around((message, next) => ((message as Lookup).value === 0 ? "cached" : next(message)))],
    });
    bus.register(Lookup, handler);

    expect(await bus.ask(new Lookup(0))).toBe("cached");
    expect(await bus.ask(new Lookup(5))).toBe("db:5");
    expect(handler.mock.calls.map(([{ value }]) => value)).toEqual([5]);
  });

  const stop = new Error("stop");
  const failing: [string, Middleware][] = [
    [
      "synchronous function",
      around(() => {
        throw stop;
      }),
    ],
    ["asynchronous function", around(() => Promise.reject(stop))],
    [
      "operator",
      tap(() => {
        throw stop;
      }),
    ],
  ];
  it.each(failing)(
    "L23 what a %s throws as middleware is what dispatch rejects with",
    async (_, middleware) => {
      const handler = jest.fn();
      const bus = new CommandBus({ middleware: [middleware] });
      bus.register(Count, handler);
      let dispatched: Promise<void> | undefined;

      expect(() => {
        dispatched = bus.dispatch(new Count(1));
      }).not.toThrow();
      const reason: unknown = await dispatched?.catch((error: unknown) => error);
      expect(reason).toBe(stop);
      expect(handler).not.toHaveBeenCalled();
    },
  );
});
