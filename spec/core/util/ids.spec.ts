import { describe, expect, it } from "@jest/globals";
import { checkedIds, uniqueId } from "../../../src/core/util/ids.js";

describe("uniqueId", () => {
  it("never repeats an id, and shares the bits of the process", () => {
    const ids = Array.from({ length: 1_000 }, uniqueId);
    expect(new Set(ids).size).toBe(1_000);
    expect(new Set(ids.map((id) => id.slice(0, 36))).size).toBe(1);
    expect(ids[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}-[0-9a-z]+$/);
  });
});

describe("checkedIds", () => {
  it("is the generator if the caller gave no factory", () =>
    expect(checkedIds(undefined, () => undefined)).toBe(uniqueId));

  it("passes the ids of a factory through", () => {
    const reported: unknown[] = [];
    expect(checkedIds(() => "a", (error) => void reported.push(error))()).toBe("a"); // prettier-ignore
    expect(reported).toEqual([]);
  });

  it.each<[string, () => unknown, object]>([
    ["returns no text", () => 42, { code: "INVALID_OPTIONS", option: "ids" }],
    ["returns an empty text", () => "", { code: "INVALID_OPTIONS", option: "ids" }],
    ["throws", () => { throw new RangeError("boom"); }, { name: "RangeError" }], // prettier-ignore
  ])("reports a factory that %s, and generates the id", (_, factory, error) => {
    const reported: unknown[] = [];
    expect(checkedIds(factory as () => string, (reason) => void reported.push(reason))()).toMatch(/^.{38,}$/);
    expect(reported).toEqual([expect.objectContaining(error)]);
  });
});
