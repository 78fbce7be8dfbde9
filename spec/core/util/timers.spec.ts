import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { asyncScheduler, VirtualTimeScheduler } from "rxjs";
import { LONGEST_TIMEOUT_MS, startTimer } from "../../../src/core/util/timers.js";

describe("startTimer", () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  it("runs once, after the delay", () => {
    const run = jest.fn();
    startTimer(5, run);
    jest.advanceTimersByTime(4);
    expect(run).not.toHaveBeenCalled();
    jest.advanceTimersByTime(100);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it("does not run after it was cancelled", () => {
    const run = jest.fn();
    startTimer(5, run)();
    jest.advanceTimersByTime(100);
    expect(run).not.toHaveBeenCalled();
  });

  it.each([Infinity, 2 ** 31])("does not run at once for a delay of %d ms", (delayMs) => {
    const run = jest.fn();
    startTimer(delayMs, run);
    jest.advanceTimersByTime(LONGEST_TIMEOUT_MS - 1);
    expect(run).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(run).toHaveBeenCalledTimes(1);
  });

  it.each([Infinity, 2 ** 31])(
    "does not run at once on the asyncScheduler for a delay of %d ms",
    (delayMs) => {
      const run = jest.fn();
      startTimer(delayMs, run, { scheduler: asyncScheduler });
      jest.advanceTimersByTime(LONGEST_TIMEOUT_MS - 1);
      expect(run).not.toHaveBeenCalled();
      jest.advanceTimersByTime(1);
      expect(run).toHaveBeenCalledTimes(1);
    },
  );

  it("uses the time of a scheduler", () => {
    const scheduler = new VirtualTimeScheduler();
    const ran: string[] = [];
    startTimer(5, () => ran.push("kept"), { scheduler });
    startTimer(5, () => ran.push("cancelled"), { scheduler })();
    scheduler.flush();
    expect(ran).toEqual(["kept"]);
    expect(scheduler.now()).toBe(5);
  });
});
