import { describe, expect, it } from "@jest/globals";
import { QueryBus, around, type Fault, type Next } from "cqrx";
import { deferred, microtasks } from "../../conformance/support.js";
import { escapedFrom } from "../../support/traps.js";

class Load {}

/** A PromiseLike that is not a Promise, as query builders return. */
function thenable(promise: Promise<unknown>): PromiseLike<unknown> {
  return {
    then: (fulfilled, rejected) => promise.then(fulfilled, rejected),
  };
}

describe("the result of a next() that a middleware forgot", () => {
  const kinds = [
    ["a promise", (promise: Promise<unknown>) => promise],
    ["a thenable", thenable],
  ] as const;
  const ways = [
    ["returns something else", (next: Next) => (void next(), "own")],
    [
      "calls next() again",
      (next: Next, round: number) => {
        void next();
        return round === 1 ? next() : "own";
      },
    ],
    [
      "throws after it",
      (next: Next) => {
        void next();
        throw new RangeError("own");
      },
    ],
    [
      "calls it after it has returned",
      (next: Next) => {
        void Promise.resolve().then(() => void next());
        return microtasks(5).then(() => "own");
      },
    ],
  ] as const;

  describe.each(kinds)("is reported when it fails late: %s", (_, result) => {
    it.each(ways)("%s", async (_name, way) => {
      const work = deferred<unknown>();
      let calls = 0;
      const bus = new QueryBus({
        middleware: [
          around((_message, next) => way(next, 1)),
          around(() => (++calls === 2 ? "second" : result(work.promise))),
        ],
      });
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      bus.register(Load, () => undefined);
      const error = new Error("late");
      const escaped = await escapedFrom(async () => {
        await bus.ask(new Load() as never).catch(() => undefined);
        await microtasks();
        expect(faults).toEqual([]);
        work.reject(error);
      });
      expect(faults.map(({ kind, source, error }) => ({ kind, source, error }))).toEqual([
        { kind: "late", source: "Load", error },
      ]);
      expect(escaped.unhandledRejections).toEqual([]);
    });
  });

  it.each(kinds)("is not reported while the message is in flight: %s", async (_, result) => {
    const work = deferred<unknown>();
    const bus = new QueryBus({
      middleware: [
        around((_message, next) => {
          void next();
          return microtasks(20).then(() => "own");
        }),
        around(() => result(work.promise)),
      ],
    });
    const faults: Fault[] = [];
    bus.faults$.subscribe((fault) => faults.push(fault));
    bus.register(Load, () => undefined);
    const escaped = await escapedFrom(async () => {
      const asked = bus.ask(new Load() as never);
      work.reject(new Error("early"));
      expect(await asked).toBe("own");
    });
    expect(faults).toEqual([]);
    expect(escaped.unhandledRejections).toEqual([]);
  });
});
