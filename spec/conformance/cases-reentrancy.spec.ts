import { describe, expect, it } from "@jest/globals";
import {
  around,
  CommandBus,
  DispatchDepthExceededError,
  EventBus,
  QueryBus,
  shared,
  type HandlerContext,
  type Middleware,
} from "cqrx";
import fc from "fast-check";
import { identity, tap } from "rxjs";
import { canaries, freshCanaries, macrotask, withTraps } from "../support/traps.js";
import { reasonOf } from "./support.js";

abstract class AnyStep {
  readonly id: number;
  readonly children: readonly AnyStep[];
  /** Who dispatches the children: the handler or an observer, synchronously or not. */
  readonly by: "handler" | "handlerLater" | "messages$" | "outcomes$";

  constructor(id: number, children: readonly AnyStep[] = [], by: AnyStep["by"] = "handler") {
    this.id = id;
    this.children = children;
    this.by = by;
  }
}
class Step extends AnyStep {}
class Other extends AnyStep {}

type Tree = [other: boolean, by: Step["by"], children: Tree[]];

describe("re-entrancy and order", () => {
  it("63 every observer sees one order, cause before effect, also when an observer dispatches during a dispatch", () =>
    withTraps(async () => {
      const node = (depth: number): fc.Arbitrary<Tree> =>
        fc.tuple(
          fc.boolean(),
          fc.constantFrom("handler", "handlerLater", "messages$", "outcomes$"),
          depth === 0 ? fc.constant([]) : fc.array(node(depth - 1), { maxLength: 3 }),
        );
      await fc.assert(
        fc.asyncProperty(fc.array(node(3), { minLength: 1, maxLength: 3 }), async (roots) => {
          let ids = 0;
          const parents = new Map<number, number>();
          const build = ([other, by, children]: Tree, parent?: number): Step => {
            const id = ids++;
            if (parent !== undefined) parents.set(id, parent);
            return new (other ? Other : Step)(
              id,
              children.map((child) => build(child, id)),
              by,
            );
          };
          const bus = new EventBus();
          const publishAll = (step: Step, context?: HandlerContext): Promise<unknown> =>
            Promise.all(step.children.map((child) => bus.publish(child, { causedBy: context })));
          const sent: Promise<unknown>[] = [];
          const handler = async (step: Step, context: HandlerContext): Promise<void> => {
            if (step.by === "handlerLater") await macrotask();
            if (step.by.startsWith("handler")) await publishAll(step, context);
          };
          bus.register(Step, handler);
          bus.register(Other, handler);
          const logs: string[][] = [];
          const observe = (): void => {
            const log: string[] = [];
            logs.push(log);
            bus.messages$.subscribe(({ payload }) => log.push(`message ${(payload as Step).id}`));
            bus.outcomes$.subscribe(({ envelope }) => log.push(`outcome ${(envelope.payload as Step).id}`));
          };
          observe();
          bus.messages$.subscribe(({ payload }) => {
            if ((payload as Step).by === "messages$") sent.push(publishAll(payload as Step));
          });
          observe();
          bus.outcomes$.subscribe(({ envelope: { payload } }) => {
            if ((payload as Step).by === "outcomes$") sent.push(publishAll(payload as Step));
          });
          observe();
          await Promise.all(roots.map((root) => bus.publish(build(root))));
          while (bus.inFlight > 0) await macrotask();
          await Promise.all(sent);

          expect(logs[1]).toEqual(logs[0]);
          expect(logs[2]).toEqual(logs[0]);
          expect(logs[0]).toHaveLength(ids * 2);
          const at = new Map(logs[0]!.map((entry, index) => [entry, index]));
          for (let id = 0; id < ids; id++) {
            const parent = parents.get(id);
            expect(at.get(`outcome ${id}`)).toBeGreaterThan(at.get(`message ${id}`)!);
            if (parent !== undefined)
              expect(at.get(`message ${id}`)).toBeGreaterThan(at.get(`message ${parent}`)!);
          }
          // Not of the type that these observers read.
          await freshCanaries();
        }),
        { numRuns: 60 },
      );
    }));

  it("63 observers of two buses that dispatch to each other see one order on each", () =>
    withTraps(async () => {
      const commandBus = new CommandBus();
      const eventBus = new EventBus();
      commandBus.register(Step, (step, context) =>
        eventBus.publish(new Other(step.id), { causedBy: context }),
      );
      const logs: string[][] = [[], []];
      for (const log of logs) {
        commandBus.messages$.subscribe(({ payload }) => log.push(`command ${(payload as Step).id}`));
        eventBus.messages$.subscribe(({ payload }) => {
          const { id } = payload as Step;
          log.push(`event ${id}`);
          if (log === logs[0] && id < 3) void commandBus.dispatch(new Step(id + 1));
        });
      }
      await commandBus.dispatch(new Step(0));
      await macrotask();
      const [first, second] = logs as [string[], string[]];
      for (const kind of ["command", "event"])
        expect(second.filter((entry) => entry.startsWith(kind))).toEqual(
          [0, 1, 2, 3].map((id) => `${kind} ${id}`),
        );
      expect(first).toEqual([0, 1, 2, 3].flatMap((id) => [`command ${id}`, `event ${id}`]));
      expect(second).toHaveLength(8);
      await canaries(commandBus, eventBus);
    }));

  it("64 a synchronous chain of 100,000 causes is refused by maxDepth, without an overflow or a lost promise", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      let handled = 0;
      bus.register(Step, ({ id }, context) => {
        handled++;
        return id < 100_000 ? bus.dispatch(new Step(id + 1), { causedBy: context }) : undefined;
      });
      const refused = await reasonOf(bus.dispatch(new Step(0)));
      expect(refused).toBeInstanceOf(DispatchDepthExceededError);
      expect(refused).toMatchObject({ messageType: "Step" });
      expect(handled).toBe(256);
      await canaries(bus);
    }));

  it.each([
    ["24 middleware", 8, {}],
    ["a high maxDepth", 0, { maxDepth: 100_000 }],
  ])(
    "64 with %s the end of the stack is a refusal, too, and every message has its outcome",
    (_, threes, options) =>
      withTraps(async () => {
        const pass = (): Middleware => around((message, next) => next(message));
        const bus = new CommandBus({
          ...options,
          middleware: Array.from({ length: threes }, () => [pass(), tap<never>(), shared(identity)]).flat(),
        });
        let accepted = 0;
        const outcomes: string[] = [];
        bus.messages$.subscribe(() => accepted++);
        bus.outcomes$.subscribe(({ status }) => outcomes.push(status));
        const refusals: unknown[] = [];
        bus.register(Step, ({ id }, context) => {
          bus
            .dispatch(new Step(id + 1), { causedBy: context })
            .catch((error: unknown) => refusals.push(error));
        });
        await bus.dispatch(new Step(0));
        await macrotask();
        expect(accepted).toBeGreaterThan(20);
        expect(outcomes).toEqual(Array(accepted).fill("fulfilled"));
        expect(refusals).toEqual([expect.any(DispatchDepthExceededError)]);
        expect(bus.inFlight).toBe(0);
        await canaries(bus);
      }),
  );

  it("64 the depth is counted over all buses, and is that of calls: one after another is not deep", () =>
    withTraps(async () => {
      const [commandBus, queryBus, eventBus] = [
        new CommandBus({ maxDepth: 10 }),
        new QueryBus({ maxDepth: 10 }),
        new EventBus({ maxDepth: 10 }),
      ];
      let handled = 0;
      commandBus.register(Step, () => (handled++, queryBus.ask(new Step(0)).then(() => undefined)));
      queryBus.register(Step, () => (handled++, eventBus.publish(new Step(0))));
      eventBus.register(Step, () => (handled++, commandBus.dispatch(new Step(0))));
      expect(await reasonOf(commandBus.dispatch(new Step(0)))).toBeInstanceOf(Error);
      expect(handled).toBe(10);
      for (let n = 0; n < 1_000; n++) void commandBus.dispatch(new Step(0)).catch(() => undefined);
      await macrotask();
      await canaries(commandBus, queryBus, eventBus);
    }));

  it("64 an asynchronous chain of 100,000 dispatches completes", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      let handled = 0;
      bus.register(Step, async ({ id }, context) => {
        handled++;
        await Promise.resolve();
        if (id > 0) void bus.dispatch(new Step(id - 1), { causedBy: context });
      });
      await bus.dispatch(new Step(100_000));
      while (bus.inFlight > 0) await macrotask();
      expect(handled).toBe(100_001);
      await canaries(bus);
    }));

  it("64 one observer that dispatches 100,000 times for one message overflows nothing", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      let handled = 0;
      bus.register(Step, () => undefined);
      bus.register(Other, () => void handled++);
      let outcomes = 0;
      bus.outcomes$.subscribe(() => outcomes++);
      bus.messages$.subscribe(({ payload }) => {
        if (!(payload instanceof Other)) for (let n = 0; n < 100_000; n++) void bus.dispatch(new Other(n));
      });
      await bus.dispatch(new Step(0));
      expect([handled, outcomes]).toEqual([100_000, 100_001]);
      await canaries(bus);
    }));

  it("64 observers that answer each outcome with a message end at maxDepth, however long each message takes", () =>
    withTraps(async () => {
      const bus = new CommandBus({ maxDepth: 10 });
      let handled = 0;
      bus.register(Step, async () => {
        handled++;
        await Promise.resolve();
      });
      const refused: unknown[] = [];
      const observing = bus.outcomes$.subscribe(() => {
        // A bus that does not count them would go on for ever.
        if (handled < 100) bus.dispatch(new Step(handled)).catch((error: unknown) => refused.push(error));
      });
      await bus.dispatch(new Step(0));
      await macrotask();
      expect(handled).toBe(10);
      expect(refused).toEqual([expect.any(DispatchDepthExceededError)]);
      observing.unsubscribe();
      await canaries(bus);
    }));

  it("64 a refusal nested in a synchronous throw leaves the depth as it was", () =>
    withTraps(async () => {
      const bus = new CommandBus({ maxDepth: 4 });
      bus.register(Step, ({ id }) => {
        void bus.dispatch(new Step(id + 1)).catch(() => undefined);
        throw new Error("boom");
      });
      for (let n = 0; n < 50; n++) await reasonOf(bus.dispatch(new Step(0)));
      await canaries(bus, new CommandBus({ maxDepth: 1 }));
    }));

  it("66 an observer may subscribe and unsubscribe, itself and others, from its own callback", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(Step, () => undefined);
      const log: string[] = [];
      const first = bus.messages$.subscribe(({ payload }) => {
        log.push(`first ${(payload as Step).id}`);
        first.unsubscribe();
        bus.messages$.subscribe((envelope) => log.push(`late ${(envelope.payload as Step).id}`));
        third.unsubscribe();
      });
      bus.messages$.subscribe(({ payload }) => log.push(`second ${(payload as Step).id}`));
      const third = bus.messages$.subscribe(() => log.push("third"));
      await bus.dispatch(new Step(0));
      await bus.dispatch(new Step(1));
      expect(log).toEqual(["first 0", "second 0", "second 1", "late 1"]);
      await canaries(bus);
    }));

  it("68 when the await returns, the outcome is out, synchronous or not, failed or not", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(Step, ({ id }) => {
        if (id % 4 === 0) throw new Error("boom");
        if (id % 4 === 1) return Promise.reject(new Error("boom"));
        return id % 4 === 2 ? undefined : macrotask();
      });
      let outcomes = 0;
      bus.outcomes$.subscribe(() => outcomes++);
      for (let id = 0; id < 8; id++) {
        await bus.dispatch(new Step(id)).catch(() => undefined);
        expect(outcomes).toBe(id + 1);
      }
      // Also for who was first to ask, inside an observer.
      const seen: number[] = [];
      bus.messages$.subscribe(({ payload }) => {
        if (!(payload instanceof Other)) void bus.dispatch(new Other(0)).then(() => seen.push(outcomes));
      });
      bus.register(Other, () => undefined);
      await bus.dispatch(new Step(2));
      await macrotask();
      expect(seen).toEqual([10]);
      await canaries(bus);
    }));

  it("69 handlers of one event start in order of registration, synchronous or not", () =>
    withTraps(async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(fc.boolean(), { maxLength: 8 }), async (asynchronous) => {
          for (const strategy of ["parallel", "sequential"] as const) {
            const bus = new EventBus({ strategy });
            const started: number[] = [];
            for (const [at, later] of asynchronous.entries())
              bus.register(Step, () => {
                started.push(at);
                return later ? Promise.resolve() : undefined;
              });
            await bus.publish(new Step(0));
            expect(started).toEqual(asynchronous.map((_, at) => at));
          }
        }),
        { numRuns: 30 },
      );
    }));

  it("70 each of 32 callers keeps its own order while observers dispatch, too", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const handled: number[][] = Array.from({ length: 32 }, () => []);
      bus.register(Step, async ({ id }) => {
        handled[id % 32]!.push(id);
        await macrotask();
      });
      bus.register(Other, () => undefined);
      bus.outcomes$.subscribe(({ envelope: { payload } }) => {
        if (!(payload instanceof Other)) void bus.dispatch(new Other(0));
      });
      await Promise.all(
        handled.map(async (_, caller) => {
          for (let n = 0; n < 10; n++) {
            const sent = bus.dispatch(new Step(caller + n * 32));
            if (n % 3 === caller % 3) await sent;
          }
        }),
      );
      for (const [caller, own] of handled.entries())
        expect(own).toEqual(Array.from({ length: 10 }, (_, n) => caller + n * 32));
      while (bus.inFlight > 0) await macrotask();
      await canaries(bus);
    }));
});
