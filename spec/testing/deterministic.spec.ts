import { describe, expect, it } from "@jest/globals";
import { CommandBus } from "cqrx";
import { manualClock, recording, sequentialIds } from "cqrx/testing";
import { CreateUser } from "./messages.js";

describe("sequentialIds", () => {
  it("counts up from 1, each generator for itself", () => {
    const [plain, prefixed] = [sequentialIds(), sequentialIds("c-")];

    expect([plain(), plain(), prefixed(), plain()]).toEqual(["1", "2", "c-1", "3"]);
  });
});

describe("manualClock", () => {
  it("stands still until the test advances it", () => {
    const clock = manualClock(1_000);

    expect([clock.now(), clock.now()]).toEqual([1_000, 1_000]);
    clock.advance(5);
    expect([clock.now(), clock.monotonicNow()]).toEqual([1_005, 1_005]);
  });

  it("never goes backwards", () => {
    expect(() => manualClock().advance(-1)).toThrow(RangeError);
    expect(() => manualClock().advance(NaN)).toThrow("received NaN");
  });

  it("gives a bus its times and durations, as sequentialIds gives it its ids", async () => {
    const clock = manualClock(1_000);
    const bus = new CommandBus({ clock, ids: sequentialIds("c") });
    const recorded = recording(bus);
    bus.register(CreateUser, () => clock.advance(12));

    await bus.dispatch(new CreateUser("u1"));

    expect(recorded.outcomes[0]).toMatchObject({
      durationMs: 12,
      envelope: { meta: { id: "c1", time: 1_000 } },
    });
  });
});
