import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { errorText } from "../../src/inspector/error-text.js";
import { boundedText, valueText } from "../../src/inspector/value-text.js";

const nothing = (): boolean => false;
const text = (value: unknown, limit = 4_096): string => valueText(value, limit, nothing);
const shown = (value: unknown): unknown => JSON.parse(text(value));

const called = (): never => {
  throw new Error("a method of the value was called");
};

describe("the text of a value", () => {
  it.each<[string, unknown, unknown]>([
    ["a number", 1.5, 1.5],
    ["a number that JSON has not", NaN, "NaN"],
    ["a bigint", 12n, "12n"],
    ["a huge bigint", 10n ** 1_000n, "[bigint]"],
    ["a symbol", Symbol("s"), "[Symbol s]"],
    ["a function", called, "[Function]"],
    ["undefined", undefined, "[undefined]"],
    ["null", null, null],
    ["text with quotes and breaks", 'a"\n\u2028', 'a"\n\u2028'],
    ["a date", new Date(0), "1970-01-01T00:00:00.000Z"],
    ["an invalid date", new Date(NaN), "Invalid Date"],
    [
      "a map",
      new Map<unknown, unknown>([
        ["a", 1],
        [2, { b: 3 }],
        [{}, 4],
      ]),
      { a: 1, 2: { b: 3 }, "[object]": 4 },
    ],
    ["a set", new Set([1, "a"]), [1, "a"]],
    ["bytes", new Uint8Array(5), "[5 bytes]"],
    ["a buffer", new ArrayBuffer(5), "[5 bytes]"],
    ["a promise", Promise.resolve(1), "[Promise]"],
    ["a pattern", /a/, "[RegExp]"],
    [
      "an error",
      Object.assign(new TypeError("t"), { status: 3 }),
      { name: "TypeError", message: "t", status: 3 },
    ],
    ["an object without a prototype", Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ["undefined fields", { a: undefined, b: [undefined] }, { b: ["[undefined]"] }],
    ["a sparse array", Array(2), ["[undefined]", "[undefined]"]],
    ["__proto__", JSON.parse('{"__proto__":{"a":1}}'), JSON.parse('{"__proto__":{"a":1}}')],
  ])("shows %s", (_, value, expected) => {
    expect(shown(value)).toEqual(expected);
  });

  it("calls no method and no getter of the value", () => {
    class Hostile extends Map<string, number> {
      override get size(): number {
        return called();
      }
      override entries = called;
      override [Symbol.iterator] = called;
      toJSON = called;
    }
    class Late extends Date {
      override toISOString = called;
      override getTime = called;
    }
    const value = {
      toJSON: called,
      toString: called,
      valueOf: called,
      map: new Hostile([["a", 1]]),
      late: new Late(0),
      get secret(): string {
        return called();
      },
    };
    expect(shown(value)).toEqual({
      toJSON: "[Function]",
      toString: "[Function]",
      valueOf: "[Function]",
      map: { a: 1 },
      late: "1970-01-01T00:00:00.000Z",
      secret: "[Getter]",
    });
  });

  it("marks cycles, and not what occurs twice", () => {
    const shared = { a: 1 };
    const cyclic: { self?: object; twice: object[] } = { twice: [shared, shared] };
    cyclic.self = cyclic;
    expect(shown(cyclic)).toEqual({ twice: [{ a: 1 }, { a: 1 }], self: "[Circular]" });
  });

  it("ends at a depth, also for 20,000 levels", () => {
    let deep: unknown = 1;
    for (let n = 0; n < 20_000; n++) deep = n % 2 ? [deep] : { deep };
    const written = text(deep);
    expect(written.length).toBeLessThan(400);
    JSON.parse(written);
  });

  it("takes back the unfinished part of a proxy that throws in between", () => {
    const proxy = new Proxy(
      { a: 1, b: 2 },
      {
        getOwnPropertyDescriptor(target, key) {
          if (key === "b") called();
          return Reflect.getOwnPropertyDescriptor(target, key);
        },
      },
    );
    expect(shown({ before: 1, proxy, after: 2 })).toEqual({ before: 1, proxy: "[unreadable]", after: 2 });
  });

  it.each<[string, unknown]>([
    ["a text of 10 MB", "x".repeat(10 * 2 ** 20)],
    ["a text of escapes", "\u0000".repeat(100_000)],
    ["a list of a million", Array.from({ length: 1_000_000 }, (_, n) => n)],
    [
      "an object with 10,000 keys",
      Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [`key${n}`, n])),
    ],
    ["a list of long texts", Array.from({ length: 100 }, () => "x".repeat(1_000))],
    ["a map of long keys", new Map([["k".repeat(100_000), 1]])],
  ])("bounds %s", (_, value) => {
    for (const limit of [64, 200, 4_096]) {
      const written = text(value, limit);
      expect(written.length).toBeLessThanOrEqual(limit);
      JSON.parse(written);
      expect(written).toMatch(/…|\[Object\]|\[Array\]/);
    }
  });

  it("is JSON within the limit for every value", () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true }),
        fc.integer({ min: 64, max: 500 }),
        (value, limit) => {
          const written = text(value, limit);
          expect(written.length).toBeLessThanOrEqual(limit);
          JSON.parse(written);
        },
      ),
    );
  });

  it("keeps no long text alive by a slice of it", () => {
    expect(boundedText("x".repeat(100), 10)).toBe(`${"x".repeat(9)}…`);
    expect(boundedText("short", 10)).toBe("short");
  });
});

describe("the text of an error", () => {
  it("has name, message, code and stack, bounded", () => {
    const error = Object.assign(new RangeError("m".repeat(1_000)), { code: "E_RANGE", secret: "no" });
    expect(errorText(error, 100)).toEqual({
      name: "RangeError",
      message: `${"m".repeat(99)}…`,
      code: "E_RANGE",
      stack: expect.stringMatching(/^RangeError: m+…$/),
    });
  });

  it.each<[string, unknown, object]>([
    ["a text", "no", { name: "string", message: '"no"' }],
    ["undefined", undefined, { name: "undefined", message: '"[undefined]"' }],
    ["an object", { a: 1 }, { name: "object", message: "a value that is not an Error was thrown" }],
    ["an error that cannot be read", new Proxy(new Error("x"), { get: called }), { message: "[unreadable]" }],
  ])("shows %s that was thrown", (_, thrown, expected) => {
    expect(errorText(thrown, 100)).toMatchObject(expected);
  });
});
