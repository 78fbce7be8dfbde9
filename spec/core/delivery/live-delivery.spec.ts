import { describe, expect, it } from "@jest/globals";
import { QueryBus, around, type Outcome } from "cqrx";

class Load {}

describe("a step that returns a thenable which is not a Promise", () => {
  function answering(settle: (resolve: (value: unknown) => void, reject: (reason: unknown) => void) => void) {
    let thens = 0;
    const thenable = {
      then(resolve: (value: unknown) => void, reject: (reason: unknown) => void) {
        thens++;
        settle(resolve, reject);
      },
    };
    const bus = new QueryBus({
      middleware: [around((message, next) => next(message)), around(() => thenable as PromiseLike<unknown>)],
    });
    bus.register(Load, () => undefined);
    const outcomes: Outcome[] = [];
    bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
    return { bus, outcomes, thens: () => thens };
  }

  it("settles the message with its value, and is run once", async () => {
    const { bus, outcomes, thens } = answering((resolve) => resolve(7));
    expect(await bus.ask(new Load() as never)).toBe(7);
    expect(outcomes).toMatchObject([{ status: "fulfilled", value: 7 }]);
    expect(thens()).toBe(1);
  });

  it("settles the message with its reason", async () => {
    const reason = new Error("no row");
    const { bus, outcomes, thens } = answering((_, reject) => reject(reason));
    await expect(bus.ask(new Load() as never)).rejects.toBe(reason);
    expect(outcomes).toMatchObject([{ status: "rejected", reason }]);
    expect(thens()).toBe(1);
  });
});
