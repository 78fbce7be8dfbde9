import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import {
  BusClosedError,
  closeAll,
  CommandBus,
  DomainEvent,
  EventBus,
  InvalidOptionsError,
  ofType,
  Query,
  QueryBus,
  saga,
  shared,
  type Bus,
  type Fault,
} from "cqrx";
import { bufferCount, concatMap, debounceTime, interval, map, mergeMap, NEVER } from "rxjs";
import { deferred, microtasks, reasonOf, watch } from "../conformance/support.js";
import { freshCanaries, macrotask, withTraps } from "../support/traps.js";

class Place {
  constructor(readonly n = 0) {}
}
class Ship {
  constructor(readonly n = 0) {}
}
class Placed extends DomainEvent {
  constructor(readonly n = 0) {
    super();
  }
}
class Shipped extends DomainEvent {}
class Count extends Query<number> {}

let commandBus: CommandBus;
let queryBus: QueryBus;
let eventBus: EventBus;
let log: string[];
let faults: Fault[];

beforeEach(() => {
  const ids = (prefix: string): (() => string) => {
    let id = 0;
    return () => `${prefix}${++id}`;
  };
  commandBus = new CommandBus({ ids: ids("c") });
  queryBus = new QueryBus({ ids: ids("q") });
  eventBus = new EventBus({ ids: ids("e") });
  log = [];
  faults = [];
  for (const bus of [commandBus, queryBus, eventBus]) bus.faults$.subscribe((fault) => faults.push(fault));
  commandBus.register(Ship, ({ n }) => void log.push(`ship ${n}`));
});

afterEach(async () => {
  jest.useRealTimers();
  // The buses of these specs are closed, so the canaries go through new ones.
  await freshCanaries();
});

const never = (): Promise<never> => new Promise(() => undefined);
const NOTHING = { finished: 0, aborted: [], abandoned: [] };

/** Every order of the three buses. */
const orders: readonly (readonly [string, () => readonly Bus[]])[] = [
  ["command, event, query", () => [commandBus, eventBus, queryBus]],
  ["command, query, event", () => [commandBus, queryBus, eventBus]],
  ["event, command, query", () => [eventBus, commandBus, queryBus]],
  ["event, query, command", () => [eventBus, queryBus, commandBus]],
  ["query, command, event", () => [queryBus, commandBus, eventBus]],
  ["query, event, command", () => [queryBus, eventBus, commandBus]],
];

