import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { pino } from "pino";
import { CommandBus, Envelope, EventBus, QueryBus, type BusOptions } from "cqrx";
import { logTo } from "cqrx/pino";
import { manualClock, sequentialIds } from "cqrx/testing";
import { CreateUser, GetUser, loggerInMemory } from "./support.js";

const commandBus = (options: BusOptions = {}): CommandBus =>
  new CommandBus({ name: "users", ids: sequentialIds("c"), clock: manualClock(), ...options });

afterEach(() => {
  jest.restoreAllMocks();
});

describe("logTo", () => {
  it("writes one line per message and one per outcome", async () => {
    const { logger, lines } = loggerInMemory();
    const clock = manualClock();
    const bus = commandBus({ clock });
    bus.register(CreateUser, () => clock.advance(12));
    logTo(bus, logger);

    await bus.dispatch(new CreateUser("u1"));

    expect(lines()).toEqual([
      {
        level: 20,
        bus: "users",
        event: "message",
        messageType: "CreateUser",
        id: "c1",
        correlationId: "c1",
        msg: "CreateUser",
      },
      {
        level: 30,
        bus: "users",
        event: "outcome",
        messageType: "CreateUser",
        id: "c1",
        correlationId: "c1",
        outcome: "fulfilled",
        durationMs: 12,
        msg: "CreateUser fulfilled",
      },
    ]);
  });

  it("writes a rejection as an error, through pino's serializer", async () => {
    const { logger, lines } = loggerInMemory();
    const bus = commandBus();
    bus.register(CreateUser, () => {
      throw new RangeError("taken", { cause: new Error("unique constraint") });
    });
    logTo(bus, logger, { levels: { message: "silent" } });

    await expect(bus.dispatch(new CreateUser("u1"))).rejects.toThrow("taken");

    expect(lines()).toEqual([
      expect.objectContaining({
        level: 50,
        outcome: "rejected",
        msg: "CreateUser rejected",
        err: {
          type: "RangeError",
          message: "taken: unique constraint",
          stack: expect.stringMatching(/^RangeError: taken\n {4}at [^]*\ncaused by: Error: unique/),
        },
      }),
    ]);
  });

  it("writes a cancellation as a warning", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = commandBus();
    bus.register(CreateUser, () => new Promise(() => undefined));
    logTo(bus, logger);
    const controller = new AbortController();

    const dispatched = bus.dispatch(new CreateUser("u1"), { signal: controller.signal });
    controller.abort();

    await expect(dispatched).rejects.toThrow();
    expect(lines()).toEqual([
      expect.objectContaining({ level: 40, outcome: "cancelled", msg: "CreateUser cancelled" }),
    ]);
  });

  it("asks isCancellation about abort reasons of one's own", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = commandBus();
    bus.register(CreateUser, () => new Promise(() => undefined));
    logTo(bus, logger, { isCancellation: (reason) => reason === "user left" });
    const controller = new AbortController();

    const dispatched = bus.dispatch(new CreateUser("u1"), { signal: controller.signal });
    controller.abort("user left");

    await expect(dispatched).rejects.toBe("user left");
    expect(lines()).toEqual([
      expect.objectContaining({
        outcome: "cancelled",
        err: { type: "string", message: "user left", stack: "" },
      }),
    ]);
  });

  it("reports an isCancellation that returns a promise, which would call every failure cancelled", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = commandBus();
    bus.register(CreateUser, () => Promise.reject(new Error("no room")));
    logTo(bus, logger, { isCancellation: (() => Promise.reject(new Error("later"))) as never });

    await expect(bus.dispatch(new CreateUser("u1"))).rejects.toThrow("no room");
    expect(lines()).toEqual([
      expect.objectContaining({
        event: "fault",
        err: expect.objectContaining({
          message:
            "LogOptions: isCancellation must be a function that returns true or false; received a promise.",
        }),
      }),
    ]);
  });

  it("writes faults, with the message they are about", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = commandBus();
    bus.register(CreateUser, () => undefined);
    logTo(bus, logger);
    bus.outcomes$.subscribe(() => {
      throw new Error("broken metrics");
    });

    await bus.dispatch(new CreateUser("u1"));

    expect(lines()[1]).toMatchObject({
      level: 50,
      bus: "users",
      event: "fault",
      fault: "observer",
      source: "outcomes$",
      err: { message: "broken metrics" },
      msg: "observer fault: outcomes$",
    });
  });

  it("links a message to its cause", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = commandBus();
    bus.register(CreateUser, () => undefined);
    logTo(bus, logger);
    const cause = Envelope.of(new GetUser("u1"), { id: "q7", correlationId: "q1" });

    await bus.dispatch(new CreateUser("u1"), { causedBy: cause });

    expect(lines()[0]).toMatchObject({ id: "c1", correlationId: "q1", causationId: "q7" });
  });

  it("works for query and event buses", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const queryBus = new QueryBus();
    const eventBus = new EventBus();
    queryBus.register(GetUser, () => "Ada");
    logTo(queryBus, logger);
    logTo(eventBus, logger);

    await queryBus.ask(new GetUser("u1"));
    await eventBus.publish(new CreateUser("u1"));

    expect(lines().map(({ bus, msg }) => [bus, msg])).toEqual([
      ["QueryBus", "GetUser fulfilled"],
      ["EventBus", "CreateUser fulfilled"],
    ]);
  });

  it("adds bindings to every line", async () => {
    const { logger, lines } = loggerInMemory();
    const bus = commandBus();
    bus.register(CreateUser, () => undefined);
    logTo(bus, logger, { bindings: { tenant: "acme\u001b[2J", shard: 3 } });

    await bus.dispatch(new CreateUser("u1"));

    for (const line of lines()) expect(line).toMatchObject({ tenant: "acme\\u001b[2J", shard: 3 });
  });

  it("stops when unsubscribed", async () => {
    const { logger, lines } = loggerInMemory();
    const bus = commandBus();
    bus.register(CreateUser, () => undefined);
    const logs = logTo(bus, logger);

    logs.unsubscribe();
    await bus.dispatch(new CreateUser("u1"));

    expect(lines()).toEqual([]);
  });

  it("leaves out the duration of a message that was accepted before", async () => {
    const { logger, lines } = loggerInMemory();
    const bus = commandBus();
    let finish!: () => void;
    bus.register(CreateUser, () => new Promise<void>((resolve) => (finish = resolve)));
    const dispatched = bus.dispatch(new CreateUser("u1"));
    logTo(bus, logger);

    finish();
    await dispatched;

    expect(lines()).toEqual([expect.not.objectContaining({ durationMs: expect.anything() })]);
  });
});

