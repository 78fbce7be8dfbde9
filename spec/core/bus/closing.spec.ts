import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { around, CommandBus } from "cqrx";
import { tap } from "rxjs";
import { microtasks, reasonOf, watch } from "../../conformance/support.js";

class Work {}

afterEach(() => void jest.useRealTimers());

describe("the report of close()", () => {
  it("waits a macrotask for aborted handlers before it calls their work abandoned", async () => {
    const bus = new CommandBus();
    bus.register(Work, async (_, { signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      // A handler that cleans up takes more than one turn.
      await microtasks(200);
    });
    const sent = reasonOf(bus.dispatch(new Work()));
    const { aborted, abandoned } = await bus.close({ timeoutMs: 1 });
    await sent;
    expect(aborted).toHaveLength(1);
    expect(abandoned).toEqual([]);
  });

  it("counts messages that were in flight while others ended synchronously", async () => {
    const bus = new CommandBus();
    class Quick {}
    bus.register(Work, () => new Promise(() => undefined));
    bus.register(Quick, () => undefined);
    const sent = [reasonOf(bus.dispatch(new Work())), reasonOf(bus.dispatch(new Work()))];
    await bus.dispatch(new Quick());
    const { aborted } = await bus.close({ timeoutMs: 1 });
    await Promise.all(sent);
    expect(aborted).toHaveLength(2);
  });

  it("names the work of a handler that goes on below an operator", async () => {
    const bus = new CommandBus({ middleware: [around((_, next) => next()), tap()] });
    const ids: string[] = [];
    bus.register(Work, (_, { envelope }) => {
      ids.push(envelope.meta.id);
      return new Promise(() => undefined);
    });
    const sent = reasonOf(bus.dispatch(new Work()));
    const { abandoned } = await bus.close({ timeoutMs: 1 });
    await sent;
    expect(abandoned).toEqual(ids);
  });

  it("names the work of an async iterable that goes on, not of one that stopped", async () => {
    const bus = new CommandBus();
    const ids: string[] = [];
    class GoesOn {}
    bus.register(Work, (_, { signal }) =>
      (async function* () {
        yield await new Promise((resolve) => signal.addEventListener("abort", resolve));
      })(),
    );
    bus.register(GoesOn, (_, { envelope }) => {
      ids.push(envelope.meta.id);
      return (async function* () {
        yield await new Promise(() => undefined);
      })();
    });
    const sent = [reasonOf(bus.dispatch(new Work())), reasonOf(bus.dispatch(new GoesOn()))];
    const { aborted, abandoned } = await bus.close({ timeoutMs: 1 });
    await Promise.all(sent);
    expect(aborted).toHaveLength(2);
    expect(abandoned).toEqual(ids);
  });

  it("takes the longest time that a timer can wait", async () => {
    jest.useFakeTimers();
    const bus = new CommandBus();
    bus.register(Work, () => new Promise(() => undefined));
    const sent = watch(bus.dispatch(new Work()));
    const closed = watch(bus.close({ timeoutMs: 2 ** 31 - 1 }));
    await jest.advanceTimersByTimeAsync(2 ** 31 - 1);
    expect(sent.reason).toMatchObject({ code: "BUS_CLOSED" });
    await jest.advanceTimersByTimeAsync(1);
    expect(closed.value).toMatchObject({ aborted: [expect.any(String)] });
  });

  it("names the work that goes on, not that which stopped, whether it fulfils or rejects", async () => {
    const bus = new CommandBus();
    const ids: string[] = [];
    class Fulfils {}
    class Rejects {}
    class GoesOn {}
    const stopped = (signal: AbortSignal): Promise<unknown> =>
      new Promise((resolve) => signal.addEventListener("abort", resolve));
    bus.register(Fulfils, async (_, { signal }) => void (await stopped(signal)));
    bus.register(Rejects, async (_, { signal }) => {
      await stopped(signal);
      throw signal.reason;
    });
    bus.register(GoesOn, (_, { envelope }) => {
      ids.push(envelope.meta.id);
      return new Promise(() => undefined);
    });
    const sent = [new Fulfils(), new GoesOn(), new Rejects()].map((message) =>
      reasonOf(bus.dispatch(message)),
    );
    const { finished, aborted, abandoned } = await bus.close({ timeoutMs: 1 });
    await Promise.all(sent);
    expect(finished).toBe(0);
    expect(aborted).toHaveLength(3);
    expect(abandoned).toEqual(ids);
  });
});