describe.each(orders)("closeAll() of %s", (_, all) => {
  it("lets nothing in from outside, and work in flight finish on all of them", () =>
    withTraps(async () => {
      const gate = deferred();
      queryBus.register(Count, () => 7);
      commandBus.register(Place, async ({ n }, context) => {
        await gate.promise;
        const count = await queryBus.ask(new Count(), { causedBy: context });
        await eventBus.publish(new Placed(n + count), { causedBy: context });
      });
      eventBus.register(Placed, async ({ n }, context) => {
        await macrotask();
        await commandBus.dispatch(new Ship(n), { causedBy: context });
      });
      const placed = watch(commandBus.dispatch(new Place(1)));
      const closing = closeAll(all(), { timeoutMs: Infinity });
      for (const refused of [
        commandBus.dispatch(new Ship()),
        queryBus.ask(new Count()),
        eventBus.publish(new Shipped()),
      ])
        expect(await reasonOf(refused)).toBeInstanceOf(BusClosedError);
      gate.resolve();
      expect(await closing).toEqual({ finished: 4, aborted: [], abandoned: [] });
      expect([placed.status, log, faults]).toEqual(["fulfilled", ["ship 8"], []]);
    }));

  it("lets sagas finish their work, while their commands still run", () =>
    withTraps(async () => {
      const gate = deferred();
      saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Placed),
          concatMap(async ({ payload: { n } }) => {
            await gate.promise;
            await macrotask();
            return new Ship(n);
          }),
        ),
      );
      await eventBus.publish(new Placed(1));
      await eventBus.publish(new Placed(2));
      const closing = watch(closeAll(all(), { timeoutMs: Infinity }));
      await macrotask();
      expect(closing.status).toBe("pending");
      gate.resolve();
      while (closing.status === "pending") await macrotask();
      expect(closing.value).toEqual({ finished: 2, aborted: [], abandoned: [] });
      expect([log, faults]).toEqual([["ship 1", "ship 2"], []]);
    }));

  it("lets a saga see the event that a command in flight publishes, and its reaction run", () =>
    withTraps(async () => {
      const gate = deferred();
      commandBus.register(Place, async ({ n }, context) => {
        await gate.promise;
        await eventBus.publish(new Placed(n), { causedBy: context });
      });
      saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Placed),
          debounceTime(1),
          map(({ payload }) => new Ship(payload.n)),
        ),
      );
      void commandBus.dispatch(new Place(5));
      const closing = closeAll(all(), { timeoutMs: Infinity });
      await macrotask();
      gate.resolve();
      expect(await closing).toEqual({ finished: 3, aborted: [], abandoned: [] });
      expect([log, faults]).toEqual([["ship 5"], []]);
    }));

  it("has one deadline, and reports all that missed it by kind of bus: events, commands, queries", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      commandBus.register(Place, never);
      queryBus.register(Count, () => {
        setTimeout(() => log.push("late"), 600);
        return never();
      });
      eventBus.register(
        Placed,
        (_event, { signal }) =>
          new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve())),
      );
      saga(eventBus, commandBus, () => interval(100).pipe(map((n) => new Ship(n))), { name: "endless" });
      const sent = [
        reasonOf(commandBus.dispatch(new Place())),
        reasonOf(queryBus.ask(new Count())),
        reasonOf(eventBus.publish(new Placed())),
      ];
      const closing = closeAll(all(), { timeoutMs: 550 });
      await jest.advanceTimersByTimeAsync(549);
      expect([commandBus, queryBus, eventBus].map(({ inFlight }) => inFlight)).toEqual([1, 1, 1]);
      await jest.advanceTimersByTimeAsync(1);
      for (const reason of sent) expect(await reason).toBeInstanceOf(BusClosedError);
      await jest.advanceTimersByTimeAsync(1);
      expect(await closing).toEqual({
        finished: 5,
        aborted: ["e1", "c1", "q1"],
        abandoned: ["c1", "q1"],
        unfinished: ["endless"],
      });
      expect(log).toEqual([0, 1, 2, 3, 4].map((n) => `ship ${n}`));
      expect(faults).toMatchObject([{ kind: "saga", source: "endless" }]);
      expect(jest.getTimerCount()).toBe(1);
    }));

  it("does not let a handler that hangs take the time of the sagas: they complete at half of it", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      commandBus.register(Place, never);
      saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Placed),
          bufferCount(10),
          concatMap(async (events) => {
            await new Promise((resolve) => setTimeout(resolve, 400));
            return new Ship(events.length);
          }),
        ),
      );
      const hanging = reasonOf(commandBus.dispatch(new Place()));
      for (let n = 0; n < 3; n++) await eventBus.publish(new Placed(n));
      const closing = closeAll(all(), { timeoutMs: 1_000 });
      await jest.advanceTimersByTimeAsync(999);
      expect(log).toEqual(["ship 3"]);
      await jest.advanceTimersByTimeAsync(2);
      expect(await closing).toMatchObject({ finished: 1, aborted: ["c1"] });
      expect(await hanging).toBeInstanceOf(BusClosedError);
      expect(faults).toEqual([]);
    }));

  it("does not let an endless query take the time of the sagas", () =>
    withTraps(async () => {
      queryBus.register(Count, () => NEVER);
      queryBus.ask$(new Count()).subscribe({ error: () => log.push("aborted") });
      const completed = deferred();
      saga(eventBus, commandBus, (events$) => {
        events$.subscribe({ complete: completed.resolve });
        return events$.pipe(mergeMap(() => []));
      });
      const closing = closeAll(all(), { timeoutMs: 1_000_000 });
      await completed.promise;
      expect(log).toEqual([]);
      await queryBus.close({ timeoutMs: 0 });
      expect(await closing).toMatchObject({ aborted: ["q1"] });
      expect(log).toEqual(["aborted"]);
    }));

  it("ends idle buses in a microtask, their live queries included", () =>
    withTraps(async () => {
      queryBus.register(Count, () => 7);
      queryBus.watch(new Count()).subscribe({ complete: () => log.push("complete") });
      const closing = watch(closeAll(all()));
      expect(closing.status).toBe("pending");
      await microtasks();
      expect([closing.value, log]).toEqual([NOTHING, ["complete"]]);
      expect(all().map((bus) => bus.describe().closed)).toEqual([true, true, true]);
    }));
});

