import { describe, expect, it } from "@jest/globals";
import {
  CommandBus,
  CqrsError,
  Envelope,
  event,
  command,
  EventBus,
  query,
  QueryBus,
  saga,
  shared,
  type SagaFunction,
} from "cqrx";
import { identity, tap } from "rxjs";
import { canaries, withTraps } from "../support/traps.js";

class CreateUser {}
class GetUser {}

const nothing: SagaFunction = (events$) => events$;

/** The text of an error of the library: whoever reads it has to see what was wrong with what. */
function refusal(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(CqrsError);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

describe.each([CommandBus, QueryBus, EventBus] as const)("new %p", (Bus) => {
  it.each([null, "options", 42, () => ({})])("refuses %p for options", (options) => {
    expect(refusal(() => new Bus(options as never))).toBe("options is not an object.");
  });

  it.each([
    ["middleware", ["x", 42, tap(), new Set()], "an array of middleware"],
    ["registry", ["x", 42, {}, new Map()], "a HandlerRegistry"],
    ["fallback", ["x", 42, {}], "a function"],
    ["maxDepth", ["x", 0, -1, NaN, {}], "a number from 1"],
    ["clock", ["x", 42, {}, Date.now], "a clock, which has a method now()"],
    ["ids", ["x", 42, {}], "a function"],
  ])("refuses a bad %s", (option, bad, what) => {
    for (const value of bad)
      expect(refusal(() => new Bus({ [option]: value }))).toBe(`options.${option} is not ${what}.`);
  });

  it("takes null and undefined for an option that is not given", () =>
    withTraps(async () => {
      for (const none of [null, undefined]) {
        const options = { middleware: none, registry: none, fallback: none, maxDepth: none, clock: none };
        await canaries(new Bus({ ...options, ids: none, name: none } as never));
      }
    }));
});

it.each([
  [
    () => new EventBus({ strategy: "serial" as never }),
    'options.strategy is not "parallel" or "sequential".',
  ],
  [() => new CommandBus({ background: null as never }), "options.background is not an object."],
  [
    () => new CommandBus({ background: { retry: { count: 1, retryIf: "always" as never } } }),
    "options.background.retry.retryIf is not a function.",
  ],
  [
    () => shared(identity, { holdTimeoutMs: "long" as never }),
    "holdTimeoutMs must be above 0; received long.",
  ],
  [() => Envelope.of(new CreateUser(), null as never), "meta is not an object."],
  [() => saga(null as never, new CommandBus(), nothing), /^saga\(\) takes an event bus, a command bus/],
  [() => saga(new EventBus(), null as never, nothing), /^saga\(\) takes an event bus, a command bus/],
  [() => saga(new CommandBus() as never, new EventBus() as never, nothing), /^saga\(\) takes an event bus/],
  [() => saga(new EventBus(), new CommandBus(), nothing, null as never), "options is not an object."],
  [() => command(CreateUser, null as never), /^@command takes a message class and the bus for it/],
  [() => query(GetUser, null as never), /^@query takes a message class and the bus for it/],
  [() => event(CreateUser, null as never), /^@event takes a message class and the bus for it/],
])("%s says what is wrong", (make, text) => {
  const refused = refusal(make);
  if (typeof text === "string") expect(refused).toBe(text);
  else expect(refused).toMatch(text);
});
