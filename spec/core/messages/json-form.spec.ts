import { parse } from "node:querystring";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "@jest/globals";
import { Envelope, InvalidMessageError } from "cqrx";

class Box {
  constructor(readonly value: unknown) {}
}

const written = (value: unknown): unknown => Envelope.of(new Box(value)).toJSON().payload;

function read(value: unknown): unknown {
  return Envelope.fromJSON(JSON.stringify(Envelope.of(new Box(value))), Box).payload.value;
}

function refusal(run: () => unknown): InvalidMessageError {
  try {
    run();
  } catch (error) {
    if (error instanceof InvalidMessageError) return error;
    throw error;
  }
  throw new Error("It was accepted.");
}

const bare = (fields: object): object => Object.assign(Object.create(null) as object, fields);
const foreign = (code: string): unknown => runInNewContext(code) as unknown;

describe("plain data of any origin", () => {
  it.each<[string, unknown, unknown]>([
    ["a query string", parse("a=1"), { a: "1" }],
    ["an object without a prototype", bare({ a: bare({ b: 1 }) }), { a: { b: 1 } }],
    ["an object of another realm", foreign("({ a: [1, { b: null }] })"), { a: [1, { b: null }] }],
    ["a Date of another realm", foreign("new Date(5)"), new Date(5)],
    ["a Map of another realm", foreign("new Map([[1, [2]]])"), new Map([[1, [2]]])],
    ["a Set of another realm", foreign("new Set([1])"), new Set([1])],
    ["bytes of another realm", foreign("Uint8Array.of(1, 2)"), Uint8Array.of(1, 2)],
    ["a Buffer", Buffer.from("ab"), Uint8Array.of(97, 98)],
    ["a Buffer in the pool of another", Buffer.from("abc").subarray(1, 2), Uint8Array.of(98)],
  ])("is written, and read as plain data of this realm: %s", (_, value, expected) =>
    expect(read(value)).toStrictEqual(expected),
  );

  it("is written without any tag where JSON has a form for it", () =>
    expect(written(bare({ a: 1 }))).toStrictEqual({ value: { a: 1 } }));

  it("keeps an object without a prototype that looks like a tag", () =>
    expect(read(bare({ $date: "x" }))).toStrictEqual({ $date: "x" }));

  it("can be the data that an envelope is read from", () => {
    const data = bare({ payload: bare({ value: bare({ a: 1 }) }), meta: bare({ id: "1" }) });
    expect(Envelope.fromJSON(data, Box).payload.value).toStrictEqual({ a: 1 });
  });

  class Tags extends Set<string> {}
  class Bytes extends Uint8Array {}
  it.each<[string, unknown]>([
    ["a kind of Set", new Tags()],
    ["a kind of bytes", new Bytes(1)],
    ["a Map with a prototype that claims to be one", Object.create(Map.prototype)],
  ])("does not include %s", (_, value) => expect(() => Envelope.of(new Box(value)).toJSON()).toThrow(Error));
});

describe("state that JSON would lose", () => {
  const hidden = Object.defineProperty({ shown: 1 }, "hidden", { value: 2 });
  const more = <T extends object>(value: T): T => Object.assign(value, { more: 1 });
  // eslint-disable-next-line no-sparse-arrays -- a hole is under test
  const holes = [1, , 3];
  it.each<[string, unknown, string]>([
    ["a field that is not enumerable", hidden, "payload.value.hidden is not enumerable"],
    ["a hole in an array", holes, "has holes or fields besides its members"],
    ["a field of an array", more([1]), "has holes or fields besides its members"],
    ["a field of a Date", more(new Date(5)), "has holes or fields besides its members"],
    ["a field of a Map", more(new Map()), "has holes or fields besides its members"],
    ["a field of a Set", more(new Set()), "has holes or fields besides its members"],
    ["a field of bytes", more(Uint8Array.of(1)), "has holes or fields besides its members"],
  ])("is refused: %s", (_, value, text) =>
    expect(refusal(() => Envelope.of(new Box(value)).toJSON()).message).toContain(text),
  );
});

describe("the text of an error", () => {
  const long = "k".repeat(100_000);
  it.each<[string, () => unknown]>([
    ["a key that is written", () => Envelope.of(new Box({ [long]: Symbol() })).toJSON()],
    ["a key that is read", () => Envelope.fromJSON({ payload: { value: { [long]: () => 1 } } }, Box)],
    ["an unknown tag", () => Envelope.fromJSON({ payload: { value: { [`$${long}`]: 1 } } }, Box)],
    ["a header", () => Envelope.of(new Box(1), { headers: { [`${long} `]: "x" } })],
    ["a text that is not JSON", () => Envelope.fromJSON(`{"${long}`, Box)],
  ])("quotes at most 200 characters of %s", (_, run) => {
    const error = refusal(run);
    expect(error.message.length).toBeLessThan(400);
    expect(error.path!.length).toBeLessThanOrEqual(200);
    expect(error.message).not.toContain("k".repeat(201));
  });

  it.each(["\n", "\u001b[31m", "\u0000", "\u2028", "\u202e", "\ud800"])("escapes %j", (character) => {
    const { message, path } = refusal(() => Envelope.of(new Box({ [`a${character}b`]: Symbol() })).toJSON());
    expect(message).not.toContain(character[0]);
    expect(message).toMatch(/^payload\.value\.a\\u[0-9a-f]{4}/);
    expect(path).not.toContain(character[0]);
  });

  it("holds a path of 200 characters, and the start of a longer one", () => {
    const pathOf = (length: number): string | undefined => {
      const key = "k".repeat(length - "payload.value.".length);
      return refusal(() => Envelope.of(new Box({ [key]: () => 1 })).toJSON()).path;
    };
    expect(pathOf(200)).toBe(`payload.value.${"k".repeat(186)}`);
    expect(pathOf(201)).toBe(`payload.value.${"k".repeat(185)}…`);
  });

  it("does not quote the text of a parser, not even in the cause", () => {
    const error = refusal(() => Envelope.fromJSON("{ secret", Box));
    expect(`${error.message} ${String(error.cause)}`).not.toContain("secret");
  });
});
