import { Writable } from "node:stream";
import { describe, expect, it } from "@jest/globals";
import { pino } from "pino";
import pretty from "pino-pretty";
import { CommandBus, Envelope } from "cqrx";
import { logTo } from "cqrx/pino";
import { canaries } from "../support/traps.js";
import { loggerInMemory } from "./support.js";

const NASTY = "a\nb\rc\u001b[31md\u0000e\u2028f\u2029g\u009b2Jh\u007fi\u202ej";
const ESCAPED = "a\\nb\\rc\\u001b[31md\\u0000e\\u2028f\\u2029g\\u009b2Jh\\u007fi\\u202ej";
// Whatever a terminal or a reader of lines may take for more than text, but the newline.
const CONTROL = /(?!\n)[\p{Cc}\u2028\u2029\u202e]/u;

class Nasty {
  static readonly messageName = NASTY;
  readonly [NASTY] = [NASTY];
}

class NastyError extends Error {
  override readonly name = NASTY;
  readonly detail = NASTY;
}

async function provoke(logger: pino.Logger, reason: unknown): Promise<void> {
  const bus = new CommandBus({ name: NASTY });
  bus.register(Nasty, () => {
    throw reason;
  });
  const logs = logTo(bus, logger, { payload: true, headers: true, bindings: { tenant: NASTY } });
  const envelope = Envelope.of(new Nasty(), { id: NASTY, correlationId: NASTY, causationId: NASTY });
  await expect(bus.dispatch(envelope)).rejects.toBeDefined();
  logs.unsubscribe();
  await canaries(bus);
}

const reasons: [string, () => unknown][] = [
  ["an error", () => new Error(NASTY)],
  ["an error with a name and fields", () => new NastyError(NASTY)],
  ["an error with causes", () => new Error("outer", { cause: new Error(NASTY, { cause: NASTY }) })],
  ["an aggregate", () => new AggregateError([new Error(NASTY), NASTY], NASTY)],
  ["an error whose message changed", () => Object.assign(new Error(NASTY), { message: "harmless" })],
  ["an error whose stack is forged", () => Object.assign(new Error("x"), { stack: NASTY })],
  ["a class named by an attacker", () => new { [NASTY]: class extends Error {} }[NASTY](NASTY)],
  ["text", () => NASTY],
  [
    "an error that is its own cause",
    () => {
      const error = new Error(NASTY);
      error.cause = error;
      return error;
    },
  ],
  [
    "an error that cannot be read",
    () =>
      Object.defineProperty(new Error("x"), "message", {
        get() {
          throw new Error(NASTY);
        },
      }),
  ],
];

describe.each(reasons)("114 %s with control characters", (_, reason) => {
  it("stays one line per record, and no escape is left", async () => {
    const { logger, text, lines } = loggerInMemory();

    await provoke(logger, reason());

    expect(text().split("\n")).toHaveLength(3);
    expect(text()).not.toMatch(CONTROL);
    for (const line of lines())
      expect(line).toMatchObject({
        bus: ESCAPED,
        tenant: ESCAPED,
        messageType: ESCAPED,
        id: ESCAPED,
        correlationId: ESCAPED,
        causationId: ESCAPED,
        payload: { [ESCAPED]: [ESCAPED] },
      });
    // No decoded text either holds one, besides the newlines between the frames of a stack.
    JSON.parse(JSON.stringify(lines()), (key, value: unknown) => {
      expect(key).not.toMatch(CONTROL);
      if (typeof value === "string") expect(value).not.toMatch(CONTROL);
      if (typeof value === "string" && key !== "stack") expect(value).not.toContain("\n");
      return value;
    });
  });

  it("has a stack of which only frames and causes begin lines", async () => {
    const { logger, lines } = loggerInMemory();

    await provoke(logger, reason());

    const { stack } = lines()[1]!["err"] as { stack: string };
    for (const line of stack.split("\n").slice(1))
      expect(line).toMatch(/^(\s+at |caused by: |causes have become circular)/);
  });

  it("reaches no terminal through pino-pretty", async () => {
    let shown = "";
    const destination = new Writable({
      write(chunk: Buffer, _encoding, done) {
        shown += chunk.toString();
        done();
      },
    });
    const logger = pino({ level: "trace" }, pretty({ sync: true, colorize: false, destination }));

    await provoke(logger, reason());

    expect(shown).toContain(`${ESCAPED} rejected`);
    expect(shown).not.toMatch(CONTROL);
    expect(shown.split("\n").filter((line) => /^\[\d\d:/.test(line))).toHaveLength(2);
    for (const line of shown.split("\n")) expect(line).not.toMatch(/^(b|c|d)/);
  });
});
