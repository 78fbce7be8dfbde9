import { describe, expect, it, jest } from "@jest/globals";
import Fastify from "fastify";
import { CommandBus, InvalidOptionsError } from "cqrx";
import { logging, logTo, type LogOptions } from "cqrx/pino";
import { canaries, withTraps } from "../support/traps.js";
import { CreateUser, loggerInMemory } from "./support.js";

const { logger } = loggerInMemory();
const noLogger = (source: string): string =>
  `${source} takes a pino logger, or one like it with methods for its levels and child().`;

/** Returns the text of the error, which cqrx makes on purpose: an error of JavaScript itself names no argument. */
function refusal(make: () => unknown, type: typeof TypeError | typeof InvalidOptionsError): string {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(type);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

describe.each([
  ["logTo()", (log: unknown, options?: unknown) => logTo(new CommandBus(), log as never, options as never)],
  ["logging()", (log: unknown, options?: unknown) => logging(log as never, options as never)],
])("%s", (source, make) => {
  it.each([
    ["undefined", undefined],
    ["null", null],
    ["text", "pino"],
    ["console", console],
    ["an empty object", {}],
    ["what has only child()", { child: () => ({}) }],
    ["a logger with levels of another kind", { ...console, child: () => console, levels: { error: 0 } }],
  ])("refuses %s for a logger", (_, log) =>
    expect(refusal(() => make(log), TypeError)).toBe(noLogger(source)),
  );

  it.each([
    [null, "null"],
    ["options", '"options"'],
    [5, "5"],
  ])("refuses %p for options", (options, shown) =>
    expect(refusal(() => make(logger, options), InvalidOptionsError)).toBe(
      `${source}: options must be an object; received ${shown}.`,
    ),
  );

  it.each([
    ["levels", [null, "info", 5], "an object"],
    ["payload", [null, "false", 1, {}], "true or false or a function"],
    ["headers", [null, "authorization", 1, {}, [1]], "true or false or an array of names"],
    ["isCancellation", [null, 5, "AbortError", {}], "a function"],
    ["bindings", [null, "tenant", 5], "an object"],
    [
      "redact",
      [
        null,
        "password",
        [5],
        ...["", "a..b", "a.", "$.a", "$", "**.a", " a", "a[", "a[b", '["a]b"]'].map((path) => [path]),
      ],
      'an array of paths such as "password", "card.number" or "items[*].price"',
    ],
  ])("refuses a bad option: %s", (option, bad, expected) => {
    for (const value of bad)
      expect(refusal(() => make(logger, { [option]: value }), InvalidOptionsError)).toMatch(
        `${source}: ${option} must be ${expected}; received `,
      );
  });

  it("refuses options that it does not know", () =>
    expect(refusal(() => make(logger, { level: "info" }), InvalidOptionsError)).toMatch(
      `${source}: unknown option level; pass one of levels, payload, redact, headers, isCancellation, bindings.`,
    ));

  it("refuses levels that the logger does not have", () => {
    expect(refusal(() => make(logger, { levels: { fulfilled: "loud" } }), InvalidOptionsError)).toBe(
      `${source}: levels.fulfilled must be a level of the logger: ` +
        'trace, debug, info, warn, error, fatal or silent; received "loud".',
    );
    expect(refusal(() => make(logger, { levels: { fulfiled: "info" } }), InvalidOptionsError)).toMatch(
      `${source}: unknown option levels.fulfiled; pass one of message, fulfilled, rejected, cancelled, fault.`,
    );
  });

  it("takes the default for a level that is undefined", () =>
    expect(() => make(logger, { levels: { fulfilled: undefined } })).not.toThrow());

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
  expect(refusal(() => logTo(bus as never, logger), TypeError)).toBe("logTo() takes a bus.");
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
    expect(
      refusal(
        () => logTo(new CommandBus(), methods as never, { levels: { fault: "fatal" } }),
        InvalidOptionsError,
      ),
    ).toMatch('a level of the logger: error or silent; received "fatal".');
  });
});
