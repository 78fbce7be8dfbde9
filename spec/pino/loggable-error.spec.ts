import { describe, expect, it } from "@jest/globals";
import { CommandBus } from "cqrx";
import { logTo } from "cqrx/pino";
import { stdSerializers } from "pino";
import { CreateUser, loggerInMemory } from "./support.js";

describe("errors in the log", () => {
  const logged = async (reason: unknown): Promise<{ [field: string]: unknown }> => {
    const { logger, lines } = loggerInMemory({ level: "info" });
    const bus = new CommandBus();
    bus.register(CreateUser, () => {
      throw reason;
    });
    logTo(bus, logger, { redact: ["token"] });
    await expect(bus.dispatch(new CreateUser("u1"))).rejects.toBeDefined();
    return lines()[0]!["err"] as { [field: string]: unknown };
  };

  it("that share causes do not grow with each level that shares them", async () => {
    const shared = (levels: number): Error => {
      let error = new Error("leaf");
      for (let level = 0; level < levels; level++)
        error = new AggregateError([error, error], `level ${level}`);
      return error;
    };
    const bare = (levels: number): number => JSON.stringify(stdSerializers.err(shared(levels))).length;

    const text = JSON.stringify(await logged(shared(20)));

    expect(text).toContain("leaf");
    expect(text.length).toBeLessThan(100_000);
    expect(bare(8)).toBeGreaterThan(1.9 * bare(7));
  });

  it("keep their simple fields, redacted, and lose objects that may hold requests", async () => {
    const error = Object.assign(new Error("no"), {
      code: "E1",
      status: 409,
      token: "t",
      request: { body: 1 },
    });

    expect(await logged(error)).toMatchObject({
      type: "Error",
      code: "E1",
      status: 409,
      token: "[Redacted]",
    });
    expect(await logged(error)).not.toHaveProperty("request");
    expect(stdSerializers.err(error)).toHaveProperty("request");
  });

  it("are not changed", async () => {
    const error = Object.freeze(new Error("a\nb"));

    expect(await logged(error)).toMatchObject({ message: "a\\nb" });
    expect(error.message).toBe("a\nb");
  });

  it("list the errors of an aggregate", async () => {
    expect(await logged(new AggregateError([new RangeError("first"), "second"], "all"))).toMatchObject({
      type: "AggregateError",
      message: "all",
      aggregateErrors: [
        { type: "RangeError", message: "first" },
        { type: "string", message: "second" },
      ],
    });
  });

  it("show text that was thrown, and of other values nothing", async () => {
    expect((await logged("plain text"))["message"]).toMatch(/: plain text$/);
    expect((await logged({ password: "4111" }))["message"]).toMatch(/: \(a value that is not an Error\)$/);
  });

  it("keep their type if they are errors of the platform", async () => {
    expect(await logged(new DOMException("slow", "TimeoutError"))).toMatchObject({
      type: "DOMException",
      message: "slow",
    });
  });
});
