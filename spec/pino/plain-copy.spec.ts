import { describe, expect, it } from "@jest/globals";
import { loggedPayload, loggerInMemory, settle } from "./support.js";

class Money {
  private readonly amount: string;

  constructor(amount: string) {
    this.amount = amount;
  }

  toJSON(): object {
    return { secret: this.amount };
  }
}

/** What pino writes by itself for a payload. */
const bare = (payload: unknown): unknown => {
  const { logger, lines } = loggerInMemory({ level: "info", redact: ["payload.secret"] });
  logger.info({ payload });
  return lines()[0]!["payload"];
};
const copied = (payload: object, redact: readonly string[] = ["secret"]): Promise<unknown> =>
  loggedPayload(payload, { payload: true, redact });

describe("a payload in the log, compared with the output of pino", () => {
  it("is redacted after its toJSON", async () => {
    expect(bare(new Money("S"))).toEqual({ secret: "S" });
    expect(await copied(new Money("S"))).toEqual({ secret: "[Redacted]" });
  });

  it("117 may have a getter that throws, which fails in its field only", async () => {
    const message = {
      userId: "u1",
      get broken(): string {
        throw new Error("S");
      },
      nested: {
        toJSON(): never {
          throw new Error("S");
        },
      },
    };
    const written = { userId: "u1", broken: "[redaction failed]", nested: "[redaction failed]" };

    expect(() => bare(message)).toThrow("S");
    expect(await copied(message)).toEqual(written);
    expect(await copied(message, [])).toEqual(written);
  });

  it("may be a Map or hold a Set", async () => {
    const message = { map: new Map([["secret", "S"]]), set: new Set(["a"]) };

    expect(bare(message)).toEqual({ map: {}, set: {} });
    expect(await copied(message, ["map.secret"])).toEqual({ map: { secret: "[Redacted]" }, set: ["a"] });
  });

  it("may hold a bigint, which loses no digit", async () => {
    const message = { big: 9007199254740993n };

    expect(bare(message)).toEqual({ big: 9007199254740992 });
    expect(await copied(message)).toEqual({ big: "9007199254740993" });
  });

  it("117 may refer back to itself, which fails in that field only", async () => {
    const message: Record<string, unknown> = { secret: "S" };
    message["self"] = message;

    expect(bare(message)).toMatchObject({ secret: "[Redacted]", self: { secret: "S" } });
    expect(await copied(message)).toEqual({ secret: "[Redacted]", self: "[redaction failed]" });
  });

  it("has no character that reverses or breaks the line", async () => {
    const message = { text: "a\u202eb\u2028c" };

    expect(bare(message)).toEqual(message);
    expect(await copied(message)).toEqual({ text: "a\\u202eb\\u2028c" });
  });

  it("117 that is nested too deep fails where it is", async () => {
    let deep: object = { secret: "4111" };
    for (let depth = 0; depth < 100_000; depth++) deep = { deep };

    const text = JSON.stringify(await copied(deep));

    expect(text).toContain("[redaction failed]");
    expect(text).not.toContain("4111");
  });

  it("of shared references does not grow without end", async () => {
    let shared: object = { leaf: 1 };
    for (let depth = 0; depth < 28; depth++) shared = { left: shared, right: shared };

    expect(JSON.stringify(await copied(shared))).toContain("[truncated]");
  });

  it("that is too large is cut, with how much is missing", async () => {
    const text = JSON.stringify(
      await copied({
        many: Array.from({ length: 100_000 }, (_, n) => n),
        holes: new Array(1_000_000_000),
        long: "x".repeat(1_000_000),
      }),
    );
    expect(text).toMatch(/"\[truncated\] \d+ more"/);
    expect(text.length).toBeLessThan(200_000);
  });

  it("has text for dates and bytes, and nothing for functions", async () => {
    const message = {
      at: new Date(0),
      bytes: new Uint8Array(3),
      run: () => undefined,
    };

    expect(await copied(message)).toEqual({
      at: "1970-01-01T00:00:00.000Z",
      bytes: "Uint8Array(3 bytes)",
    });
  });

  it("may have a key named __proto__", async () => {
    const written = (await copied(JSON.parse('{ "__proto__": { "secret": "S" } }') as object)) as object;

    expect(Object.getOwnPropertyDescriptor(written, "__proto__")?.value).toEqual({ secret: "S" });
    expect(Object.keys(written)).toEqual(["__proto__"]);
  });
});

describe("a projected payload", () => {
  it.each([
    [
      "throws",
      () => {
        throw new Error("4111");
      },
    ],
    ["is asynchronous", () => Promise.reject(new Error("4111"))],
    [
      "returns a value that cannot be read",
      () =>
        new Proxy(
          {},
          {
            get() {
              throw new Error("4111");
            },
          },
        ),
    ],
  ])("117 fails as a whole when the projection %s", async (_, payload) => {
    expect(await loggedPayload({}, { payload })).toBe("[redaction failed]");
    await settle();
  });
});
