import { describe, expect, it } from "@jest/globals";
import { decodeJson, encodeJson, Envelope, InvalidMessageError, PayloadTooLargeError } from "cqrx";
import fc from "fast-check";

const copy = (value: unknown): unknown => decodeJson(encodeJson(value));

describe("encodeJson and decodeJson", () => {
  it.each<[string, unknown]>([
    ["undefined", undefined],
    ["null", null],
    ["-0", -0],
    ["NaN", NaN],
    ["a bigint", 2n ** 70n],
    ["a Date", new Date(5)],
    ["a Map of Sets", new Map([["a", new Set([1, new Date(1)])]])],
    ["bytes", Uint8Array.of(1, 2, 255)],
    ["an object that looks like a tag", { $date: "x" }],
    ["nested tags", [{ $object: { $date: 1 } }, { a: { $map: [] } }]],
    ["a text", 'a "quoted" text with ": in it'],
  ])("keep %s", (_, value) => expect(copy(value)).toStrictEqual(value));

  it("keep every accepted value", () =>
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withNullPrototype: false,
        }),
        (value) => {
          let text: string;
          try {
            text = encodeJson(value);
          } catch (error) {
            expect(error).toBeInstanceOf(InvalidMessageError);
            return;
          }
          const read = decodeJson(text);
          expect(encodeJson(read)).toBe(text);
          expect(read).toEqual(value);
        },
      ),
    ));

  it("refuse class instances and functions, with the path", () => {
    class Money {
      readonly amount = 1;
    }
    expect(() => encodeJson(new Money())).toThrow(InvalidMessageError);
    expect(() => encodeJson({ a: [() => 1] })).toThrow(/^value\.a\[0\] is a function/);
    expect(() => decodeJson('{"a":1,"a":2}')).toThrow("value has a key twice");
    expect(() => decodeJson('{"__proto__":1}')).toThrow(InvalidMessageError);
  });

  it.each([
    ["undefined", undefined],
    ["an object that looks like a tag", { $: "" }],
    ["a Date", new Date(0)],
    ["-0", -0],
    ["bytes", new Uint8Array(6)],
  ])("writes as much as can be read, and no more: %s", (_, member) => {
    const fitting = Math.floor((1_048_576 - 1) / (encodeJson([member]).length - 1));
    const encoded = (members: number): string => encodeJson(Array.from({ length: members }, () => member));
    expect(decodeJson(encoded(fitting))).toHaveLength(fitting);
    expect(() => encoded(fitting + 1)).toThrow(PayloadTooLargeError);
  });

  it("refuse a payload that is too large with an error class of its own, which names the limit", () => {
    expect(() => encodeJson("x".repeat(1_048_577))).toThrow(PayloadTooLargeError);
    expect(() => decodeJson(`"${"x".repeat(1_200_000)}"`)).toThrow(PayloadTooLargeError);
  });

  it("do not change the value that they write", () => {
    const value = Object.freeze({ at: new Date(1), list: Object.freeze([new Date(2), 1n]) });
    encodeJson(value);
    expect(value).toStrictEqual({ at: new Date(1), list: [new Date(2), 1n] });
  });
});

describe("an envelope", () => {
  class Box {
    constructor(readonly value: unknown) {}
  }

  it("reads data that was parsed already without changing it", () => {
    const data = { payload: { value: { $date: "1970-01-01T00:00:00.000Z" }, list: [{ $bigint: "1" }] } };
    const before = JSON.stringify(data);
    Envelope.fromJSON(data, Box);
    expect(JSON.stringify(data)).toBe(before);
  });

  it("reads a text that another program formatted", () => {
    const text = JSON.stringify({ payload: { value: ["a:", { text: '"b":' }, 1] } }, undefined, 2);
    expect(Envelope.fromJSON(text, Box).payload.value).toEqual(["a:", { text: '"b":' }, 1]);
    expect(() => Envelope.fromJSON('{ "payload": { "value": 1, "value": 1 } }', Box)).toThrow(
      "has a key twice",
    );
  });

  it("finds a key given twice in a text that is written in the shortest form otherwise", () =>
    expect(() => Envelope.fromJSON('{"payload":{"value":1,"value":1}}', Box)).toThrow("has a key twice"));
});
