import { inspect } from "node:util";
import { describe, expect, it } from "@jest/globals";
import { CommandBus, InvalidHandlerError, InvalidMessageError, InvalidOptionsError } from "cqrx";
import {
  delivery,
  envelope,
  faulty,
  marbles,
  randomPlan,
  recording,
  scenario,
  settleAll,
  type FaultPlan,
  type RandomPlanOptions,
} from "cqrx/testing";
import { CreateUser } from "./messages.js";

const none = null as never;
const message = new CreateUser("u1");
const handler = (): undefined => undefined;
function* generator(): Generator<undefined> {
  yield undefined;
}
async function* asyncGenerator(): AsyncGenerator<undefined> {
  yield await Promise.resolve(undefined);
}

const NO_PLAN = "The plan of faulty() must be an object of calls and their faults, such as { 1:";
const NO_HANDLER = "faulty() takes a handler: a function, or an object with a handle method.";
const GENERATOR =
  "The handler of faulty() is a generator function; return an Observable or an async iterable instead.";
const recorded = recording(new CommandBus());

type Case = readonly [call: string, make: () => unknown, type: new (...args: never[]) => Error, text: string];

it.each<Case>([
  ["delivery(null)", () => delivery(none), InvalidMessageError, "message is not an object."],
  ["delivery(text)", () => delivery("x" as never), InvalidMessageError, "message is not an object."],
  ["delivery(Class)", () => delivery(CreateUser), InvalidMessageError, "message is not an object."],
  [
    "delivery(_, null)",
    () => delivery(message, none),
    InvalidOptionsError,
    "delivery(): options must be an object; received null.",
  ],
  [
    "delivery(_, text)",
    () => delivery(message, "x" as never),
    InvalidOptionsError,
    "delivery(): options must be an obj",
  ],
  ...[null, {}, "now"].flatMap((bad): Case[] => [
    [
      `delivery(_, { signal: ${JSON.stringify(bad)} })`,
      () => delivery(message, { signal: bad as never }),
      InvalidOptionsError,
      "delivery(): signal must be an AbortSignal; received ",
    ],
    [
      `delivery(_, { clock: ${JSON.stringify(bad)} })`,
      () => delivery(message, { clock: bad as never }),
      InvalidOptionsError,
      "delivery(): clock must be a clock, which has a method now(); received ",
    ],
  ]),
  ["delivery(_, { causedBy: null })", () => delivery(message, { causedBy: none }), InvalidMessageError, "options.causedBy is neither"], // prettier-ignore
  [
    "delivery(_, { ids: 1 })",
    () => delivery(message, { ids: 1 } as object),
    InvalidOptionsError,
    "delivery(): unknown option ids",
  ],
  [
    "delivery(_, { id: 5 })",
    () => delivery(message, { id: 5 as never }),
    InvalidOptionsError,
    "delivery(): id must be a text; received 5.",
  ],
  ["envelope(null)", () => envelope(none), InvalidMessageError, "payload is not an object"],
  ["envelope(_, null)", () => envelope(message, none), InvalidMessageError, "meta is not an object."],

  ["faulty(null)", () => faulty(none, {}), InvalidHandlerError, NO_HANDLER],
  ["faulty(text)", () => faulty("x" as never, {}), InvalidHandlerError, NO_HANDLER],
  ["faulty({})", () => faulty({} as never, {}), InvalidHandlerError, NO_HANDLER],
  ["faulty(Class)", () => faulty(CreateUser as never, {}), InvalidHandlerError, "is a class; pass an instance with a"], // prettier-ignore
  ["faulty(function*)", () => faulty(generator, {}), InvalidHandlerError, GENERATOR],
  ["faulty(async function*)", () => faulty(asyncGenerator, {}), InvalidHandlerError, GENERATOR],
  ["faulty({ *handle() })", () => faulty({ handle: generator }, {}), InvalidHandlerError, GENERATOR],
  ...[undefined, null, 5, "throw", [], handler, new Map([[1, "throw"]])].map((bad): Case => [
    `faulty(_, ${inspect(bad)})`,
    () => faulty(handler, bad as FaultPlan),
    TypeError,
    NO_PLAN,
  ]),
  [
    "randomPlan(_, null)",
    () => randomPlan(1, none),
    InvalidOptionsError,
    "randomPlan(): options must be an object; received null.",
  ],
  ["randomPlan(_)", () => randomPlan(1, undefined as unknown as RandomPlanOptions), InvalidOptionsError, "randomPlan(): options must be an obj"], // prettier-ignore

  ["marbles(null)", () => marbles(none), TypeError, "marbles() takes a function."],
  ["recording(null)", () => recording(none), TypeError, "recording() takes a bus."],
  ["recording({})", () => recording({} as never), TypeError, "recording() takes a bus."],
  ["messagesOf(undefined)", () => recorded.messagesOf(undefined as never), InvalidMessageError, "A message type is a class; received undefined."], // prettier-ignore
  ["outcomesOf(text)", () => recorded.outcomesOf("CreateUser" as never), InvalidMessageError, 'A message type is a class; received "CreateUser".'], // prettier-ignore
  ["scenario(null)", () => scenario(none), TypeError, "scenario() takes buses, and a database."],
  [
    "scenario([bus])",
    () => scenario([new CommandBus()] as never),
    TypeError,
    "scenario() takes buses, and a database.",
  ],
  ["when()", () => (scenario().when as () => unknown)(), TypeError, "when() takes at least one message."],
])("%s is refused with an error that says why", (_, make, type, text) => {
  expect(make).toThrow(type);
  expect(make).toThrow(text);
});

it.each([null, "bus", {}])("settleAll(%p) rejects with an error that says why", async (bad) => {
  await expect(settleAll(new CommandBus(), bad as never)).rejects.toThrow(
    new TypeError("settleAll() takes buses."),
  );
});

describe("optional arguments", () => {
  it("may be undefined", () => {
    const options = { id: undefined, clock: undefined, headers: undefined, signal: undefined };
    expect(delivery(message, { ...options, causedBy: undefined }).envelope.meta.id).toBe("1");
  });

  it("makes a plan without faults, and waits for no buses", async () => {
    expect(faulty(handler, {}).calls).toBe(0);
    expect(randomPlan(1, { calls: 0 })).toEqual({});
    await settleAll();
  });
});
