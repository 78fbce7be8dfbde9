import { describe, expect, it } from "@jest/globals";
import { Filter } from "../../../src/inspector/page/model/filter.js";
import { entry } from "./make.js";

function passes(text: string, more: Parameters<typeof entry>[2] = {}): boolean {
  const filter = new Filter();
  filter.text = text;
  return filter.matches(entry(1, 0, more));
}

describe("the filter", () => {
  it("looks in type, ids, payload, result, headers and error, in any case", () => {
    const more = {
      result: '{"total":1999}',
      headers: '{"x-tenant":"acme"}',
      error: { name: "OutOfStock", message: "sold out", code: "E1" },
    };
    for (const text of [
      "placeorder",
      "ID-1",
      "c-1",
      "o-1",
      "1999",
      "Acme",
      "outofstock",
      "SOLD",
      "e1",
      " ",
    ]) {
      expect([text, passes(text, more)]).toEqual([text, true]);
    }
    expect(passes("absent", more)).toBe(false);
  });

  it("wants all words, and none of those with a minus", () => {
    expect(passes("place o-1")).toBe(true);
    expect(passes("place o-2")).toBe(false);
    expect(passes("place -o-1")).toBe(false);
    expect(passes("place -o-2")).toBe(true);
  });

  it("takes a lone minus as a word", () => expect(passes("-")).toBe(true));

  it("does not look at numbers that only the page knows", () => expect(passes("1795700000")).toBe(false));

  it("decides anew when words or outcomes change, and when the message has settled", () => {
    const filter = new Filter();
    const one = entry(1, 0);
    expect(filter.matches(one)).toBe(true);
    filter.toggle("fulfilled");
    expect(filter.matches(one)).toBe(false);
    filter.toggle("fulfilled");
    filter.text = "late";
    expect(filter.matches(one)).toBe(false);
    one.message = { ...one.message, result: '"late"' };
    one.checked = -1;
    expect(filter.matches(one)).toBe(true);
  });
});
