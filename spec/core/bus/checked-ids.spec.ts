import { describe, expect, it } from "@jest/globals";
import { checkedIds } from "../../../src/core/bus/checked-ids.js";
import { uniqueId } from "../../../src/core/util/ids.js";

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
