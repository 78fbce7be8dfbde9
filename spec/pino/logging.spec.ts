import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { firstValueFrom, of, toArray } from "rxjs";
import { pino } from "pino";
import { around, CommandBus, EventBus, QueryBus, type BusOptions } from "cqrx";
import { retrying } from "cqrx/middleware";
import { logging, logTo } from "cqrx/pino";
import { manualClock, sequentialIds } from "cqrx/testing";
import { CreateUser, GetUser, loggerInMemory, settle, type Line } from "./support.js";

const fixed = (options: BusOptions): BusOptions => ({
  name: "users",
  ids: sequentialIds("c"),
  clock: manualClock(),
  ...options,
});
const summary = (lines: readonly Line[]): string[] =>
  lines.map(({ id, event, outcome }) => [id, outcome ?? event].join(" "));

afterEach(() => {
  jest.restoreAllMocks();
});

describe("logging", () => {
  it("writes a line before and a line after, within the dispatch call", () => {
    const { logger, lines } = loggerInMemory();
    const clock = manualClock();
    const bus = new CommandBus(fixed({ clock, middleware: [logging(logger)] }));
    bus.register(CreateUser, () => {
      expect(summary(lines())).toEqual(["c1 message"]);
      clock.advance(3);
    });

    bus.dispatch(new CreateUser("u1"));

    expect(lines()).toEqual([
      expect.objectContaining({ level: 20, bus: "users", event: "message", msg: "CreateUser" }),
      expect.objectContaining({ level: 30, bus: "users", outcome: "fulfilled", durationMs: 3 }),
    ]);
  });

  it("inside retrying, tells each attempt from the second on; outside, and from outcomes$, how many there were", async () => {
    const { logger, lines } = loggerInMemory();
    const bus = new QueryBus(fixed({ middleware: [retrying({ count: 2 }), logging(logger)] }));
    const log = logTo(bus, logger);
    bus.register(GetUser, (_, { attempt }) => {
      if (attempt < 3) throw new Error("busy");
    });

    await bus.ask(new GetUser("u1"));

    const told = lines().map(({ event, attempt = "-", attempts = "-" }) =>
      [event, attempt, attempts].join(" "),
    );
    expect(told).toEqual([
      "message - -",
      "message - -",
      "outcome - -",
      "message 2 -",
      "outcome 2 -",
      "message 3 -",
      "outcome 3 -",
      "outcome - 3",
    ]);
    log.unsubscribe();
  });

  it("writes the outcome of a promise before the sender goes on", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = new QueryBus(fixed({ middleware: [logging(logger)] }));
    bus.register(GetUser, async () => "Ada");

    const name = await bus.ask(new GetUser("u1"));

    expect(name).toBe("Ada");
    expect(summary(lines())).toEqual(["c1 fulfilled"]);
  });

  it("passes errors on with their identity", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = new CommandBus(fixed({ middleware: [logging(logger)] }));
    const error = new Error("taken");
    bus.register(CreateUser, ({ userId }) => {
      if (userId === "sync") throw error;
      return Promise.reject(error);
    });

    await expect(bus.dispatch(new CreateUser("sync"))).rejects.toBe(error);
    await expect(bus.dispatch(new CreateUser("async"))).rejects.toBe(error);

    expect(summary(lines())).toEqual(["c1 rejected", "c2 rejected"]);
  });

  it("writes a cancellation at once, and once, although the handler goes on", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = new CommandBus(fixed({ middleware: [logging(logger)] }));
    let finish!: () => void;
    bus.register(CreateUser, () => new Promise<void>((resolve) => (finish = resolve)));
    bus.faults$.subscribe();
    const controller = new AbortController();

    const dispatched = bus.dispatch(new CreateUser("u1"), { signal: controller.signal });
    controller.abort();
    expect(summary(lines())).toEqual(["c1 cancelled"]);
    await expect(dispatched).rejects.toThrow();
    finish();
    await settle();

    expect(summary(lines())).toEqual(["c1 cancelled"]);
  });

  it("writes each try of a middleware outside of it", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const twice = around(async (_message, next) => {
      try {
        return await next();
      } catch {
        return await next();
      }
    });
    const bus = new CommandBus(fixed({ middleware: [twice, logging(logger)] }));
    let tries = 0;
    bus.register(CreateUser, async () => {
      if (++tries === 1) throw new Error("busy");
    });

    await bus.dispatch(new CreateUser("u1"));

    expect(summary(lines())).toEqual(["c1 rejected", "c1 fulfilled"]);
  });

  it("runs a lazy thenable once", async () => {
    const { logger } = loggerInMemory();
    const bus = new QueryBus(fixed({ middleware: [logging(logger)] }));
    const then = jest.fn((resolve: (value: string) => void) => resolve("Ada"));
    bus.register(GetUser, () => ({ then }));

    expect(await bus.ask(new GetUser("u1"))).toBe("Ada");
    expect(then).toHaveBeenCalledTimes(1);
  });

  it("lets streams through, and writes their end", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = new QueryBus<number>(fixed({ middleware: [logging(logger)] }));
    bus.register(GetUser, () => of(1, 2, 3));

    expect(await firstValueFrom(bus.ask$(new GetUser("u1")).pipe(toArray()), { defaultValue: [] })).toEqual([
      1, 2, 3,
    ]);
    expect(summary(lines())).toEqual(["c1 fulfilled"]);
  });

  it("names each bus it is used on", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const middleware = [logging(logger)];
    const orders = new EventBus({ name: "orders", middleware });
    const users = new EventBus({ name: "users", middleware });

    await orders.publish(new CreateUser("u1"));
    await users.publish(new CreateUser("u1"));
    await orders.publish(new CreateUser("u1"));

    expect(lines().map(({ bus }) => bus)).toEqual(["orders", "users", "orders"]);
  });

  it("is called logging, and takes the options of logTo", async () => {
    const { logger, lines } = loggerInMemory();
    const options = {
      payload: true,
      redact: ["password"],
      levels: { message: "trace" },
      bindings: { shard: 1 },
    } as const;
    const bus = new CommandBus(fixed({ middleware: [logging(logger, options)] }));
    bus.register(CreateUser, () => undefined);

    await bus.dispatch(new CreateUser("u1"));

    expect(bus.describe().middleware).toEqual(["logging"]);
    expect(lines()[0]).toMatchObject({
      level: 10,
      shard: 1,
      payload: { userId: "u1", password: "[Redacted]" },
    });
    expect(() => logging(logger, { levels: { fault: "loud" as "info" } })).toThrow("levels.fault");
  });

  it("makes nothing when all its levels are disabled", async () => {
    const { logger } = loggerInMemory({ level: "silent" });
    const ids = jest.fn(() => "1");
    const bus = new CommandBus(fixed({ ids, middleware: [logging(logger)] }));
    bus.register(CreateUser, () => undefined);

    await bus.dispatch(new CreateUser("u1"));

    expect(ids).not.toHaveBeenCalled();
  });

  it("28. breaks no dispatch when the logger throws, and says so on faults$", async () => {
    const logger = pino(
      { level: "trace" },
      {
        write: () => {
          throw new Error("disk full");
        },
      },
    );
    const bus = new QueryBus(fixed({ middleware: [logging(logger)] }));
    const faults: unknown[] = [];
    bus.faults$.subscribe(({ source, error }) => faults.push([source, (error as Error).message]));
    bus.register(GetUser, ({ userId }) => (userId === "sync" ? "Ada" : Promise.resolve("Bob")));

    expect(await bus.ask(new GetUser("sync"))).toBe("Ada");
    expect(await bus.ask(new GetUser("async"))).toBe("Bob");
    expect(faults).toEqual(Array(4).fill(["logging", "disk full"]));
  });

  it("lets the message pass when the clock of the bus throws", async () => {
    const clock = {
      now: (): number => {
        throw new Error("broken clock");
      },
    };
    const bus = new QueryBus({ clock, middleware: [logging(loggerInMemory().logger)] });
    const faults: unknown[] = [];
    bus.faults$.subscribe(({ source, error }) => faults.push([source, (error as Error).message]));
    bus.register(GetUser, () => "Ada");

    expect(await bus.ask(new GetUser("u1"))).toBe("Ada");
    expect(faults).toContainEqual(["logging", "broken clock"]);
  });
});
