import { describe, expect, it, jest } from "@jest/globals";
import Fastify from "fastify";
import { CommandBus } from "cqrx";
import { logging, logTo, type LogOptions } from "cqrx/pino";
import { canaries, withTraps } from "../support/traps.js";
import { CreateUser, loggerInMemory } from "./support.js";

const { logger } = loggerInMemory();
const NO_LOGGER =
  "logTo() and logging() take a pino logger, or one like it, with methods for its levels and child().";

/** The error is made by cqrx on purpose: one of JavaScript's own says nothing about what was passed. */
function refusal(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(TypeError);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

describe.each([
  ["logTo", (log: unknown, options?: unknown) => logTo(new CommandBus(), log as never, options as never)],
  ["logging", (log: unknown, options?: unknown) => logging(log as never, options as never)],
])("%s", (_, make) => {
  it.each([
    ["undefined", undefined],
    ["null", null],
    ["text", "pino"],
    ["console", console],
    ["an empty object", {}],
    ["what has only child()", { child: () => ({}) }],
    ["a logger with levels of another kind", { ...console, child: () => console, levels: { error: 0 } }],
  ])("refuses %s for a logger", (_, log) => expect(refusal(() => make(log))).toBe(NO_LOGGER));

  it.each([null, "options", 5])("refuses %p for options", (options) =>
    expect(refusal(() => make(logger, options))).toBe("options is not an object."),
  );

  it.each([
    ["levels", [null, "info", 5], "an object"],
    ["payload", [null, "false", 1, {}], "true, false or a function"],
    ["headers", [null, "authorization", 1, {}, [1]], "true, false or an array of names"],
    ["isCancellation", [null, 5, "AbortError", {}], "a function"],
    ["bindings", [null, "tenant", 5], "an object"],
  ])("refuses a bad option: %s", (option, bad, what) => {
    for (const value of bad)
      expect(refusal(() => make(logger, { [option]: value }))).toBe(`${option} is not ${what}.`);
  });

  it("takes undefined for an option that is not given", () => {
    const none: (keyof LogOptions)[] = [
      "levels",
      "payload",
      "redact",
      "headers",
      "isCancellation",
      "bindings",
    ];
    expect(() => make(logger, Object.fromEntries(none.map((option) => [option, undefined])))).not.toThrow();
  });
});

it.each([undefined, null, {}, "CommandBus", { messages$: 5 }])("logTo refuses %p for a bus", (bus) => {
  expect(refusal(() => logTo(bus as never, logger))).toBe("logTo() takes a bus.");
});

describe("a logger without levels, such as Fastify's when it is disabled", () => {
  it("is written to, or not, as it likes", () =>
    withTraps(async () => {
      const bus = new CommandBus({ middleware: [logging(Fastify({ logger: false }).log as never)] });
      bus.register(CreateUser, () => undefined);
      logTo(bus, Fastify({ logger: false }).log as never);

      await bus.dispatch(new CreateUser("u1"));

      await canaries(bus);
    }));

  it("gets the lines of all levels that it has methods for", async () => {
    const child = { debug: jest.fn(), info: jest.fn(), warn: jest.fn(), error: jest.fn() };
    const bus = new CommandBus();
    bus.register(CreateUser, () => undefined);
    logTo(bus, { ...child, child: () => child } as never);

    await bus.dispatch(new CreateUser("u1"));

    expect(child.debug.mock.calls).toEqual([[expect.objectContaining({ event: "message" }), "CreateUser"]]);
    expect(child.info.mock.calls).toEqual([
      [expect.objectContaining({ event: "outcome" }), "CreateUser fulfilled"],
    ]);
  });

  it("has the levels that it has methods for", () => {
    const methods = { error: () => undefined, child: () => methods };
    expect(refusal(() => logTo(new CommandBus(), methods as never, { levels: { fault: "fatal" } }))).toMatch(
      "which the logger does not have; it has error and silent.",
    );
  });
});
