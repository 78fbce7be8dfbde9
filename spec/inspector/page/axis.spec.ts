import { describe, expect, it } from "@jest/globals";
import { stepOf, ticksOf } from "../../../src/inspector/page/model/axis.js";
import { START } from "./make.js";

describe("the step of an axis", () => {
  it.each([
    [0.003, 0.005],
    [1, 1],
    [1.2, 2],
    [30, 50],
    [260, 500],
    [700, 1000],
    [11_000, 15_000],
    [70_000, 120_000],
    [4_000_000, 7_200_000],
  ])("of at least %d ms is %d ms", (least, step) => expect(stepOf(least)).toBeCloseTo(step, 9));
});

describe("ticks", () => {
  it("are round times inside the shown time, at least as far apart as asked", () => {
    const ticks = ticksOf(START - 10_000, START, 1000, 110);
    expect(ticks.map(({ time }) => time)).toEqual([-10, -8, -6, -4, -2, 0].map((s) => START + s * 1000));
    expect(ticks[1]!.label).toMatch(/^\d\d:\d\d:\d\d$/);
  });

  it("are at the same times when the shown time moves", () => {
    const before = ticksOf(START, START + 10_000, 1000, 110).map(({ time }) => time);
    const after = ticksOf(START + 700, START + 10_700, 1000, 110).map(({ time }) => time);
    expect(after).toEqual(expect.arrayContaining(before.slice(1)));
  });

  it("have as many digits as their step needs", () => {
    expect(ticksOf(START, START + 100, 1000, 110)[1]!.label).toMatch(/^\d\d:\d\d\.\d\d$/);
    expect(ticksOf(START, START + 1, 1000, 110)[1]!.label).toMatch(/^\d\d\.\d{4}$/);
  });

  it("all differ, however near they are", () => {
    const labels = ticksOf(START, START + 0.1, 1000, 110).map(({ label }) => label);
    expect(new Set(labels).size).toBe(labels.length);
  });

  it("are left out without a width or a length", () => {
    expect(ticksOf(START, START + 1, 0, 110)).toEqual([]);
    expect(ticksOf(START, START, 100, 110)).toEqual([]);
  });
});
