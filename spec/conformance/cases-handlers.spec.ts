import { runInNewContext } from "node:vm";
import { describe, expect, it } from "@jest/globals";
import {
  CommandBus,
  EventBus,
  EventHandlersFailedError,
  HandlerAlreadyRegisteredError,
  HandlerNotFoundError,
  HandlerStoppedError,
  NonErrorThrownError,
  NoResultError,
  Query,
  QueryBus,
  shared,
  type Delivery,
  type Fault,
} from "cqrx";
import fc from "fast-check";
import {
  concat,
  concatMap,
  EMPTY,
  from,
  ignoreElements,
  interval,
  NEVER,
  Observable,
  of,
  range,
  take,
  throwError,
} from "rxjs";
import { canaries, macrotask, withTraps } from "../support/traps.js";
import { deferred, microtasks, reasonOf, watch } from "./support.js";

class Save {
  readonly n: number;

  constructor(n = 0) {
    this.n = n;
  }
}
class Load extends Query<unknown> {
  readonly n: number;

  constructor(n = 0) {
    super();
    this.n = n;
  }
}
class Saved {
  readonly n: number;

  constructor(n = 0) {
    this.n = n;
  }
}

const trap = (): never => {
  throw new Error("trap");
};
const hostile = (): object =>
  new Proxy(
    {},
    { get: trap, has: trap, getPrototypeOf: trap, ownKeys: trap, getOwnPropertyDescriptor: trap, set: trap },
  );

