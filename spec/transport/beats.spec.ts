import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { Beats, type Beating } from "../../src/transport/beats.js";

describe("the beats of a link", () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it("leave out a call that another one ends in the same beat", () => {
    const beats = new Beats(100);
    const seen: string[] = [];
    const second: Beating = { beat: () => void seen.push("second") };
    const first: Beating = {
      beat() {
        seen.push("first");
        beats.delete(second);
      },
    };
    for (const call of [first, second]) beats.add(call);
    jest.advanceTimersByTime(100);
    expect(seen).toEqual(["first"]);
    beats.delete(first);
    expect(jest.getTimerCount()).toBe(0);
    beats.add(second);
    jest.advanceTimersByTime(100);
    expect(seen).toEqual(["first", "second"]);
    beats.delete(second);
  });

  it.each([Infinity, 2 ** 31])(
    "do not come at once at heartbeatMs: %d, which no timer takes",
    (heartbeatMs) => {
      const beats = new Beats(heartbeatMs);
      let seen = 0;
      const call: Beating = { beat: () => void seen++ };
      beats.add(call);
      jest.advanceTimersByTime(60_000);
      expect(seen).toBe(0);
      beats.delete(call);
      expect(jest.getTimerCount()).toBe(0);
    },
  );
});
