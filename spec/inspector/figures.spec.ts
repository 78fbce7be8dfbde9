import { describe, expect, it } from "@jest/globals";
import { Figures } from "../../src/inspector/figures.js";

const T = 1_700_000_000_000;

function figures(): Figures {
  return new Figures("command", "PlaceOrder", "commands");
}

describe("figures", () => {
  it("count by outcome, and what is in flight", () => {
    const of = figures();
    for (let n = 0; n < 6; n++) of.accept(T, 1);
    of.settle(T, 1, "fulfilled", 1);
    of.settle(T, 1, "fulfilled", 1);
    of.settle(T, 1, "rejected", 1);
    of.settle(T, 1, "cancelled", 1);
    expect(of.at(T, T)).toMatchObject({ accepted: 6, fulfilled: 2, rejected: 1, cancelled: 1, inFlight: 2 });
  });

  it("give percentiles of all durations that are off by 3 % at most", () => {
    for (const scale of [0.001, 0.013, 1, 77, 500]) {
      const of = figures();
      for (let n = 1; n <= 1_000; n++) of.settle(T, 1, "fulfilled", n * scale);
      const { p50, p99 } = of.at(T, T);
      expect(Math.abs(p50! / (500 * scale) - 1)).toBeLessThan(0.04);
      expect(Math.abs(p99! / (990 * scale) - 1)).toBeLessThan(0.04);
    }
  });

  it("take durations of nothing and of years", () => {
    const of = figures();
    of.settle(T, 1, "fulfilled", 0);
    expect(of.at(T, T)).toMatchObject({ p50: 0, p99: 0 });
    of.settle(T, 1, "fulfilled", 1e12);
    expect(of.at(T, T).p99).toBeGreaterThan(1_000_000);
  });

  it("cover five to ten seconds, and then nothing", () => {
    const of = figures();
    const start = Math.ceil(T / 5_000) * 5_000;
    for (let n = 0; n < 100; n++) {
      of.accept(start, 1);
      of.settle(start, 1, "fulfilled", 10);
    }
    expect(of.at(start, T).rate).toBe(20);
    expect(of.at(start + 5_000, T)).toMatchObject({ rate: 20, p99: expect.any(Number) });
    expect(of.at(start + 7_500, T).rate).toBeCloseTo(13.3);
    const later = of.at(start + 10_000, T);
    expect(later.rate).toBe(0);
    expect(later).not.toHaveProperty("p50");
    expect(of.at(start + 3_600_000, T)).toMatchObject({ accepted: 100, rate: 0 });
  });

  it("do not thin the rate of the first seconds out", () => {
    const of = figures();
    for (let n = 0; n < 10; n++) of.accept(T, 1);
    expect(of.at(T + 100, T, T).rate).toBe(10);
    expect(of.at(T + 2_000, T, T).rate).toBe(5);
  });

  it("have a series of 60 seconds by outcome, without those that were idle", () => {
    const of = figures();
    for (const second of [0, 1, 30, 59, 61]) {
      of.accept(T + second * 1_000, 1);
      of.accept(T + second * 1_000, 1);
      of.settle(T + second * 1_000, 1, "rejected", 1);
    }
    const now = T + 61_500;
    const at = (n: number): number[] => [T / 1_000 + n, 2, 0, 1, 0];
    expect(of.at(now, now - 60_000).series).toEqual([at(30), at(59), at(61)]);
    expect(of.at(now, T + 59_000).series).toEqual([at(59), at(61)]);
  });
});
