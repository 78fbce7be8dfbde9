import { describe, expect, it } from "@jest/globals";
import { CommandBus, EventBus, EventHandlersFailedError, type Fault } from "cqrx";
import { concat, defer, of } from "rxjs";
import { microtasks, reasonOf } from "../../conformance/support.js";

class Saved {}

/** A thenable by the letter of the standard: its `then` returns nothing, and each call of it runs the work again. */
function thenable(error?: Error) {
  const work = {
    runs: 0,
    then(resolve: (value: unknown) => void, reject: (reason: unknown) => void): void {
      work.runs++;
      if (error === undefined) resolve(undefined);
      else reject(error);
    },
  };
  return work;
}

describe("a handler that returns a thenable which is not a Promise", () => {
  it.each(["parallel", "sequential"] as const)("is awaited, and run once: %s", async (strategy) => {
    const bus = new EventBus({ strategy });
    const [first, second] = [thenable(), thenable(new Error("second"))];
    const called: string[] = [];
    bus.register(Saved, () => first as unknown as Promise<void>);
    bus.register(Saved, () => second as unknown as Promise<void>);
    bus.register(Saved, () => void called.push("third"));
    const reason = (await reasonOf(bus.publish(new Saved()))) as EventHandlersFailedError;
    expect(reason).toBeInstanceOf(EventHandlersFailedError);
    expect(reason.errors).toEqual([new Error("second")]);
    expect([first.runs, second.runs]).toEqual([1, 1]);
    expect(called).toEqual(["third"]);
  });

  it("settles a command once", async () => {
    const bus = new CommandBus();
    const work = thenable();
    bus.register(Saved, () => work as unknown as Promise<void>);
    await bus.dispatch(new Saved());
    expect(work.runs).toBe(1);
  });
});

it("an event that is aborted does not reach its later handlers in turn", async () => {
  const bus = new EventBus({ strategy: "sequential" });
  const leaving = new AbortController();
  const reason = new Error("left");
  const called: string[] = [];
  bus.register(Saved, async () => {
    called.push("first");
    leaving.abort(reason);
  });
  bus.register(Saved, () => void called.push("second"));
  expect(await reasonOf(bus.publish(new Saved(), { signal: leaving.signal }))).toBe(reason);
  await bus.close();
  expect(called).toEqual(["first"]);
});

describe.each(["parallel", "sequential"] as const)("handlers of an aborted event, %s", (strategy) => {
  /** Publishes an event to two handlers that fail once it is aborted, and returns what is reported. */
  async function faultsOf(failure: (signal: AbortSignal) => unknown, abortReason: unknown): Promise<Fault[]> {
    const bus = new EventBus({ strategy });
    const faults: Fault[] = [];
    bus.faults$.subscribe((fault) => faults.push(fault));
    const leaving = new AbortController();
    for (let count = 0; count < 2; count++)
      bus.register(
        Saved,
        (_, { signal }) =>
          new Promise<void>((_resolve, reject) =>
            signal.addEventListener("abort", () => void reject(failure(signal) as Error)),
          ),
      );
    const published = reasonOf(bus.publish(new Saved(), { signal: leaving.signal }));
    leaving.abort(abortReason);
    expect(await published).toBe(abortReason);
    await microtasks();
    await bus.close();
    return faults;
  }

  it.each([new Error("left"), "left", new DOMException("left", "AbortError")])(
    "are not reported if they fail with its reason, %p",
    async (reason) => {
      expect(await faultsOf((signal) => signal.reason, reason)).toEqual([]);
      expect(await faultsOf(() => new DOMException("stopped", "AbortError"), reason)).toEqual([]);
    },
  );

  it("are reported if they fail with another error", async () => {
    expect(await faultsOf(() => new Error("disk"), new Error("left"))).toMatchObject([
      {
        kind: "late",
        error: { code: "EVENT_HANDLERS_FAILED", errors: expect.arrayContaining([new Error("disk")]) },
      },
    ]);
  });
});

// nestjs/nest#2209 and #7913: an event handler whose promise resolves to an Observable was never run.
describe.each(["parallel", "sequential"] as const)(
  "an async event handler that resolves to a stream, %s",
  (strategy) => {
    it("is awaited until the stream ends", async () => {
      const bus = new EventBus({ strategy });
      const log: string[] = [];
      bus.register(Saved, async () => {
        await Promise.resolve();
        return defer(() => of(log.push("observable")));
      });
      bus.register(Saved, async () => ({
        async *[Symbol.asyncIterator]() {
          log.push("iterable");
          yield await Promise.resolve(1);
          log.push("end of the iterable");
        },
      }));
      await bus.publish(new Saved());
      expect(log.sort()).toEqual(["end of the iterable", "iterable", "observable"]);
    });

    it("fails the event with the error of the stream, at the place of its handler", async () => {
      const bus = new EventBus({ strategy });
      const broken = {
        [Symbol.asyncIterator]() {
          throw new Error("no iterator");
        },
      } as AsyncIterable<number>;
      bus.register(Saved, async () =>
        concat(
          of(1),
          defer(() => Promise.reject<number>(new Error("stream"))),
        ),
      );
      bus.register(Saved, () => Promise.reject<void>(new Error("promise")));
      bus.register(Saved, () => Promise.resolve(broken));
      const { errors } = (await reasonOf(bus.publish(new Saved()))) as EventHandlersFailedError;
      expect((errors as Error[]).map(({ message }) => message)).toEqual(["stream", "promise", "no iterator"]);
    });
  },
);
