// Observers, injected parts and hostile values must not keep a message or the bus from settling.
import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { CommandBus, defaultCommandBus, EventBus, QueryBus, type Fault } from "cqrx";
import { finalize, map, Subscriber } from "rxjs";
import { canaries, freshCanaries, withTraps } from "../support/traps.js";
import { deferred, microtasks, reasonOf } from "./support.js";

class Work {}

const never = (): Promise<never> => new Promise(() => undefined);
const throwing = finalize<never>(() => {
  throw new Error("teardown");
});

/** The faults of a bus, as they come. */
function faultsOf(bus: CommandBus | QueryBus | EventBus): Fault[] {
  const faults: Fault[] = [];
  bus.faults$.subscribe((fault) => faults.push(fault));
  return faults;
}

afterEach(async () => {
  jest.restoreAllMocks();
  defaultCommandBus.reset();
  await freshCanaries();
});

describe("the end of a bus", () => {
  it.each([
    ["idle", false],
    ["with a message in flight", true],
  ])("is reached and reported when teardowns of its streams throw: %s", (_, busy) =>
    withTraps(async () => {
      const bus = new CommandBus();
      const faults = faultsOf(bus);
      bus
        .deliveries(Work)
        .pipe(throwing as never)
        .subscribe();
      bus.outcomes$.pipe(throwing as never).subscribe();
      let completed = false;
      bus.messages$.subscribe({ complete: () => (completed = true) });
      const dispatched = busy ? reasonOf(bus.dispatch(new Work())) : undefined;

      const report = await bus.close({ timeoutMs: 0 });

      expect(report.aborted).toHaveLength(busy ? 1 : 0);
      expect(completed).toBe(true);
      expect(faults.map(({ kind }) => kind)).toContain("observer");
      await dispatched;
    }),
  );

  it("settles the promise of close() when the bus is reset before", () =>
    withTraps(async () => {
      defaultCommandBus.register(Work, never);
      const dispatched = reasonOf(defaultCommandBus.dispatch(new Work()));
      const closed = defaultCommandBus.close({ timeoutMs: 60_000 });

      defaultCommandBus.reset();

      expect((await closed).aborted).toHaveLength(1);
      expect(await dispatched).toMatchObject({ code: "BUS_CLOSED" });
      await canaries(defaultCommandBus);
    }));

  it.each([
    ["first", false],
    ["second", true],
  ])(
    "waits until every observer got the last outcome when one of them makes the %s call of close()",
    (_, closing) =>
      withTraps(async () => {
        const bus = new CommandBus();
        const gate = deferred();
        bus.register(Work, () => gate.promise);
        const log: string[] = [];
        bus.outcomes$.subscribe({
          next: () => {
            log.push("first");
            void bus.close();
          },
          complete: () => log.push("first complete"),
        });
        bus.outcomes$.subscribe({
          next: () => log.push("second"),
          complete: () => log.push("second complete"),
        });
        const dispatched = bus.dispatch(new Work());
        const closed = closing ? bus.close() : undefined;

        gate.resolve();
        await dispatched;

        expect(await (closed ?? bus.close())).toMatchObject({ finished: 1 });
        expect(log).toEqual(["first", "second", "first complete", "second complete"]);
      }),
  );
});

describe("the end of a message", () => {
  it("is reached when an operator emits a value whose traps throw", () =>
    withTraps(async () => {
      const trap = new Error("trap");
      const hostile = new Proxy(
        {},
        {
          getPrototypeOf() {
            throw trap;
          },
        },
      );
      let emits: unknown = hostile;
      const bus = new CommandBus({ middleware: [map((delivery) => (emits ?? delivery) as never)] });
      bus.register(Work, () => undefined);

      expect(await reasonOf(bus.dispatch(new Work()))).toBe(trap);

      emits = undefined;
      await canaries(bus);
    }));

  it("is reached when a query resolves to a value whose traps throw", () =>
    withTraps(async () => {
      const hostile = new Proxy(
        {},
        {
          has() {
            throw new Error("trap");
          },
        },
      );
      const bus = new QueryBus();
      bus.register(Work, async () => hostile);

      expect(await reasonOf(bus.ask(new Work()))).toMatchObject({ message: "trap" });
      expect(bus.inFlight).toBe(0);
      await canaries(bus);
    }));

  it("is reached when a handler of an event returns a Proxy of a promise", () =>
    withTraps(async () => {
      const bus = new EventBus();
      bus.register(Work, () => new Proxy(Promise.resolve(1), {}));

      expect(await reasonOf(bus.publish(new Work()))).toMatchObject({ code: "EVENT_HANDLERS_FAILED" });
      await canaries(bus);
    }));

  it("is reached, and reported, when an injected clock fails", () =>
    withTraps(async () => {
      let fails = false;
      const now = (): number => {
        if (fails) throw new Error("no time");
        return 0;
      };
      const bus = new CommandBus({ clock: { now } });
      const faults = faultsOf(bus);
      const durations: number[] = [];
      bus.outcomes$.subscribe(({ durationMs }) => durations.push(durationMs));
      bus.register(Work, async () => void (fails = true));

      await bus.dispatch(new Work());

      expect(durations).toEqual([NaN]);
      expect(faults).toMatchObject([{ kind: "observer", error: { message: "no time" } }]);
      fails = false;
      await canaries(bus);
    }));
});

describe("a value that is not a message", () => {
  class Happened {}

  it.each([
    ["a class", Happened],
    ["a number", 5],
    ["a text", "x"],
    ["an array of events", [new Happened()]],
    ["a promise", Promise.resolve(new Happened())],
  ])("is refused by an event bus, which would otherwise drop it silently: %s", (_, given) =>
    withTraps(async () => {
      const bus = new EventBus();
      expect(await reasonOf(bus.publish(given as object))).toMatchObject({ code: "INVALID_MESSAGE" });
      await bus.publish(new Happened());
      await canaries(bus);
    }),
  );
});

describe("observers", () => {
  it("go on when one throws, and the report of that throws, too", () =>
    withTraps(async () => {
      jest.spyOn(console, "error").mockImplementation(() => {
        throw new Error("console");
      });
      const bus = new CommandBus();
      bus.register(Work, () => undefined);
      let thrown = 0;
      class Raw extends Subscriber<unknown> {
        override next(): void {
          if (thrown++ === 0) throw new Error("raw");
        }
      }
      bus.messages$.subscribe(new Raw());
      let seen = 0;
      bus.messages$.subscribe(() => seen++);

      await bus.dispatch(new Work()).catch(() => undefined);
      const before = seen;
      for (let sent = 0; sent < 5; sent++) await bus.dispatch(new Work());

      expect(seen - before).toBe(5);
      await microtasks();
      await canaries(bus);
    }));
});
