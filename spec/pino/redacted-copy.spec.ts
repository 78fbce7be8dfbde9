import { describe, expect, it } from "@jest/globals";
import { CommandBus } from "cqrx";
import { logTo } from "cqrx/pino";
import { CreateUser, loggedPayload, loggerInMemory } from "./support.js";

interface Card {
  readonly number: string;
  readonly holder: string;
}

class Pay {
  readonly amount = 5;
  readonly card: Card = { number: "4111 of Ada", holder: "Ada" };
  readonly items = [{ pin: 1, sku: "a" }];
}

describe("the payload", () => {
  it("is left out unless asked for", async () => {
    expect(await loggedPayload(new CreateUser("u1"), {})).toBeUndefined();
  });

  it("37 is redacted in the log and nowhere else", async () => {
    const message = new Pay();
    const before = structuredClone({ ...message });
    const { logger, text, lines } = loggerInMemory();
    const bus = new CommandBus();
    const received: Pay[] = [];
    bus.register(Pay, (pay) => {
      received.push(pay);
      throw Object.assign(new Error("declined"), { message_: message, password: "4111 of Ada" });
    });
    logTo(bus, logger, { payload: true, redact: ["card.number", "items[*].pin", "password"] });

    await expect(bus.dispatch(message)).rejects.toThrow("declined");

    expect(lines()[0]?.["payload"]).toEqual({
      amount: 5,
      card: { number: "[Redacted]", holder: "Ada" },
      items: [{ pin: "[Redacted]", sku: "a" }],
    });
    expect(text()).not.toContain("4111 of Ada");
    expect(received).toEqual([message]);
    expect({ ...message }).toEqual(before);
  });

  it("can be projected, and the projection is redacted, too", async () => {
    const message = new Pay();

    expect(await loggedPayload(message, { payload: (pay) => (pay as Pay).card, redact: ["number"] })).toEqual(
      {
        number: "[Redacted]",
        holder: "Ada",
      },
    );
  });

  it("is redacted by paths with quoted keys, too", async () => {
    const message = { "user.password": "S", list: [{ "a b": "S", c: 1 }] };
    const redact = ['["user.password"]', "list[*]['a b']"];
    expect(await loggedPayload(message, { payload: true, redact })).toEqual({
      "user.password": "[Redacted]",
      list: [{ "a b": "[Redacted]", c: 1 }],
    });
  });

  it.each([
    [
      "items[*].pin",
      { items: [{ pin: "[Redacted]", sku: "a" }], card: { number: "4111 of Ada" }, "user-id": "u1" },
    ],
    [
      "items[0].pin",
      { items: [{ pin: "[Redacted]", sku: "a" }], card: { number: "4111 of Ada" }, "user-id": "u1" },
    ],
    ["card.*", { items: [{ pin: 1, sku: "a" }], card: { number: "[Redacted]" }, "user-id": "u1" }],
    ["*.number", { items: [{ pin: 1, sku: "a" }], card: { number: "[Redacted]" }, "user-id": "u1" }],
    ["user-id", { items: [{ pin: 1, sku: "a" }], card: { number: "4111 of Ada" }, "user-id": "[Redacted]" }],
    ["card.cvc", { items: [{ pin: 1, sku: "a" }], card: { number: "4111 of Ada" }, "user-id": "u1" }],
  ])("is redacted by %s", async (path, written) => {
    const message = { items: [{ pin: 1, sku: "a" }], card: { number: "4111 of Ada" }, "user-id": "u1" };
    expect(await loggedPayload(message, { payload: true, redact: [path] })).toEqual(written);
  });

  it("does not show the payload of the line before when nothing is projected", async () => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = new CommandBus({ fallback: () => undefined });
    logTo(bus, logger, { payload: (message) => (message as { text?: string }).text, redact: ["password"] });

    await bus.dispatch({ text: "first" } as object);
    await bus.dispatch({});

    expect(lines().map(({ payload }) => payload)).toEqual(["first", undefined]);
  });
});

describe("the redaction of the application's logger", () => {
  it("can be redacted by pino, being plain data", async () => {
    const { logger, lines } = loggerInMemory({ level: "info", redact: ["payload.password"] });
    const bus = new CommandBus();
    bus.register(CreateUser, () => undefined);
    logTo(bus, logger, { payload: true });

    await bus.dispatch(new CreateUser("u1"));

    expect(lines()[0]?.["payload"]).toEqual({ userId: "u1", password: "[Redacted]" });
  });

  it("goes on beside redact, which a child of pino with paths of its own would end", async () => {
    const { logger, lines } = loggerInMemory({
      level: "info",
      redact: ["payload.token", "headers.authorization"],
    });
    const bus = new CommandBus({ fallback: () => undefined });
    logTo(bus, logger, { payload: true, headers: true, redact: ["password"] });
    const message = { token: "S", password: "S" };

    logger.child({}, { redact: ["payload.password"] }).info({ payload: message });
    await bus.dispatch(message, { headers: { authorization: "S" } });

    expect(lines()[0]).toMatchObject({ payload: { token: "S", password: "[Redacted]" } });
    expect(lines()[1]).toMatchObject({
      payload: { token: "[Redacted]", password: "[Redacted]" },
      headers: { authorization: "[Redacted]" },
    });
  });

  it("is not needed, for any use of the fields by the logger", async () => {
    const { logger, text } = loggerInMemory({
      level: "info",
      nestedKey: "line",
      formatters: { log: (data) => ({ data }) },
    });
    const bus = new CommandBus({
      fallback: () => Promise.reject(Object.assign(new Error("no"), { password: "SECRET" })),
    });
    logTo(bus, logger, { payload: true, redact: ["password"] });

    await expect(bus.dispatch({ password: "SECRET" } as object)).rejects.toThrow("no");

    expect(text()).toContain("[Redacted]");
    expect(text()).not.toContain("SECRET");
  });
});
