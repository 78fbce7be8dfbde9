import { describe, expect, it } from "@jest/globals";
import { CommandBus, EventBus, HandlerRegistry, QueryBus, type Refusal } from "cqrx";
import { manualClock } from "cqrx/testing";

class Known {}
class Unknown {}

describe("refused$", () => {
  it("emits each message that the bus does not let in, with its error and time, and nothing else", async () => {
    const clock = manualClock(1_000);
    const bus = new CommandBus({ clock, maxDepth: 2, background: { maxQueued: 0 } });
    const refused: Refusal[] = [];
    let accepted = 0;
    bus.refused$.subscribe((refusal) => refused.push(refusal));
    bus.messages$.subscribe(() => accepted++);
    bus.register(Known, (_, context) => bus.dispatch(new Known(), { causedBy: context }));

    const errors: unknown[] = [];
    const fails = (promise: Promise<void>): Promise<unknown> => promise.catch((error) => errors.push(error));
    await fails(bus.dispatch(new Unknown()));
    clock.advance(5);
    await fails(bus.dispatch(null as never));
    await fails(bus.dispatch(new Known(), { signal: 1 as never }));
    expect(refused).toEqual([
      { messageType: "Unknown", error: errors[0], time: 1_000 },
      { messageType: "undefined", error: errors[1], time: 1_005 },
      { messageType: "Known", error: errors[2], time: 1_005 },
    ]);
    expect(accepted).toBe(0);
    refused.length = 0;

    await fails(bus.dispatch(new Known()));
    expect(refused).toMatchObject([{ messageType: "Known", error: { code: "DISPATCH_DEPTH_EXCEEDED" } }]);
    expect(() => bus.enqueue(new Known())).toThrow();
    expect(refused.at(-1)).toMatchObject({ messageType: "Known", error: { code: "QUEUE_FULL" } });
  });

  it("emits messages that arrive while the bus closes, and completes with the other streams", async () => {
    const bus = new QueryBus();
    let answer = (_: number): void => undefined;
    bus.register(Known, () => new Promise<number>((resolve) => (answer = resolve)));
    const seen: string[] = [];
    bus.refused$.subscribe({
      next: ({ error }) => seen.push((error as { code: string }).code),
      complete: () => seen.push("complete"),
    });
    const asked = bus.ask(new Known());
    const closed = bus.close();
    await bus.ask(new Known()).catch(() => undefined);
    answer(1);
    expect(await asked).toBe(1);
    await closed;
    await bus.ask(new Known()).catch(() => undefined);
    expect(seen).toEqual(["BUS_CLOSED", "complete"]);
  });

  it("survives an observer and a clock that throw", async () => {
    const clock = {
      now: () => {
        throw new Error("stopped");
      },
    };
    const bus = new CommandBus({ clock });
    const faults: string[] = [];
    const times: number[] = [];
    bus.faults$.subscribe(({ source }) => faults.push(source));
    bus.refused$.subscribe(() => {
      throw new Error("observer");
    });
    bus.refused$.subscribe(({ time }) => times.push(time));
    await expect(bus.dispatch(new Unknown())).rejects.toMatchObject({ code: "HANDLER_NOT_FOUND" });
    expect(times).toEqual([NaN]);
    expect(faults).toEqual(["clock of CommandBus", "refused$"]);
  });
});

describe("registry", () => {
  it("is the one that the bus was given, or its own", () => {
    const registry = new HandlerRegistry();
    expect(new EventBus({ registry }).registry).toBe(registry);
    const bus = new CommandBus();
    bus.register(Known, () => undefined);
    expect(bus.registry.types()).toEqual([Known]);
    expect(bus.registry.has(Unknown)).toBe(false);
  });
});
