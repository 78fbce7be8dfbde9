import { afterEach, describe, expect, it, jest } from "@jest/globals";
import {
  around,
  CommandBus,
  EventBus,
  InvalidMiddlewareError,
  MessageDroppedError,
  MiddlewareCrashedError,
  QueryBus,
  shared,
  when,
  type Delivery,
  type Fault,
  type Middleware,
} from "cqrx";
import { overlap, timeLimit } from "cqrx/middleware";
import fc from "fast-check";
import {
  bufferTime,
  concat,
  config,
  defer,
  delay,
  filter,
  finalize,
  first,
  map,
  merge,
  mergeMap,
  NEVER,
  Observable,
  of,
  pipe,
  take,
  tap,
  throwError,
  timer,
} from "rxjs";
import { canaries, freshCanaries, macrotask, withTraps } from "../support/traps.js";
import { deferred, microtasks, reasonOf, watch } from "./support.js";

class Save {
  readonly n: number;

  constructor(n: number) {
    this.n = n;
  }
}
class Load {
  readonly n: number;

  constructor(n: number) {
    this.n = n;
  }
}
class Saved {
  readonly n: number;

  constructor(n: number) {
    this.n = n;
  }
}
type Item = Save | Load | Saved;

/** An operator that counts who is subscribed through it. */
function counted(operator: Middleware<Item>): { middleware: Middleware<Item>; open: () => number } {
  let open = 0;
  return {
    middleware: (source) =>
      operator(
        new Observable<Delivery<Item>>((subscriber) => {
          open++;
          return source.subscribe(subscriber).add(() => open--);
        }),
      ),
    open: () => open,
  };
}

afterEach(() => void jest.useRealTimers());

