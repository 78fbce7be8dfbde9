import { describe, expect, it } from "@jest/globals";
import type { Entry } from "../../../src/inspector/page/model/entry.js";
import { extentOf, treeOf } from "../../../src/inspector/page/model/tree.js";
import { entry, open, START } from "./make.js";

const shape = (entries: readonly Entry[]): string[] =>
  treeOf(entries).map(({ entry: each, depth }) => `${" ".repeat(depth)}${each.message.order}`);

describe("the tree of a conversation", () => {
  it("lists each message below its cause, siblings by time", () =>
    expect(
      shape([
        entry(1, 0),
        entry(2, 9, { causationId: "id-1" }),
        entry(3, 2, { causationId: "id-1" }),
        entry(4, 3, { causationId: "id-3" }),
      ]),
    ).toEqual(["1", " 3", "  4", " 2"]));

  it("takes a message whose cause was not kept as a root", () =>
    expect(shape([entry(1, 5), entry(2, 0, { causationId: "gone" })])).toEqual(["2", "1"]));

  it("lists messages that claim to cause themselves or each other once", () => {
    expect(shape([entry(1, 0, { causationId: "id-1" })])).toEqual(["1"]);
    const circle = [entry(1, 0, { causationId: "id-2" }), entry(2, 1, { causationId: "id-1" })];
    expect(shape(circle)).toEqual(["1", " 2"]);
  });

  it("is made of a chain of 20,000 causes", () => {
    const chain = Array.from({ length: 20_000 }, (_, i) =>
      entry(i + 1, i, i === 0 ? {} : { causationId: `id-${i}` }),
    );
    const rows = treeOf(chain);
    expect([rows.length, rows.at(-1)!.depth]).toEqual([20_000, 19_999]);
  });
});

describe("the extent of messages", () => {
  it("is from the first acceptance to the last settlement", () =>
    expect(extentOf([entry(1, 10, { durationMs: 90 }), entry(2, 0), entry(3, 50)], START + 999)).toEqual({
      from: START,
      to: START + 100,
    }));

  it("goes to now while one is open", () =>
    expect(extentOf([entry(1, 10, open)], START + 500)).toEqual({ from: START + 10, to: START + 500 }));

  it("is not negative where the clock of the page is behind", () =>
    expect(extentOf([entry(1, 10, open)], START)).toEqual({ from: START + 10, to: START + 10 }));
});
