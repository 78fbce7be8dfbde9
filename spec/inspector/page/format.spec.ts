import { describe, expect, it } from "@jest/globals";
import {
  formatCount,
  formatDuration,
  formatPercent,
  formatRate,
  formatTime,
} from "../../../src/inspector/page/model/format.js";

describe("a duration", () => {
  it.each([
    [0, "0 µs"],
    [0.0042, "4.2 µs"],
    [0.042, "42 µs"],
    [0.099, "99 µs"],
    [0.2, "0.2 ms"],
    [8.427, "8.4 ms"],
    [9.96, "10 ms"],
    [340.4, "340 ms"],
    [999.6, "1 s"],
    [1250, "1.3 s"],
    [59_400, "59 s"],
    [59_700, "1 min"],
    [150_000, "2.5 min"],
    [7_200_000, "2 h"],
  ])("of %d ms reads %s", (ms, text) => expect(formatDuration(ms)).toBe(text));
});

describe("a count", () => {
  it.each([
    [0, "0"],
    [999, "999"],
    [4761, "4,761"],
    [99_999, "99,999"],
    [140_000, "140K"],
    [2_600_000, "2.6M"],
  ])("of %d reads %s", (count, text) => expect(formatCount(count)).toBe(text));
});

describe("a rate", () => {
  it.each([
    [0, "0"],
    [1.94, "1.9"],
    [36.4, "36"],
    [4500, "4,500"],
  ])("of %d reads %s", (rate, text) => expect(formatRate(rate)).toBe(text));
});

describe("a share", () => {
  it.each([
    [0, "0"],
    [0.0002, "<0.1"],
    [0.004, "0.4"],
    [0.2546, "25"],
    [0.99999, "99.9"],
    [1, "100"],
  ])("of %d reads %s %%", (share, text) => expect(formatPercent(share)).toBe(text));
});

describe("a time", () => {
  const time = new Date(2026, 10, 26, 13, 5, 59, 0).getTime();
  it("has the digits that are asked for", () => {
    expect(formatTime(time + 7)).toBe("13:05:59.007");
    expect(formatTime(time + 7, 0)).toBe("13:05:59");
    expect(formatTime(time + 7.25, 5)).toBe("13:05:59.00725");
  });
  it("is cut, not rounded to the next minute", () => expect(formatTime(time + 999.9)).toBe("13:05:59.999"));
  it("keeps a fraction that floating point stores below it", () =>
    expect(formatTime(time + 0.3, 4)).toBe("13:05:59.0003"));
});