describe("handlers", () => {
  it.each<[string, (error: Error) => unknown]>([
    [
      "throws",
      (error) => {
        throw error;
      },
    ],
    ["rejects", (error) => Promise.reject(error)],
    [
      "rejects later",
      async (error) => {
        await macrotask();
        throw error;
      },
    ],
    ["errors its Observable", (error) => throwError(() => error)],
    [
      "errors its Observable later",
      (error) =>
        concat(
          from(macrotask()).pipe(ignoreElements()),
          throwError(() => error),
        ),
    ],
    [
      "throws from its async iterable",
      (error) => ({
        [Symbol.asyncIterator]: () => ({ next: () => macrotask().then(() => Promise.reject(error)) }),
      }),
    ],
  ])("14 a handler that %s rejects, and never throws to the sender", (_, fail) =>
    withTraps(async () => {
      const boom = new Error("boom");
      const run = (): unknown => fail(boom);
      const commandBus = new CommandBus();
      const queryBus = new QueryBus();
      const eventBus = new EventBus();
      commandBus.register(Save, run);
      queryBus.register(Load, run);
      eventBus.register(Saved, run);
      // A synchronous throw here would fail the test by itself.
      const command = reasonOf(commandBus.dispatch(new Save()));
      const event = reasonOf(eventBus.publish(new Saved()));
      const query = reasonOf(queryBus.ask(new Load()));
      const cold = new Promise((resolve) => queryBus.ask$(new Load(1)).subscribe({ error: resolve }));
      expect(await command).toBe(boom);
      expect(await event).toMatchObject({ code: "EVENT_HANDLERS_FAILED", errors: [boom] });
      expect(await query).toBe(boom);
      expect(await cold).toBe(boom);
      await canaries(commandBus, queryBus, eventBus);
    }),
  );

  it.each<[string, () => object]>([
    [
      "whose constructor is a getter that throws",
      () => ({
        get constructor() {
          return trap();
        },
      }),
    ],
    ["that is a proxy whose traps throw", hostile],
    ["without a prototype", () => Object.create(null) as object],
    ["that is null", () => null as never],
    ["that is undefined", () => undefined as never],
    ["that is a number", () => 5 as never],
    ["of another realm", () => runInNewContext("new (class Save {})()") as object],
  ])("14 a message %s rejects, and never throws to the sender", (_, make) =>
    withTraps(async () => {
      const buses = [new CommandBus(), new QueryBus(), new EventBus()] as const;
      const [commandBus, queryBus, eventBus] = buses;
      for (const bus of buses) bus.outcomes$.subscribe();
      expect(await reasonOf(commandBus.dispatch(make()))).toBeInstanceOf(Error);
      expect(await reasonOf(queryBus.ask(make()))).toBeInstanceOf(Error);
      await eventBus.publish(make()).catch(() => undefined);
      await canaries(...buses);
    }),
  );

  it.each<[string, object]>([
    ["a controller as signal", { signal: new AbortController() }],
    ["null as signal", { signal: null }],
    ["an object as signal", { signal: {} }],
    ["a message as causedBy", { causedBy: new Save() }],
    ["null as causedBy", { causedBy: null }],
    ["a number as causedBy", { causedBy: 5 }],
    ["null as headers", { headers: null }],
    ["a number as header", { headers: { n: 5 } }],
    [
      "options whose getter throws",
      {
        get signal() {
          return trap();
        },
      },
    ],
  ])("14 a dispatch with %s does not throw, and the buses stay as they were", (_, options) =>
    withTraps(async () => {
      const bus = new CommandBus({ maxDepth: 8 });
      bus.register(Save, () => undefined);
      for (let n = 0; n < 20; n++) await bus.dispatch(new Save(), options).catch(() => undefined);
      expect(bus.inFlight).toBe(0);
      await canaries(bus, new QueryBus({ maxDepth: 8 }), new EventBus({ maxDepth: 8 }));
      expect(await bus.close({ timeoutMs: 0 })).toMatchObject({ aborted: [] });
    }),
  );

  it("14 a handler whose result is a thenable that throws rejects", () =>
    withTraps(async () => {
      const boom = new Error("then");
      const bus = new CommandBus();
      bus.register(Save, () => ({
        then() {
          throw boom;
        },
      }));
      expect(await reasonOf(bus.dispatch(new Save()))).toBe(boom);
      await canaries(bus);
    }));

  it("14 a thenable that settles twice, or with a promise, is resolved as a promise would resolve it", () =>
    withTraps(async () => {
      const bus = new QueryBus();
      const faults: Fault[] = [];
      const outcomes: unknown[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      bus.outcomes$.subscribe((outcome) => outcomes.push(outcome.status));
      const boom = new Error("boom");
      bus.register(Load, ({ n }) => ({
        then(resolve: (value: unknown) => void) {
          if (n === 0) {
            resolve(1);
            resolve(2);
          } else {
            resolve(Promise.reject(boom));
          }
        },
      }));
      expect(await bus.ask(new Load(0))).toBe(1);
      expect(await reasonOf(bus.ask(new Load(1)))).toBe(boom);
      expect(faults).toEqual([]);
      expect(outcomes).toEqual(["fulfilled", "rejected"]);
      await canaries(bus);
    }));

  it("14 a delivery resolved with a promise settles as the promise does", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      const commandBus = new CommandBus();
      const queryBus = new QueryBus();
      const outcomes: string[] = [];
      commandBus.outcomes$.subscribe(({ status }) => outcomes.push(status));
      queryBus.outcomes$.subscribe(({ status }) => outcomes.push(status));
      commandBus.deliveries(Save).subscribe((delivery) => delivery.resolve(Promise.reject(boom) as never));
      queryBus.deliveries(Load).subscribe((delivery) => delivery.resolve(Promise.reject(boom)));
      expect(await reasonOf(commandBus.dispatch(new Save()))).toBe(boom);
      expect(await reasonOf(queryBus.ask(new Load()))).toBe(boom);
      expect(outcomes).toEqual(["rejected", "rejected"]);
      await canaries(commandBus, queryBus);
    }));

  it("15 without a handler, dispatch and ask reject with the name and the nearest names; publish resolves", () =>
    withTraps(async () => {
      class CreateUser {}
      class CreateUsers {}
      class DeleteEverything {}
      const commandBus = new CommandBus();
      const queryBus = new QueryBus();
      const eventBus = new EventBus();
      const seen: unknown[] = [];
      for (const bus of [commandBus, queryBus]) bus.messages$.subscribe((envelope) => seen.push(envelope));
      commandBus.register(CreateUser, () => undefined);
      commandBus.register(DeleteEverything, () => undefined);
      const missing = await reasonOf(commandBus.dispatch(new CreateUsers()));
      expect(missing).toBeInstanceOf(HandlerNotFoundError);
      expect(missing).toMatchObject({ code: "HANDLER_NOT_FOUND", messageType: "CreateUsers" });
      expect((missing as Error).message).toMatch(
        /CreateUsers.*Nearest registered: CreateUser, DeleteEverything/,
      );
      expect(await reasonOf(queryBus.ask(new Load()))).toMatchObject({ code: "HANDLER_NOT_FOUND" });
      expect(await eventBus.publish(new Saved())).toBeUndefined();
      expect(seen).toEqual([]);
      await canaries(commandBus, queryBus, eventBus);
    }));

  it("16 a second handler for a command or query is refused, and the first stays", () =>
    withTraps(async () => {
      const commandBus = new CommandBus();
      const queryBus = new QueryBus();
      const calls: number[] = [];
      commandBus.register(Save, () => void calls.push(1));
      queryBus.register(Load, () => 1);
      expect(() => commandBus.register(Save, () => void calls.push(2))).toThrow(
        HandlerAlreadyRegisteredError,
      );
      expect(() => queryBus.register(Load, () => 2)).toThrow(HandlerAlreadyRegisteredError);
      const refused: unknown[] = [];
      commandBus.deliveries(Save).subscribe({ error: (error: unknown) => refused.push(error) });
      expect(refused).toMatchObject([{ code: "HANDLER_ALREADY_REGISTERED" }]);
      await commandBus.dispatch(new Save());
      expect(await queryBus.ask(new Load())).toBe(1);
      expect(calls).toEqual([1]);
      await canaries(commandBus, queryBus);
    }));

  it("17 classes of one name go each to its own handler", () =>
    withTraps(async () => {
      const make = (): new () => object => {
        class a {}
        return a;
      };
      const [First, Second, Third] = [make(), make(), make()];
      const bus = new QueryBus();
      bus.register(First, () => "first");
      bus.register(Second, () => "second");
      expect(await bus.ask(new First())).toBe("first");
      expect(await bus.ask(new Second())).toBe("second");
      expect(await reasonOf(bus.ask(new Third()))).toBeInstanceOf(HandlerNotFoundError);
      class Derived extends First {}
      expect(await reasonOf(bus.ask(new Derived()))).toBeInstanceOf(HandlerNotFoundError);
      await canaries(bus);
    }));

  it.each(["parallel", "sequential"] as const)(
    "18 whichever of five event handlers fail, all five are called and the errors are in order (%s)",
    (strategy) =>
      withTraps(async () => {
        const ends = fc.array(fc.constantFrom("ok", "throw", "reject", "rejectLater", "okLater", "stream"), {
          minLength: 5,
          maxLength: 5,
        });
        await fc.assert(
          fc.asyncProperty(ends, fc.scheduler(), async (endings, scheduler) => {
            const bus = new EventBus({ strategy });
            const errors = endings.map((_, at) => new Error(`error ${at}`));
            const calls: number[] = [];
            for (const [at, ending] of endings.entries()) {
              bus.register(Saved, () => {
                calls.push(at);
                const later = (): Promise<unknown> => scheduler.schedule(Promise.resolve());
                switch (ending) {
                  case "throw":
                    throw errors[at]!;
                  case "reject":
                    return Promise.reject(errors[at]!);
                  case "rejectLater":
                    return later().then(() => Promise.reject(errors[at]!));
                  case "okLater":
                    return later();
                  case "stream":
                    return throwError(() => errors[at]);
                  default:
                    return undefined;
                }
              });
            }
            const expected = errors.filter((_, at) => !endings[at]!.startsWith("ok"));
            for (let event = 0; event < 2; event++) {
              const published = watch(bus.publish(new Saved()));
              await scheduler.waitIdle();
              await microtasks();
              expect(calls.splice(0)).toEqual([0, 1, 2, 3, 4]);
              if (expected.length === 0) expect(published.status).toBe("fulfilled");
              else {
                expect(published.reason).toBeInstanceOf(EventHandlersFailedError);
                expect((published.reason as EventHandlersFailedError).errors).toEqual(expected);
              }
            }
            await canaries(bus);
          }),
          { numRuns: 100 },
        );
      }),
  );

  it("20 ask takes the first value of a stream and unsubscribes; an empty one has no result", () =>
    withTraps(async () => {
      const bus = new QueryBus();
      let teardowns = 0;
      const streams: Record<number, Observable<unknown>> = {
        0: EMPTY,
        1: of("only"),
        3: of("a", "b", "c"),
        4: concat(
          of("early"),
          throwError(() => new Error("late")),
        ),
        5: concat(of("early"), NEVER),
        6: range(0, Infinity),
      };
      bus.register(
        Load,
        ({ n }) =>
          new Observable((subscriber) => streams[n]!.subscribe(subscriber).add(() => void teardowns++)),
      );
      expect(await reasonOf(bus.ask(new Load(0)))).toBeInstanceOf(NoResultError);
      expect(await bus.ask(new Load(1))).toBe("only");
      expect(await bus.ask(new Load(3))).toBe("a");
      expect(await bus.ask(new Load(4))).toBe("early");
      expect(await bus.ask(new Load(5))).toBe("early");
      expect(await bus.ask(new Load(6))).toBe(0);
      expect(teardowns).toBe(6);
      await canaries(bus);
    }));

  it("20 ask$ takes every value, and leaving a stream that would never end ends it", () =>
    withTraps(async () => {
      const bus = new QueryBus();
      let made = 0;
      let teardowns = 0;
      bus.register(Load, ({ n }) => {
        const stream = new Observable<number>((subscriber) => {
          // Bounded, so that a failure is one and not a hang.
          while (!subscriber.closed && made < 10_000) subscriber.next(made++);
          return () => void teardowns++;
        });
        return n === 0 ? stream : Promise.resolve(stream);
      });
      for (const n of [0, 1]) {
        made = 0;
        const values: unknown[] = [];
        bus
          .ask$(new Load(n))
          .pipe(take(2))
          .subscribe((value) => values.push(value));
        await microtasks();
        expect(values).toEqual([0, 1]);
        expect(made).toBeLessThan(10);
      }
      expect(teardowns).toBe(2);
      const all: unknown[] = [];
      bus.register(Save, () => of(1, 2, 3));
      bus.ask$(new Save()).subscribe((value) => all.push(value));
      expect(all).toEqual([1, 2, 3]);
      await canaries(bus);
    }));

  it("20 ask$ of an empty stream emits nothing; of a value that is not a stream it emits the value, undefined included", () =>
    withTraps(async () => {
      const bus = new QueryBus();
      const returned: [unknown, unknown[]][] = [
        [EMPTY, []],
        [Promise.resolve(EMPTY), []],
        [(async function* () {})(), []],
        [of(undefined), [undefined]],
        [undefined, [undefined]],
        [Promise.resolve(undefined), [undefined]],
      ];
      bus.register(Load, ({ n }) => returned[n]![0]);
      for (const [n, [, expected]] of returned.entries()) {
        const values: unknown[] = [];
        let completed = false;
        bus.ask$(new Load(n)).subscribe({
          next: (value) => values.push(value),
          complete: () => (completed = true),
        });
        await microtasks();
        expect([values, completed]).toEqual([expected, true]);
      }
      await canaries(bus);
    }));

  it("20 commands wait for the end of a stream, and abort unsubscribes from it", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const gate = deferred();
      let teardowns = 0;
      bus.register(
        Save,
        () =>
          new Observable((subscriber) =>
            concat(of(1, 2), from(gate.promise))
              .subscribe(subscriber)
              .add(() => void teardowns++),
          ),
      );
      const finishing = watch(bus.dispatch(new Save()));
      const controller = new AbortController();
      const aborted = watch(bus.dispatch(new Save(), { signal: controller.signal }));
      await microtasks();
      expect(finishing.status).toBe("pending");
      controller.abort();
      expect(teardowns).toBe(1);
      await microtasks();
      expect(aborted.status).toBe("rejected");
      gate.resolve();
      await microtasks();
      expect(finishing).toMatchObject({ status: "fulfilled", value: undefined });
      expect(teardowns).toBe(2);
      await canaries(bus);
    }));

  it("20 an async iterable is pulled no further than its subscriber reads, and is returned", () =>
    withTraps(async () => {
      const bus = new QueryBus();
      let asked = 0;
      let returned = 0;
      bus.register(Load, () => ({
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.resolve({ done: false as const, value: ++asked }),
          return: () => {
            returned++;
            return Promise.resolve({ done: true as const, value: undefined });
          },
        }),
      }));
      expect(await bus.ask(new Load())).toBe(1);
      await microtasks();
      expect([asked, returned]).toEqual([1, 1]);
      await canaries(bus);
    }));

  it.each<[string, boolean]>([
    ["at once", true],
    ["later", false],
  ])(
    "20 the teardown of a stream that answered %s throws: the answer stands, and it is reported",
    (_, atOnce) =>
      withTraps(async () => {
        const bus = new QueryBus();
        const faults: Fault[] = [];
        bus.faults$.subscribe((fault) => faults.push(fault));
        bus.register(
          Load,
          () =>
            new Observable((subscriber) => {
              if (atOnce) subscriber.next(7);
              else void macrotask().then(() => subscriber.next(7));
              return () => {
                throw new Error("teardown");
              };
            }),
        );
        expect(await bus.ask(new Load())).toBe(7);
        await macrotask();
        expect(faults).toHaveLength(1);
        await canaries(bus);
      }),
  );

  it("20 messages aborted together settle even if the teardown of one stream throws", () =>
    withTraps(async () => {
      const bus = new QueryBus();
      bus.faults$.subscribe();
      bus.register(Load, ({ n }) =>
        n === 0
          ? new Observable(() => () => {
              throw new Error("teardown");
            })
          : NEVER,
      );
      const controller = new AbortController();
      const options = { signal: controller.signal };
      const all = [0, 1, 0, 1].map((n) => watch(bus.ask(new Load(n), options)));
      controller.abort();
      await macrotask();
      expect(all.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected", "rejected"]);
      await canaries(bus);
    }));

  const oddities: [string, () => unknown][] = [
    ["undefined", () => undefined],
    ["null", () => null],
    ["a string", () => "no"],
    ["a symbol", () => Symbol("no")],
    ["a frozen object", () => Object.freeze({ no: true })],
    ["an object without a prototype", () => Object.create(null) as object],
    ["a proxy whose traps throw", hostile],
    ["a function", () => () => undefined],
  ];
  it.each(oddities)("22 a reason that is not an Error arrives as the cause of one: %s", (_, make) =>
    withTraps(async () => {
      const bus = new CommandBus();
      const outcomes: unknown[] = [];
      bus.outcomes$.subscribe((outcome) => outcomes.push(outcome.status === "rejected" && outcome.reason));
      const reason = make();
      for (const handler of [
        () => {
          throw reason;
        },
        () => Promise.reject(reason),
        () => throwError(() => reason),
      ]) {
        const registration = bus.register(Save, handler);
        const error = await reasonOf(bus.dispatch(new Save()));
        registration.unsubscribe();
        expect(error instanceof NonErrorThrownError).toBe(true);
        // Not toBe: a failing one would print the proxy.
        expect((error as Error).cause === reason).toBe(true);
        expect(outcomes.pop() === error).toBe(true);
        expect(String((error as Error).stack)).toContain("NonErrorThrownError");
      }
      await canaries(bus);
    }),
  );

  it.each(oddities)(
    "22 work that goes on after an abort and rejects with %s is reported, and nothing escapes",
    (_, make) =>
      withTraps(async () => {
        const bus = new CommandBus();
        const faults: Fault[] = [];
        bus.faults$.subscribe((fault) => faults.push(fault));
        const gate = deferred();
        bus.register(Save, () => gate.promise);
        const controller = new AbortController();
        const aborted = watch(bus.dispatch(new Save(), { signal: controller.signal }));
        controller.abort();
        gate.reject(make());
        await macrotask();
        expect(aborted.status).toBe("rejected");
        expect(faults.map(({ kind }) => kind)).toEqual(["late"]);
        await canaries(bus);
      }),
  );

  it("22 errors with a cyclic cause, frozen ones and those of another realm arrive as they are", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.outcomes$.subscribe();
      const cyclic = new Error("cyclic");
      cyclic.cause = cyclic;
      const foreign = runInNewContext("new TypeError('foreign')") as Error;
      for (const reason of [cyclic, Object.freeze(new Error("frozen")), foreign, new DOMException("dom")]) {
        const registration = bus.register(Save, () => Promise.reject(reason));
        expect(await reasonOf(bus.dispatch(new Save()))).toBe(reason);
        registration.unsubscribe();
      }
      await canaries(bus);
    }));

  it("22 an abort reason arrives as it is, Error or not", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.outcomes$.subscribe();
      bus.register(Save, () => new Promise(() => undefined));
      for (const reason of ["gone", 0, null, Object.freeze({})]) {
        const controller = new AbortController();
        const sent = reasonOf(bus.dispatch(new Save(), { signal: controller.signal }));
        controller.abort(reason);
        expect(await sent).toBe(reason);
        expect(await reasonOf(bus.dispatch(new Save(), { signal: AbortSignal.abort(reason) }))).toBe(reason);
      }
      expect(bus.inFlight).toBe(0);
      await canaries(bus);
    }));

  it("24 a message keeps the handler that was registered when it was accepted", () =>
    withTraps(async () => {
      const gate = deferred();
      const bus = new QueryBus({
        middleware: [
          shared(
            concatMap(async (delivery: Delivery) => {
              await gate.promise;
              return delivery;
            }),
          ),
        ],
      });
      const registration = bus.register(Load, () => "old");
      const waiting = [1, 2, 3].map((n) => bus.ask(new Load(n)));
      registration.unsubscribe();
      expect(await reasonOf(bus.ask(new Load()))).toBeInstanceOf(HandlerNotFoundError);
      bus.register(Load, () => "new");
      const later = bus.ask(new Load());
      gate.resolve();
      expect(await Promise.all(waiting)).toEqual(["old", "old", "old"]);
      expect(await later).toBe("new");
      await canaries(bus);
    }));

  it("24 a stream handler that unsubscribes rejects its unsettled deliveries, and the type is free", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      const lane = bus.deliveries(Save).subscribe();
      const left = [watch(bus.dispatch(new Save(1))), watch(bus.dispatch(new Save(2)))];
      lane.unsubscribe();
      await microtasks();
      for (const { reason } of left) expect(reason).toBeInstanceOf(HandlerStoppedError);
      expect(faults.map(({ kind }) => kind)).toEqual(["handler"]);
      bus.register(Save, () => undefined);
      await bus.dispatch(new Save(3));
      await canaries(bus);
    }));

  it("24 a stream handler that errors rejects its unsettled deliveries, and the type is free", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.faults$.subscribe();
      bus
        .deliveries(Save)
        .pipe(
          concatMap(async (delivery) => {
            await macrotask();
            if (delivery.message.n === 1) throw new Error("dies");
            delivery.resolve();
          }),
        )
        .subscribe();
      const all = [0, 1, 2].map((n) => watch(bus.dispatch(new Save(n))));
      for (let turn = 0; turn < 5; turn++) await macrotask();
      expect(all.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected"]);
      bus.register(Save, () => undefined);
      await bus.dispatch(new Save(3));
      await canaries(bus);
    }));

  it.each<[string, "parallel" | "sequential", boolean]>([
    ["parallel, synchronous", "parallel", false],
    ["parallel, asynchronous", "parallel", true],
    ["sequential, synchronous", "sequential", false],
    ["sequential, asynchronous", "sequential", true],
  ])(
    "25 handlers that come and go during a publish do not change that publish (%s)",
    (_, strategy, asynchronous) =>
      withTraps(async () => {
        const bus = new EventBus({ strategy });
        const calls: string[] = [];
        let grown = false;
        bus.register(Saved, async () => {
          if (asynchronous) await macrotask();
          calls.push("first");
          if (grown) return;
          grown = true;
          second.unsubscribe();
          bus.register(Saved, () => void calls.push("third"));
        });
        const second = bus.register(Saved, () => void calls.push("second"));
        await bus.publish(new Saved());
        expect(calls.splice(0).sort()).toEqual(["first", "second"]);
        await bus.publish(new Saved());
        expect(calls.sort()).toEqual(["first", "third"]);
        await canaries(bus);
      }),
  );

  it("20 the handler's stream is unsubscribed when a middleware answers first", () =>
    withTraps(async () => {
      let teardowns = 0;
      const controller = new AbortController();
      const bus = new CommandBus();
      bus.register(
        Save,
        () =>
          new Observable((subscriber) =>
            interval(1)
              .subscribe(subscriber)
              .add(() => void teardowns++),
          ),
      );
      const sent = watch(bus.dispatch(new Save(), { signal: controller.signal }));
      controller.abort();
      await microtasks();
      expect(sent.status).toBe("rejected");
      expect(teardowns).toBe(1);
      await canaries(bus);
    }));
});
