import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { BrokenCircuitError, circuitBreaker, ConsecutiveBreaker, handleWhen } from "cockatiel";
import { around, CommandBus, when } from "cqrx";
import { reasonOf } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";

class Work {}

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

describe("a circuit breaker of cockatiel through around()", () => {
  const rig = () => {
    const breaker = circuitBreaker(
      handleWhen(({ name }) => name !== "AbortError"),
      { halfOpenAfter: 1_000, breaker: new ConsecutiveBreaker(3) },
    );
    const bus = new CommandBus({
      middleware: [
        when(
          Work,
          around((_, next) => breaker.execute(() => next())),
        ),
      ],
    });
    const handler = jest.fn<(work: Work, context: { signal: AbortSignal }) => Promise<void>>();
    bus.register(Work, handler);
    return { bus, handler };
  };

  it("81 opens at its threshold, refuses without calling the handler, and closes after a success", () =>
    withTraps(async () => {
      const { bus, handler } = rig();
      const error = new Error("down");
      handler.mockRejectedValue(error);
      for (let times = 0; times < 3; times++) expect(await reasonOf(bus.dispatch(new Work()))).toBe(error);
      expect(await reasonOf(bus.dispatch(new Work()))).toBeInstanceOf(BrokenCircuitError);
      expect(handler).toHaveBeenCalledTimes(3);

      handler.mockResolvedValue();
      await jest.advanceTimersByTimeAsync(1_000);
      for (let times = 0; times < 3; times++) await bus.dispatch(new Work());
      expect(handler).toHaveBeenCalledTimes(6);
      await canaries(bus);
    }));

  it("81 does not count aborts by callers", () =>
    withTraps(async () => {
      const { bus, handler } = rig();
      handler.mockImplementation(
        (_, { signal }) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      );
      for (let times = 0; times < 5; times++) {
        const controller = new AbortController();
        const sent = reasonOf(bus.dispatch(new Work(), { signal: controller.signal }));
        controller.abort();
        await sent;
      }
      handler.mockResolvedValue();
      await bus.dispatch(new Work());
      await canaries(bus);
    }));
});