describe("closeAll()", () => {
  it("takes a bus twice, several buses of one kind, one, and none", async () => {
    const gate = deferred();
    const other = new CommandBus();
    for (const bus of [commandBus, other]) bus.register(Place, () => gate.promise);
    void commandBus.dispatch(new Place());
    void other.dispatch(new Place());
    const closing = closeAll([commandBus, other, commandBus, eventBus]);
    gate.resolve();
    expect(await closing).toEqual({ finished: 2, aborted: [], abandoned: [] });
    expect(await closeAll([queryBus])).toEqual(NOTHING);
    expect(await closeAll([])).toEqual(NOTHING);
    expect(await closeAll(new Set([new CommandBus()]))).toEqual(NOTHING);
  });

  it("includes the report of a bus that is closed already", async () => {
    const gate = deferred();
    commandBus.register(Place, () => gate.promise);
    void commandBus.dispatch(new Place());
    const alone = commandBus.close();
    gate.resolve();
    expect(await alone).toEqual({ ...NOTHING, finished: 1 });
    expect(await closeAll([commandBus, eventBus])).toEqual({ ...NOTHING, finished: 1 });
    expect(await closeAll([eventBus, commandBus])).toEqual({ ...NOTHING, finished: 1 });
  });

  it("keeps a command bus open for sagas that has begun to close alone", () =>
    withTraps(async () => {
      const [running, reacting] = [deferred(), deferred()];
      commandBus.register(Place, () => running.promise);
      saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Placed),
          mergeMap(async ({ payload: { n } }) => {
            await reacting.promise;
            return new Ship(n);
          }),
        ),
      );
      await eventBus.publish(new Placed(3));
      void commandBus.dispatch(new Place());
      const alone = watch(commandBus.close({ timeoutMs: Infinity }));
      const all = closeAll([eventBus, commandBus], { timeoutMs: Infinity });
      running.resolve();
      await macrotask();
      expect(alone.status).toBe("pending");
      reacting.resolve();
      expect(await all).toEqual({ ...NOTHING, finished: 2 });
      expect(alone.value).toEqual({ ...NOTHING, finished: 2 });
      expect([log, faults]).toEqual([["ship 3"], []]);
    }));

  it("may be called again, for more buses, with a shorter deadline", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      commandBus.register(Place, never);
      const hanging = reasonOf(commandBus.dispatch(new Place()));
      const first = closeAll([commandBus, eventBus], { timeoutMs: 10_000 });
      const second = closeAll([queryBus, commandBus], { timeoutMs: 10 });
      await jest.advanceTimersByTimeAsync(11);
      expect(await second).toMatchObject({ aborted: ["c1"] });
      expect(await first).toMatchObject({ aborted: ["c1"] });
      expect(await hanging).toBeInstanceOf(BusClosedError);
      expect(jest.getTimerCount()).toBe(0);
    }));

  it("joins two groups that share a bus", () =>
    withTraps(async () => {
      const gate = deferred();
      const other = new EventBus();
      saga(other, commandBus, (events$) =>
        events$.pipe(
          ofType(Placed),
          mergeMap(async ({ payload: { n } }) => {
            await gate.promise;
            return new Ship(n);
          }),
        ),
      );
      await other.publish(new Placed(4));
      const first = closeAll([commandBus, eventBus], { timeoutMs: Infinity });
      const second = closeAll([other, commandBus], { timeoutMs: Infinity });
      gate.resolve();
      expect(await second).toEqual({ ...NOTHING, finished: 1 });
      expect(await first).toEqual({ ...NOTHING, finished: 1 });
      expect([log, faults]).toEqual([["ship 4"], []]);
    }));

  it("refuses the commands of a saga whose event bus is not among the buses", async () => {
    saga(eventBus, commandBus, (events$) =>
      events$.pipe(
        ofType(Placed),
        map(() => new Ship()),
      ),
    );
    commandBus.register(Place, never);
    const hanging = reasonOf(commandBus.dispatch(new Place()));
    const closing = closeAll([commandBus, queryBus], { timeoutMs: 5 });
    await eventBus.publish(new Placed());
    expect(faults).toMatchObject([{ kind: "saga", error: { code: BusClosedError.code } }]);
    await closing;
    await hanging;
  });

  it("runs enqueued commands, and lets a command in flight enqueue more", () =>
    withTraps(async () => {
      const gate = deferred();
      commandBus.register(Place, async ({ n }, context) => {
        await gate.promise;
        commandBus.enqueue(new Ship(n), { causedBy: context });
      });
      commandBus.enqueue(new Place(6));
      const closing = closeAll([eventBus, commandBus]);
      gate.resolve();
      expect(await closing).toEqual({ ...NOTHING, finished: 2 });
      expect(log).toEqual(["ship 6"]);
    }));

  it("flushes shared middleware when it begins, and passes later messages", () =>
    withTraps(async () => {
      const gate = deferred();
      const buffered = new EventBus({ middleware: [shared(debounceTime(100_000))] });
      buffered.register(Placed, ({ n }) => void log.push(`placed ${n}`));
      commandBus.register(Place, async ({ n }, context) => {
        await gate.promise;
        await buffered.publish(new Placed(n), { causedBy: context });
      });
      void buffered.publish(new Placed(1));
      void commandBus.dispatch(new Place(2));
      const closing = closeAll([commandBus, buffered], { timeoutMs: Infinity });
      expect(log).toEqual(["placed 1"]);
      gate.resolve();
      expect(await closing).toEqual({ ...NOTHING, finished: 3 });
      expect(log).toEqual(["placed 1", "placed 2"]);
    }));

  it("refuses messages as soon as an observer sees the end of one bus", () =>
    withTraps(async () => {
      const refused: unknown[] = [];
      for (const bus of [commandBus, queryBus, eventBus])
        bus.messages$.subscribe({
          complete: () => refused.push(reasonOf(commandBus.dispatch(new Ship()))),
        });
      await closeAll([commandBus, queryBus, eventBus]);
      for (const reason of await Promise.all(refused)) expect(reason).toBeInstanceOf(BusClosedError);
      expect([refused.length, log]).toEqual([3, []]);
    }));

  it("completes at the deadline a saga that still has events to handle, and sends the commands that it kept", () =>
    withTraps(async () => {
      commandBus.register(Place, never);
      const hanging = reasonOf(commandBus.dispatch(new Place()));
      saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Placed),
          bufferCount(10),
          map((events) => new Ship(events.length)),
        ),
      );
      await eventBus.publish(new Placed());
      expect(await closeAll([commandBus, eventBus], { timeoutMs: 0 })).toMatchObject({ aborted: ["c1"] });
      await hanging;
      expect([log, faults]).toEqual([["ship 1"], []]);
    }));

  it.each([
    ["buses", "a bus", undefined],
    ["buses", "a bus", [1]],
    ["buses", "a bus", [null]],
    ["buses", "a bus", [{ close: () => undefined }]],
    ["options", "an object", []],
  ])("refuses wrong %s, before it closes any", async (option, _, buses) => {
    const call = (): unknown =>
      option === "options"
        ? closeAll([commandBus], null as never)
        : closeAll((buses && [commandBus, ...buses]) as never);
    expect(call).toThrow(InvalidOptionsError);
    expect(call).toThrow(expect.objectContaining({ option }));
    expect(commandBus.describe().closed).toBe(false);
    await commandBus.dispatch(new Ship());
  });

  it.each([{ timeoutMs: -1 }, { timeoutMs: "5" }, { timeoutMs: null }, { timeout: 5 }])(
    "refuses %p",
    (options) => {
      expect(() => closeAll([commandBus], options as never)).toThrow(InvalidOptionsError);
      expect(commandBus.describe().closed).toBe(false);
    },
  );
});
