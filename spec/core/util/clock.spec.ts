import { describe, expect, it } from "@jest/globals";
import { monotonicNow, wallTime, type Clock } from "../../../src/core/util/clock.js";

function clockAt(
  wall: number,
  monotonic: number,
): Clock & { wall: number; monotonic: number; reads: number } {
  return {
    wall,
    monotonic,
    reads: 0,
    now() {
      this.reads++;
      return this.wall;
    },
    monotonicNow() {
      return this.monotonic;
    },
  };
}

describe("wallTime", () => {
  it("reads the wall clock at most once a second", () => {
    const clock = clockAt(10_000, 50);
    expect([wallTime(clock, 50), wallTime(clock, 51.9), wallTime(clock, 1_049)]).toEqual([
      10_000, 10_001, 10_999,
    ]);
    expect(clock.reads).toBe(1);
    clock.monotonic = 1_050;
    clock.wall = 11_000;
    expect(wallTime(clock, 1_050)).toBe(11_000);
    expect(clock.reads).toBe(2);
  });

  it("follows a wall clock that was set, and ignores a difference below two milliseconds", () => {
    const clock = clockAt(10_000, 0);
    wallTime(clock, 0);
    Object.assign(clock, { monotonic: 1_000, wall: 11_001 });
    expect(wallTime(clock, 1_000)).toBe(11_000);
    Object.assign(clock, { monotonic: 2_000, wall: 5_000 });
    expect(wallTime(clock, 2_000)).toBe(5_000);
  });
});

describe("monotonicNow", () => {
  it("falls back to the wall time", () => expect(monotonicNow({ now: () => 7 })).toBe(7));
});