describe("pipeline", () => {
  it("1 an operator that throws for one message rejects that message only", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      const { middleware, open } = counted(
        map((delivery) => {
          if (delivery.message.n === 3) throw boom;
          return delivery;
        }),
      );
      const commandBus = new CommandBus({ middleware: [middleware] });
      const queryBus = new QueryBus({ middleware: [middleware] });
      const eventBus = new EventBus({ middleware: [middleware] });
      let saved = 0;
      commandBus.register(Save, () => void saved++);
      queryBus.register(Load, ({ n }) => n);
      eventBus.register(Saved, () => void saved++);
      const seen: number[] = [];
      commandBus.messages$.subscribe(({ payload }) => seen.push((payload as Save).n));

      await commandBus.dispatch(new Save(1));
      expect(await reasonOf(commandBus.dispatch(new Save(3)))).toBe(boom);
      expect(await reasonOf(queryBus.ask(new Load(3)))).toBe(boom);
      expect(await reasonOf(eventBus.publish(new Saved(3)))).toBe(boom);
      for (let n = 1_000; n < 2_000; n++) {
        await commandBus.dispatch(new Save(n));
        expect(await queryBus.ask(new Load(n))).toBe(n);
        await eventBus.publish(new Saved(n));
      }

      expect(saved).toBe(2_001);
      expect(seen).toHaveLength(1_002);
      expect(open()).toBe(0);
      await canaries(commandBus, queryBus, eventBus);
    }));

  it("1 an operator function that throws when it is applied rejects that message only", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      let applied = 0;
      const bus = new CommandBus({
        middleware: [
          (source) => {
            // The first application is the check at construction.
            if (++applied === 2) throw boom;
            return source;
          },
        ],
      });
      bus.register(Save, () => undefined);
      expect(await reasonOf(bus.dispatch(new Save(1)))).toBe(boom);
      await bus.dispatch(new Save(2));
      await canaries(bus);
    }));

  it("2 one of ten messages in flight errors later, and the other nine settle as they would have", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      await fc.assert(
        fc.asyncProperty(
          fc.array(fc.nat(20), { minLength: 10, maxLength: 10 }),
          fc.nat(9),
          async (delays, bad) => {
            const boom = new Error("boom");
            const bus = new QueryBus<number>({
              middleware: [
                when(
                  Load,
                  mergeMap((delivery: Delivery<Load>) =>
                    delivery.message.n === bad
                      ? timer(5).pipe(mergeMap(() => throwError(() => boom)))
                      : of(delivery).pipe(delay(delays[delivery.message.n]!)),
                  ),
                ),
              ],
            });
            bus.register(Load, ({ n }) => n);
            const all = delays.map((_, n) => watch(bus.ask(new Load(n))));
            await jest.advanceTimersByTimeAsync(30);
            for (const [n, one] of all.entries())
              expect(one).toMatchObject(
                n === bad ? { status: "rejected", reason: boom } : { status: "fulfilled", value: n },
              );
            expect(jest.getTimerCount()).toBe(0);
            await canaries(bus);
          },
        ),
        { numRuns: 50 },
      );
    }));

  it.each<[string, Middleware<Item>]>([
    ["take(1)", take(1)],
    ["first()", first()],
  ])("3 after %s completed for one message, later messages run", (_, operator) =>
    withTraps(async () => {
      const { middleware, open } = counted(operator);
      const bus = new QueryBus<number>({ middleware: [middleware] });
      bus.register(Load, ({ n }) => Promise.resolve(n));
      for (let n = 0; n < 5; n++) expect(await bus.ask(new Load(n))).toBe(n);
      expect(open()).toBe(0);
      await canaries(bus);
    }),
  );

  it("3 a shared operator that completes rejects the messages that it holds, by name, and a fresh one goes on", () =>
    withTraps(async () => {
      const bus = new CommandBus({
        middleware: [
          shared(function single(source) {
            return source.pipe(
              take(2),
              // Holds the second.
              filter((delivery) => (delivery as Delivery<Save>).message.n !== 2),
            );
          }),
        ],
      });
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      bus.register(Save, () => undefined);
      await bus.dispatch(new Save(1));
      const held = await reasonOf(bus.dispatch(new Save(2)));
      expect(held).toBeInstanceOf(MiddlewareCrashedError);
      expect((held as Error).message).toContain("single");
      await bus.dispatch(new Save(3));
      expect(faults).toMatchObject([{ kind: "middleware", source: "single" }]);
      await canaries(bus);
    }));

  it("4 a message that a middleware filters out rejects at once, naming the middleware", () =>
    withTraps(async () => {
      const onlyOdd: Middleware<Item> = function onlyOdd(source) {
        return source.pipe(filter(({ message }) => message.n % 2 === 1));
      };
      const bus = new CommandBus({ middleware: [when(Save, onlyOdd)] });
      bus.register(Save, () => undefined);
      const dropped = watch(bus.dispatch(new Save(2)));
      expect(bus.inFlight).toBe(0);
      await microtasks(3);
      expect(dropped.reason).toBeInstanceOf(MessageDroppedError);
      expect(dropped.reason).toMatchObject({ code: "MESSAGE_DROPPED", messageType: "Save" });
      expect((dropped.reason as Error).message).toContain("onlyOdd");
      await bus.dispatch(new Save(3));
      await canaries(bus);
    }));

  it("4 a message filtered out below around() rejects there, and around() may answer for it", () =>
    withTraps(async () => {
      const bus = new QueryBus<number>({
        middleware: [
          around(async (_message, next) => {
            try {
              return await next();
            } catch (error) {
              return error instanceof MessageDroppedError ? -1 : -2;
            }
          }),
          filter<Delivery<Item>>(({ message }) => message.n !== 0),
        ],
      });
      bus.register(Load, ({ n }) => n);
      expect(await bus.ask(new Load(0))).toBe(-1);
      expect(await bus.ask(new Load(5))).toBe(5);
      await canaries(bus);
    }));

  it("5 of a message forwarded twice the promise takes the first, and the second is reported once", () =>
    withTraps(async () => {
      const twice: Middleware<Item> = mergeMap((delivery) => of(delivery, delivery));
      const bus = new QueryBus<number>({ middleware: [twice] });
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      let calls = 0;
      bus.register(Load, async () => ++calls);
      expect(await bus.ask(new Load(1))).toBe(1);
      expect(calls).toBe(2);
      expect(faults.filter(({ kind }) => kind === "middleware")).toHaveLength(1);
      expect(bus.inFlight).toBe(0);
    }));

  it("5 of two different messages forwarded, both handlers run and the first reply counts", () =>
    withTraps(async () => {
      const bus = new QueryBus<number>({
        middleware: [mergeMap((delivery: Delivery<Load>) => of(delivery, delivery.with(new Load(9))))],
      });
      bus.faults$.subscribe();
      const calls: number[] = [];
      bus.register(Load, ({ n }) => {
        calls.push(n);
        return Promise.resolve(n);
      });
      expect(await bus.ask(new Load(1))).toBe(1);
      expect(calls).toEqual([1, 9]);
      expect(bus.inFlight).toBe(0);
    }));

  it("6 behind a middleware that never emits, a message ends by its signal, and keeps nothing", () =>
    withTraps(async () => {
      const { middleware, open } = counted((source) =>
        source.pipe(mergeMap((delivery) => (delivery.message.n === 0 ? NEVER : of(delivery)))),
      );
      const bus = new CommandBus({ middleware: [middleware] });
      bus.register(Save, () => undefined);
      const controller = new AbortController();
      const stuck = watch(bus.dispatch(new Save(0), { signal: controller.signal }));
      await macrotask();
      expect(stuck.status).toBe("pending");
      expect(bus.inFlight).toBe(1);
      const late = new Error("too late");
      controller.abort(late);
      await microtasks();
      expect(stuck.reason).toBe(late);
      expect(open()).toBe(0);
      await canaries(bus);
    }));

  it("6 behind a middleware that never emits, a message ends by close", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const bus = new CommandBus({ middleware: [() => NEVER] });
      bus.register(Save, () => undefined);
      const stuck = watch(bus.dispatch(new Save(0)));
      const closing = watch(bus.close({ timeoutMs: 50 }));
      await jest.advanceTimersByTimeAsync(60);
      expect(stuck.reason).toMatchObject({ code: "BUS_CLOSED" });
      expect(closing.value).toMatchObject({ finished: 0, aborted: [expect.any(String)], abandoned: [] });
      expect(bus.inFlight).toBe(0);
      await freshCanaries();
    }));

  it("6 behind a middleware that never emits, a message ends by its time limit, and its turn is free", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const bus = new CommandBus({
        middleware: [
          overlap({ strategy: "concat" }),
          timeLimit(100),
          mergeMap((delivery: Delivery<Item>) => (delivery.message.n === 0 ? NEVER : of(delivery))),
        ],
      });
      bus.register(Save, () => undefined);
      const [stuck, waiting] = [0, 1].map((n) => watch(bus.dispatch(new Save(n))));
      await jest.advanceTimersByTimeAsync(99);
      expect([stuck!.status, waiting!.status, bus.inFlight]).toEqual(["pending", "pending", 2]);
      await jest.advanceTimersByTimeAsync(1);
      expect(stuck!.reason).toMatchObject({ code: "TIME_LIMIT", messageType: "Save" });
      expect([waiting!.status, bus.inFlight, jest.getTimerCount()]).toEqual(["fulfilled", 0, 0]);
      await canaries(bus);
    }));

  it("6 behind a middleware that forwards only a fork, a message ends by its signal", () =>
    withTraps(async () => {
      const bus = new CommandBus({
        middleware: [
          map((delivery: Delivery<Item>) => (delivery.message.n === 0 ? delivery.fork() : delivery)),
        ],
      });
      bus.register(Save, () => undefined);
      const controller = new AbortController();
      const stuck = watch(bus.dispatch(new Save(0), { signal: controller.signal }));
      controller.abort();
      await microtasks();
      expect(stuck.status).toBe("rejected");
      await canaries(bus);
    }));

  it("7 a value that is not a middleware is refused at construction, and the error names its place", () => {
    const notOne = [
      () => {
        throw new TypeError("factory");
      },
      () => 42,
      () => undefined,
      async () => undefined,
      (_message: unknown, next: () => unknown) => next(),
      42,
      null,
      "tap",
    ];
    for (const bad of notOne)
      expect(() => new CommandBus({ middleware: [tap(), bad as never] })).toThrow(
        typeof bad === "function" && bad.length === 0 && /throw/.test(String(bad))
          ? TypeError
          : InvalidMiddlewareError,
      );
    expect(() => shared(42 as never)).toThrow(InvalidMiddlewareError);
    expect(() => around(null as never)).toThrow(InvalidMiddlewareError);
    expect(() => when([], tap())).toThrow(InvalidMiddlewareError);
  });

  it("7 an operator that forwards something else than a delivery rejects that message only", () =>
    withTraps(async () => {
      const bus = new CommandBus({
        middleware: [
          map((delivery: Delivery<Item>) =>
            delivery.message.n === 0 ? (delivery.message as never) : delivery,
          ),
        ],
      });
      bus.register(Save, () => undefined);
      expect(await reasonOf(bus.dispatch(new Save(0)))).toBeInstanceOf(MiddlewareCrashedError);
      await bus.dispatch(new Save(1));
      await canaries(bus);
    }));

  it("7 a shared operator that forwards something else is replaced, and its old instance is gone", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const bus = new CommandBus({ middleware: [shared(bufferTime(10) as never)] });
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      bus.register(Save, () => undefined);
      const one = watch(bus.dispatch(new Save(0)));
      await jest.advanceTimersByTimeAsync(15);
      expect(one.reason).toBeInstanceOf(MiddlewareCrashedError);
      await jest.advanceTimersByTimeAsync(1_000);
      expect(faults).toHaveLength(1);
      expect(jest.getTimerCount()).toBe(0);
    }));

  it("9 an observer cannot send to, fail or end a bus through its observables", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(Save, () => undefined);
      const seen: unknown[] = [];
      bus.messages$.subscribe((envelope) => seen.push(envelope));
      bus.outcomes$.subscribe((outcome) => seen.push(outcome));
      for (const stream of [bus.messages$, bus.outcomes$, bus.faults$, bus.messages$.pipe(map((x) => x))]) {
        let inner: unknown = stream;
        for (let depth = 0; depth < 5 && inner != null; depth++) {
          for (const method of ["next", "error", "complete", "unsubscribe"]) {
            const call = (inner as Record<string, unknown>)[method];
            if (typeof call === "function") call.call(inner, new Error("forged"));
          }
          inner = (inner as { source?: unknown }).source;
        }
      }
      expect(seen).toEqual([]);
      await bus.dispatch(new Save(1));
      expect(seen).toHaveLength(2);
      await canaries(bus);
    }));

  it("13 the configuration of rxjs stays as it was, and its hook is not called for an error that a promise carries", () =>
    withTraps(async () => {
      const before = { ...config };
      const unhandled: unknown[] = [];
      config.onUnhandledError = (error) => unhandled.push(error);
      try {
        const boom = new Error("boom");
        const bus = new QueryBus({
          middleware: [
            tap(({ message }: Delivery<Item>) => {
              if (message.n === 1) throw boom;
            }),
            shared(
              tap(({ message }: Delivery<Item>) => {
                if (message.n === 2) throw boom;
              }),
            ),
          ],
        });
        bus.faults$.subscribe();
        bus.register(Load, ({ n }) => (n === 3 ? (throwError(() => boom) as never) : n));
        for (const n of [1, 2, 3]) await expect(bus.ask(new Load(n))).rejects.toBeInstanceOf(Error);
        await macrotask();
        expect(unhandled).toEqual([]);
      } finally {
        config.onUnhandledError = before.onUnhandledError;
      }
      expect({ ...config }).toEqual(before);
    }));

  it("13 a middleware whose teardown throws affects no other message", () =>
    withTraps(async () => {
      const bus = new CommandBus({
        middleware: [
          when(
            Save,
            pipe(
              mergeMap((delivery: Delivery<Save>) => merge(of(delivery), NEVER)),
              finalize(() => {
                throw new Error("teardown");
              }),
            ),
          ),
        ],
      });
      bus.faults$.subscribe();
      const gate = deferred();
      bus.register(Save, () => gate.promise);
      bus.register(Load, () => gate.promise);
      const controller = new AbortController();
      const options = { signal: controller.signal };
      const all = [
        bus.dispatch(new Save(1), options),
        bus.dispatch(new Load(1), options),
        bus.dispatch(new Save(2), options),
      ].map(watch);
      controller.abort();
      await microtasks();
      expect(all.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
      gate.resolve();
      await canaries(bus);
    }));

  it("13 a subscriber of settled$ that throws is reported, and nothing escapes", () =>
    withTraps(async () => {
      const bus = new CommandBus({
        middleware: [
          tap((delivery: Delivery) => {
            delivery.settled$.subscribe(() => {
              throw new Error("settled$");
            });
          }),
        ],
      });
      const faults: Fault[] = [];
      bus.faults$.subscribe((fault) => faults.push(fault));
      bus.register(Save, () => undefined);
      await bus.dispatch(new Save(1));
      await macrotask();
      expect(faults).toHaveLength(1);
    }));

  it("2 a shared middleware may reorder, and each reply still reaches its own sender", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const bus = new QueryBus<number>({
        middleware: [
          shared(mergeMap((delivery: Delivery<Load>) => of(delivery).pipe(delay(100 - delivery.message.n)))),
          around((message: Load, next) => next(new Load(message.n + 1_000))),
        ],
      });
      const order: number[] = [];
      bus.register(Load, ({ n }) => {
        order.push(n);
        return n;
      });
      const all = [0, 30, 60].map((n) => watch(bus.ask(new Load(n))));
      await jest.advanceTimersByTimeAsync(200);
      expect(order).toEqual([1_060, 1_030, 1_000]);
      expect(all.map(({ value }) => value)).toEqual([1_000, 1_030, 1_060]);
      expect(jest.getTimerCount()).toBe(0);
      await freshCanaries();
    }));

  it("1 a shared operator that throws rejects that message, and messages of all types go on", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      const bus = new CommandBus({
        middleware: [
          shared(
            map((delivery: Delivery<Item>) => {
              if (delivery.message.n === 3) throw boom;
              return delivery;
            }),
          ),
        ],
      });
      bus.faults$.subscribe();
      bus.register(Save, () => undefined);
      bus.register(Saved, () => undefined);
      for (let n = 0; n < 10; n++) {
        const sent = bus.dispatch(n % 2 === 0 ? new Saved(n) : new Save(n));
        if (n === 3) expect(await reasonOf(sent)).toMatchObject({ code: "MIDDLEWARE_CRASHED", cause: boom });
        else await sent;
      }
      await canaries(bus);
    }));

  it("1 an operator that merges its own errors in after forwarding does not settle twice", () =>
    withTraps(async () => {
      const boom = new Error("boom");
      const bus = new QueryBus<number>({
        middleware: [
          (source) =>
            concat(
              source,
              throwError(() => boom),
            ),
          (source) =>
            merge(
              source,
              defer(() => NEVER),
            ),
        ],
      });
      bus.register(Load, ({ n }) => n);
      const outcomes: string[] = [];
      bus.outcomes$.subscribe(({ status }) => outcomes.push(status));
      expect(await bus.ask(new Load(1))).toBe(1);
      expect(outcomes).toEqual(["fulfilled"]);
      await canaries(bus);
    }));
});