describe("levels of logTo", () => {
  it("are configurable, with levels of the logger's own", async () => {
    const written: string[] = [];
    const logger = pino({ customLevels: { audit: 35 } }, { write: (text: string) => written.push(text) });
    const bus = commandBus();
    bus.register(CreateUser, () => undefined);
    logTo(bus, logger, { levels: { fulfilled: "audit" } });

    await bus.dispatch(new CreateUser("u1"));

    expect(written.map((text) => (JSON.parse(text) as { level: number }).level)).toEqual([35]);
  });

  it("that are disabled cost no id, no payload and no serializing", async () => {
    const { logger, lines } = loggerInMemory({ level: "fatal" });
    const ids = jest.fn(() => "1");
    const payload = jest.fn();
    const bus = commandBus({ ids });
    bus.register(CreateUser, () => {
      throw new Error("no");
    });
    logTo(bus, logger, { payload });

    await expect(bus.dispatch(new CreateUser("u1"))).rejects.toThrow("no");

    expect(lines()).toEqual([]);
    expect(ids).not.toHaveBeenCalled();
    expect(payload).not.toHaveBeenCalled();
  });

  it("that are silent leave the bus unwatched", async () => {
    const { logger } = loggerInMemory();
    const bus = commandBus();
    const levels = {
      message: "silent",
      fulfilled: "silent",
      rejected: "silent",
      cancelled: "silent",
    } as const;
    const messages = jest.spyOn(bus, "messages$", "get");
    const outcomes = jest.spyOn(bus, "outcomes$", "get");

    logTo(bus, logger, { levels });

    expect(messages).not.toHaveBeenCalled();
    expect(outcomes).not.toHaveBeenCalled();
  });

  it("follow the logger's level when it changes", async () => {
    const { logger, lines } = loggerInMemory({ level: "fatal" });
    const bus = commandBus();
    bus.register(CreateUser, () => undefined);
    logTo(bus, logger);

    await bus.dispatch(new CreateUser("u1"));
    logger.level = "debug";
    await bus.dispatch(new CreateUser("u2"));
    logger.level = "info";
    await bus.dispatch(new CreateUser("u3"));

    expect(lines().map(({ id, event }) => `${String(id)} ${String(event)}`)).toEqual([
      "c1 message",
      "c1 outcome",
      "c2 outcome",
    ]);
  });
});

describe("a logger that throws", () => {
  const broken = (): ReturnType<typeof loggerInMemory>["logger"] =>
    pino(
      { level: "trace" },
      {
        write: () => {
          throw new Error("disk full");
        },
      },
    );

  it("28. changes neither results nor order, and other observers get everything", async () => {
    jest.spyOn(console, "error").mockImplementation(() => undefined);
    const bus = commandBus();
    bus.register(CreateUser, ({ userId }) => {
      if (userId === "u2") throw new Error("taken");
    });
    logTo(bus, broken());
    const seen: string[] = [];
    bus.messages$.subscribe(({ meta }) => seen.push(`${meta.id} in`));
    bus.outcomes$.subscribe(({ envelope, status }) => seen.push(`${envelope.meta.id} ${status}`));

    await bus.dispatch(new CreateUser("u1"));
    await expect(bus.dispatch(new CreateUser("u2"))).rejects.toThrow("taken");
    await bus.dispatch(new CreateUser("u3"));

    expect(seen).toEqual(["c1 in", "c1 fulfilled", "c2 in", "c2 rejected", "c3 in", "c3 fulfilled"]);
  });

  it("28. is reported once per line on faults$, and its own fault line does not loop", async () => {
    const complaints = jest.spyOn(console, "error").mockImplementation(() => undefined);
    const bus = commandBus();
    bus.register(CreateUser, () => undefined);
    const faults: string[] = [];
    bus.faults$.subscribe(({ source, error }) => faults.push(`${source}: ${(error as Error).message}`));
    logTo(bus, broken());

    await bus.dispatch(new CreateUser("u1"));

    expect(faults).toEqual(["messages$: disk full", "outcomes$: disk full"]);
    expect(complaints.mock.calls.length).toBeLessThanOrEqual(1);
  });
});

describe("headers", () => {
  it("are left out unless asked for, by name if one likes", async () => {
    const bus = commandBus();
    bus.register(CreateUser, () => undefined);
    const none = loggerInMemory({ level: "info" });
    const all = loggerInMemory({ level: "info" });
    const some = loggerInMemory({ level: "info" });
    logTo(bus, none.logger);
    logTo(bus, all.logger, { headers: true });
    logTo(bus, some.logger, { headers: ["Traceparent"] });

    await bus.dispatch(new CreateUser("u1"), { headers: { authorization: "Bearer x", traceparent: "00-1" } });

    expect(none.lines()[0]?.["headers"]).toBeUndefined();
    expect(all.lines()[0]?.["headers"]).toEqual({ authorization: "Bearer x", traceparent: "00-1" });
    expect(some.lines()[0]?.["headers"]).toEqual({ traceparent: "00-1" });
  });
});
