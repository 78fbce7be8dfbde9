import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import {
  Command,
  CommandBus,
  DomainEvent,
  Envelope,
  EventBus,
  LoopDetectedError,
  ofType,
  saga,
  SagaFailedError,
  type Fault,
  type SagaFunction,
} from "cqrx";
import { retrying } from "cqrx/middleware";
import {
  bufferCount,
  bufferTime,
  concat,
  concatMap,
  delay,
  filter,
  firstValueFrom,
  from,
  interval,
  map,
  merge,
  mergeMap,
  NEVER,
  Observable,
  of,
  reduce,
  take,
  tap,
  throwError,
} from "rxjs";
import { deferred, microtasks } from "../conformance/support.js";
import { canaries, macrotask, withTraps } from "../support/traps.js";

class Happened extends DomainEvent {
  constructor(readonly n = 0) {
    super();
  }
}
class Also extends DomainEvent {
  constructor(readonly n = 0) {
    super();
  }
}
class Do extends Command {
  constructor(readonly n = 0) {
    super();
  }
}
class Compensate extends Command {}

let eventBus: EventBus;
let commandBus: CommandBus;
let faults: Fault[];
let log: string[];

beforeEach(() => {
  eventBus = new EventBus();
  commandBus = new CommandBus();
  faults = [];
  log = [];
  eventBus.faults$.subscribe((fault) => faults.push(fault));
  commandBus.register(Do, ({ n }) => log.push(`do ${n}`));
});

afterEach(() => void jest.useRealTimers());

/** Does n for each event with n, and throws for some. */
const doing =
  (fails: (n: number) => boolean = () => false, offset = 0): SagaFunction =>
  (events$) =>
    events$.pipe(
      ofType(Happened),
      map(({ payload: { n } }) => {
        if (fails(n)) throw new Error(`event ${n}`);
        return new Do(n + offset);
      }),
    );

describe("saga", () => {
  it("turns events into commands, within the publish where everything is synchronous", () =>
    withTraps(async () => {
      const process = saga(eventBus, commandBus, doing());
      eventBus.publish(new Happened(1));
      expect(log).toEqual(["do 1"]);
      expect(process.state).toBe("running");
      await canaries(eventBus, commandBus);
    }));

  it("sees an event after its handlers have been called, and an effect after its cause", () =>
    withTraps(async () => {
      commandBus.register(Compensate, (_, context) => eventBus.publish(new Also(), { causedBy: context }));
      eventBus.register(Happened, async () => {
        log.push("Happened handled");
        await Promise.resolve();
        log.push("Happened handled slowly");
      });
      eventBus.register(Also, () => log.push("Also handled"));
      // Two parts, of which the second must not see the effect of the first before the cause.
      saga(eventBus, commandBus, (events$) =>
        merge(
          events$.pipe(
            ofType(Happened),
            map(() => new Compensate()),
          ),
          events$.pipe(
            tap(({ meta }) => log.push(`saga sees ${meta.name}`)),
            filter(() => false),
          ),
        ),
      );
      eventBus.messages$.subscribe(({ meta }) => log.push(`message ${meta.name}`));
      commandBus.messages$.subscribe(({ meta }) => log.push(`message ${meta.name}`));
      await eventBus.publish(new Happened());
      expect(log).toEqual([
        "message Happened",
        "Happened handled",
        "message Compensate",
        "message Also",
        "Also handled",
        "saga sees Happened",
        "saga sees Also",
        "Happened handled slowly",
      ]);
      log = [];
      commandBus.register(class Other {}, () => undefined);
      await canaries(eventBus, commandBus);
    }));

  // ngrx/effects#126 and redux-observable/redux-observable#765: a later effect got the reaction before its cause.
  it.each([
    ["before", true],
    ["after", true],
    ["before", false],
    ["after", false],
  ])(
    "sees an event before what another saga makes of it, created %s that, with asyncCauses: %s",
    (when, asyncCauses) =>
      withTraps(async () => {
        const storage = new AsyncLocalStorage<string>();
        const effects: string[] = [];
        commandBus.register(Compensate, (_, context) =>
          storage.run("of the reaction", () => eventBus.publish(new Also(), { causedBy: context })),
        );
        commandBus.messages$
          .pipe(ofType(Do))
          .subscribe(({ payload: { n }, meta }) => effects.push(`do ${n} < ${meta.causationId}`));
        const watching = (): void =>
          void saga(
            eventBus,
            commandBus,
            (events$) =>
              events$.pipe(
                tap(({ meta }) => log.push(`${meta.name} ${storage.getStore()}`)),
                map(({ meta }) => Envelope.of(new Do(meta.name === "Happened" ? 1 : 2))),
              ),
            { name: "watching", asyncCauses },
          );
        if (when === "before") watching();
        saga(
          eventBus,
          commandBus,
          (events$) =>
            events$.pipe(
              ofType(Happened),
              map(() => new Compensate()),
            ),
          { name: "reacting", asyncCauses },
        );
        if (when === "after") watching();
        const ids: string[] = [];
        eventBus.messages$.subscribe(({ meta }) => ids.push(meta.id));
        await storage.run("of the event", () => eventBus.publish(new Happened()));
        expect(log).toEqual(["Happened of the event", "do 1", "Also of the reaction", "do 2"]);
        expect(effects).toEqual([`do 1 < ${ids[0]}`, `do 2 < ${ids[1]}`]);
        expect(faults).toEqual([]);
        await canaries(eventBus, commandBus);
      }),
  );

  it("sees events in turn with sequential handlers: after all of them have ended", () =>
    withTraps(async () => {
      const bus = new EventBus({ strategy: "sequential" });
      for (const name of ["first", "second"])
        bus.register(Happened, async () => {
          await Promise.resolve();
          log.push(name);
        });
      saga(bus, commandBus, doing());
      await bus.publish(new Happened(7));
      expect(log).toEqual(["first", "second", "do 7"]);
      await canaries(bus, commandBus);
    }));

  it("sees an event once whose handlers fail, hang or are retried, and no event that middleware refuses", () =>
    withTraps(async () => {
      const bus = new EventBus({
        middleware: [retrying({ count: 2 }), filter(({ message }) => (message as Happened).n !== 13)],
      });
      bus.register(Happened, ({ n }) => {
        if (n === 1) throw new Error("handler");
        return n === 2 ? new Promise(() => undefined) : undefined;
      });
      saga(bus, commandBus, doing());
      const failed = bus.publish(new Happened(1));
      bus.publish(new Happened(2)).catch(() => undefined);
      const refused = bus.publish(new Happened(13));
      await expect(failed).rejects.toThrow(/failed/);
      await expect(refused).rejects.toThrow(/13|forward/);
      expect(log).toEqual(["do 1", "do 2"]);
      await bus.close({ timeoutMs: 0 });
      await canaries(commandBus);
    }));

  it("10 an operator that throws is reported by name; the saga goes on with the next events, and others are untouched", () =>
    withTraps(async () => {
      const first = saga(
        eventBus,
        commandBus,
        doing((n) => n === 1),
        { name: "billing" },
      );
      saga(eventBus, commandBus, doing(undefined, 100), { name: "shipping" });
      const states: string[] = [];
      first.state$.subscribe((state) => states.push(state));
      await eventBus.publish(new Happened(1));
      await eventBus.publish(new Happened(2));
      eventBus.publish(new Happened(3));
      expect(log).toEqual(["do 101", "do 2", "do 102", "do 3", "do 103"]);
      expect(faults).toMatchObject([{ kind: "saga", source: "billing", error: { message: "event 1" } }]);
      expect(states).toEqual(["running", "restarting", "running"]);
      await canaries(eventBus, commandBus);
    }));

  it("10 events that come while it restarts wait for it", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const storage = new AsyncLocalStorage<number>();
      commandBus.register(Compensate, () => log.push(`context ${storage.getStore()}`));
      const process = saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Happened),
          mergeMap(({ payload: { n } }) =>
            n < 3 ? throwError(() => new Error(`event ${n}`)) : of(new Do(n), new Compensate()),
          ),
        ),
      );
      for (let n = 1; n <= 4; n++) storage.run(n, () => void eventBus.publish(new Happened(n)));
      expect([process.state, log]).toEqual(["restarting", []]);
      await jest.advanceTimersByTimeAsync(200);
      expect([process.state, log]).toEqual(["running", ["do 3", "context 3", "do 4", "context 4"]]);
      expect(faults).toHaveLength(2);
      jest.useRealTimers();
      await canaries(eventBus, commandBus);
    }));

  it("an event that waited is handled at the depth of its own dispatch, so that a loop gets deeper", () =>
    withTraps(async () => {
      const shallow = new CommandBus({ maxDepth: 3 });
      // Depth 1 is that of Also, 2 that of Compensate, 3 that of Happened, which waits until the saga has handled Also.
      shallow.register(Compensate, () => void eventBus.publish(new Happened(1)));
      shallow.register(Do, ({ n }) => log.push(`do ${n}`));
      saga(eventBus, shallow, (events$) =>
        events$.pipe(map(({ payload }) => (payload instanceof Also ? new Compensate() : new Do()))),
      );
      await eventBus.publish(new Also());
      expect(log).toEqual([]);
      expect(faults).toMatchObject([{ error: { code: "DISPATCH_DEPTH_EXCEEDED", messageType: "Do" } }]);
      await eventBus.publish(new Happened());
      expect(log).toEqual(["do 0"]);
      await canaries(commandBus);
    }));

  it.each<[string, SagaFunction]>([
    ["throws at each event", doing(() => true)],
    [
      "rejects a moment after each event",
      (events$) => events$.pipe(mergeMap(() => Promise.reject(new Error("later")))),
    ],
    ["throws when it is called", () => { throw new Error("at once"); }], // prettier-ignore
    ["errors when it is subscribed to", () => throwError(() => new Error("subscribed"))],
    [
      "emits and errors without any event",
      () =>
        concat(
          of(new Do()),
          throwError(() => new Error("again")),
        ),
    ],
    ["returns no Observable", () => "commands" as never],
  ])("11 one that %s is restarted less and less often, and given up; others work", (_, project) =>
    withTraps(async () => {
      jest.useFakeTimers();
      let lives = 0;
      const process = saga(
        eventBus,
        commandBus,
        (events$) => {
          lives++;
          return project(events$);
        },
        { name: "poor", restart: { count: 4, delayMs: 100, maxDelayMs: 200 } },
      );
      saga(eventBus, commandBus, doing(undefined, 100));
      const states: string[] = [];
      process.state$.subscribe((state) => states.push(state));
      for (let n = 0; n < 200; n++) {
        eventBus.publish(new Happened(n));
        await jest.advanceTimersByTimeAsync(10);
      }
      expect(lives).toBe(5);
      expect(process.state).toBe("failed");
      expect(process.closed).toBe(true);
      expect(states.slice(-3)).toEqual(["restarting", "running", "failed"].slice(-states.length));
      expect(faults).toHaveLength(6);
      expect(faults[5]!.error).toBeInstanceOf(SagaFailedError);
      expect(faults.every(({ source }) => source === "poor")).toBe(true);
      expect(log.filter((line) => Number(line.slice(3)) >= 100)).toHaveLength(200);
      expect(jest.getTimerCount()).toBe(0);
      const late: string[] = [];
      process.state$.subscribe({ next: (state) => late.push(state), complete: () => late.push("complete") });
      expect(late).toEqual(["failed", "complete"]);
      jest.useRealTimers();
      await canaries(eventBus, commandBus);
    }),
  );

  it("11 is not given up if it fails from time to time and reacts in between", () =>
    withTraps(async () => {
      const process = saga(
        eventBus,
        commandBus,
        doing((n) => n % 2 === 1),
        { restart: { count: 1 } },
      );
      for (let n = 0; n < 100; n++) eventBus.publish(new Happened(n));
      expect([process.state, log.length, faults.length]).toEqual(["running", 50, 50]);
      await canaries(eventBus, commandBus);
    }));

  it("12 a value that is not a command is reported, and so are rejected commands; the saga goes on", () =>
    withTraps(async () => {
      class Unknown {}
      const failure = new Error("rejected");
      commandBus.register(Compensate, () => Promise.reject(failure));
      const emitted: unknown[] = [undefined, null, 42, "text", {}, new Unknown(), new Compensate()];
      const process = saga(
        eventBus,
        commandBus,
        (events$) =>
          events$.pipe(
            ofType(Happened),
            map(({ payload: { n } }) => (n in emitted ? emitted[n] : new Do(n)) as object),
          ),
        { name: "clumsy" },
      );
      for (let n = 0; n <= emitted.length; n++) await eventBus.publish(new Happened(n));
      await macrotask();
      expect(process.state).toBe("running");
      expect(log).toEqual(["do 7"]);
      expect(
        faults.map(({ source, error }) => `${source} ${(error as { code?: string }).code ?? "rejected"}`),
      ).toEqual([
        ...Array<string>(4).fill("clumsy INVALID_MESSAGE"),
        "clumsy HANDLER_NOT_FOUND",
        "clumsy HANDLER_NOT_FOUND",
        "clumsy rejected",
      ]);
      expect(faults[6]).toMatchObject({ error: failure, envelope: { payload: emitted[6] } });
      await canaries(eventBus, commandBus);
    }));

  it("12 a command whose type cannot be read is reported, with or without a causing event; the saga goes on", () =>
    withTraps(async () => {
      class Unreadable {
        static get messageName(): string {
          throw new Error("no name");
        }
      }
      const unreadable = (n: number): object => {
        if (n === 0) return new Unreadable();
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        return proxy;
      };
      const process = saga(
        eventBus,
        commandBus,
        (events$) =>
          merge(
            from([unreadable(0), unreadable(1)]),
            events$.pipe(
              ofType(Happened),
              map(({ payload: { n } }) => (n < 2 ? unreadable(n) : new Do(n))),
            ),
          ),
        { name: "clumsy" },
      );
      for (const n of [0, 1, 2]) await eventBus.publish(new Happened(n));
      expect([process.state, log]).toEqual(["running", ["do 2"]]);
      expect(faults.map(({ error, envelope }) => [(error as Error).message, envelope?.payload])).toEqual(
        [undefined, undefined, new Happened(0), new Happened(1)].map((event) => [
          "Saga clumsy emitted a command whose type cannot be read (see cause).",
          event,
        ]),
      );
      await canaries(eventBus, commandBus);
    }));

  it("12 a promise is not a command: it is reported, and its rejection ends nothing", () =>
    withTraps(async () => {
      const process = saga(
        eventBus,
        commandBus,
        (events$) =>
          events$.pipe(
            ofType(Happened),
            map(async ({ payload: { n } }) => {
              await Promise.resolve();
              if (n === 0) throw new Error("lookup");
              return new Do(n);
            }),
          ),
        { name: "hasty" },
      );
      for (const n of [0, 1]) await eventBus.publish(new Happened(n));
      await macrotask();
      expect([process.state, log]).toEqual(["running", []]);
      const text = "Saga hasty emitted a promise; use mergeMap or concatMap where it is made with map.";
      expect(faults).toMatchObject([
        { error: { code: "INVALID_MESSAGE", message: text }, envelope: { payload: new Happened(0) } },
        { error: { code: "INVALID_MESSAGE", message: text }, envelope: { payload: new Happened(1) } },
      ]);
      await canaries(eventBus, commandBus);
    }));

  it("an async function is not a saga, and its rejection ends nothing", () =>
    withTraps(async () => {
      const project = async (): Promise<never> => {
        throw new Error("connection");
      };
      const process = saga(eventBus, commandBus, project as never, { restart: { count: 0 } });
      await macrotask();
      expect(process.state).toBe("failed");
      expect(faults).toMatchObject([
        { error: { code: "INVALID_HANDLER", message: expect.stringContaining("returned a promise") } },
        { error: { code: SagaFailedError.code } },
      ]);
      await canaries(eventBus, commandBus);
    }));

  it("12 is restarted after it throws while it emits", () =>
    withTraps(async () => {
      let fail = true;
      saga(
        eventBus,
        commandBus,
        (events$) =>
          new Observable<object>((subscriber) =>
            events$.pipe(ofType(Happened)).subscribe(({ payload: { n } }) => {
              subscriber.next(new Do(n));
              if (fail) subscriber.error(new Error("while emitting"));
            }),
          ),
      );
      eventBus.publish(new Happened(1));
      fail = false;
      eventBus.publish(new Happened(2));
      expect([log, faults.length]).toEqual([["do 1", "do 2"], 1]);
      await canaries(eventBus, commandBus);
    }));
});

describe("causation", () => {
  const causes = (): Promise<[string | undefined, string]> =>
    new Promise((resolve) =>
      commandBus.messages$
        .pipe(take(1))
        .subscribe(({ meta }) => resolve([meta.causationId, meta.correlationId])),
    );

  it.each<[string, SagaFunction]>([
    ["synchronous", doing()],
    [
      "after a promise",
      (events$) => events$.pipe(concatMap(async ({ payload }) => new Do((payload as Happened).n))),
    ],
    [
      "after a timer",
      (events$) =>
        events$.pipe(
          delay(1),
          map(() => new Do()),
        ),
    ],
  ])("of a command is the event that it reacts to: %s", (_, project) =>
    withTraps(async () => {
      const events: Envelope[] = [];
      eventBus.messages$.subscribe((event) => events.push(event));
      saga(eventBus, commandBus, project);
      const caused = causes();
      await eventBus.publish(new Happened(1));
      expect(await caused).toEqual([events[0]!.meta.id, events[0]!.meta.correlationId]);
      await canaries(commandBus);
    }),
  );

  /** Publishes events 1 to 3 at once, and returns the event that each command names as its cause. */
  async function causesOfThree(
    project: SagaFunction,
  ): Promise<[command: number, event: number | undefined][]> {
    const ns = new Map<string, number>();
    eventBus.messages$.subscribe(({ meta, payload }) => ns.set(meta.id, (payload as Happened).n));
    const caused: [number, number | undefined][] = [];
    const all = deferred();
    commandBus.messages$.subscribe(({ meta, payload }) => {
      caused.push([(payload as Do).n, ns.get(meta.causationId ?? "")]);
      if (caused.length === 3) all.resolve();
    });
    saga(eventBus, commandBus, project);
    for (const n of [1, 2, 3]) void eventBus.publish(new Happened(n));
    await all.promise;
    return caused;
  }
  const later = async (n: number): Promise<Do> => {
    await macrotask();
    return new Do(n);
  };

  it.each<[string, SagaFunction]>([
    [
      "concatMap",
      (events$) =>
        events$.pipe(
          ofType(Happened),
          concatMap(({ payload }) => later(payload.n)),
        ),
    ],
    [
      "mergeMap(f, 1)",
      (events$) =>
        events$.pipe(
          ofType(Happened),
          mergeMap(({ payload }) => later(payload.n), 1),
        ),
    ],
    [
      "mergeMap",
      (events$) =>
        events$.pipe(
          ofType(Happened),
          mergeMap(({ payload }) => later(payload.n)),
        ),
    ],
    [
      "bufferTime",
      (events$) =>
        events$.pipe(
          ofType(Happened),
          bufferTime(1),
          mergeMap(async (some) => {
            await macrotask();
            return some.map(({ payload }) => new Do(payload.n));
          }),
          mergeMap((commands) => commands),
        ),
    ],
  ])("is never another event: %s", (_, project) =>
    withTraps(async () => {
      const caused = await causesOfThree(project);
      expect(caused.map(([n]) => n).sort()).toEqual([1, 2, 3]);
      for (const [n, event] of caused)
        if (event !== undefined && n !== event) expect([n, event]).toEqual([n, n]);
      await canaries(eventBus, commandBus);
    }),
  );

  it("is the one that the saga passes to Envelope.of(command, { causedBy: event })", () =>
    withTraps(async () => {
      const caused = await causesOfThree((events$) =>
        events$.pipe(
          ofType(Happened),
          bufferCount(3),
          concatMap(async (some) => {
            await macrotask();
            return some.map((event) => Envelope.of(new Do(event.payload.n), { causedBy: event }));
          }),
          concatMap((commands) => commands),
        ),
      );
      expect(caused).toEqual([
        [1, 1],
        [2, 2],
        [3, 3],
      ]);
      expect(faults).toEqual([]);
      await canaries(eventBus, commandBus);
    }));

  it("with asyncCauses: false is known synchronously only, and no AsyncLocalStorage is started", () =>
    withTraps(async () => {
      const run = jest.spyOn(AsyncLocalStorage.prototype, "run");
      saga(eventBus, commandBus, (events$) => events$.pipe(ofType(Happened), mergeMap(({ payload: { n } }) => (n > 1 ? later(n) : of(new Do(n))))), { asyncCauses: false }); // prettier-ignore
      const causations: (string | undefined)[] = [];
      commandBus.messages$.subscribe(({ meta }) => causations.push(meta.causationId));
      await eventBus.publish(Envelope.of(new Happened(1), { id: "one" }));
      await eventBus.publish(Envelope.of(new Happened(2), { id: "two" }));
      while (log.length < 2) await macrotask();
      expect(causations).toEqual(["one", undefined]);
      expect(run).not.toHaveBeenCalled();
      run.mockRestore();
      await canaries(eventBus, commandBus);
    }));

  it("AsyncLocalStorage runs from a saga's first event until the last of these sagas has ended", () =>
    withTraps(() =>
      // Modules of their own, because sagas of other cases still run.
      jest.isolateModulesAsync(async () => {
        const cqrx = await import("cqrx");
        const run = jest.spyOn(AsyncLocalStorage.prototype, "run");
        const disable = jest.spyOn(AsyncLocalStorage.prototype, "disable");
        const [events, commands] = [new cqrx.EventBus(), new cqrx.CommandBus()];
        commands.register(Do, () => undefined);
        const project: SagaFunction = (events$) =>
          events$.pipe(mergeMap(({ payload }) => later((payload as Happened).n)));
        const sagas = [events, events, new cqrx.EventBus()].map((bus) => cqrx.saga(bus, commands, project));
        expect(run).not.toHaveBeenCalled();
        await events.publish(new Happened());
        expect(run).toHaveBeenCalled();
        sagas[0]!.unsubscribe();
        sagas[2]!.unsubscribe();
        expect(disable).not.toHaveBeenCalled();
        sagas[1]!.unsubscribe();
        expect(disable).toHaveBeenCalledTimes(1);
        // A later saga starts it again.
        cqrx.saga(events, commands, project);
        const command = firstValueFrom(commands.messages$, { defaultValue: undefined });
        await events.publish(cqrx.Envelope.of(new Happened(), { id: "again" }));
        expect((await command)?.meta.causationId).toBe("again");
        run.mockRestore();
        disable.mockRestore();
      }),
    ));

  it("is the own event of a saga without asyncCauses that runs in the reaction of one with them", () =>
    withTraps(async () => {
      const names = new Map<string, string>();
      for (const bus of [eventBus, commandBus]) {
        bus.messages$.subscribe(({ meta }) => {
          names.set(meta.id, meta.name);
          log.push(`${meta.name} by ${names.get(meta.causationId!)}`);
        });
      }
      const react = new CommandBus();
      react.register(Do, () => void eventBus.publish(new Also()));
      react.messages$.subscribe(({ meta }) => log.push(`${meta.name} by ${names.get(meta.causationId!)}`));
      commandBus.register(Compensate, () => undefined);
      saga(eventBus, react, doing());
      saga(eventBus, commandBus, (events$) => events$.pipe(ofType(Also), map(() => new Compensate())), { asyncCauses: false }); // prettier-ignore
      await eventBus.publish(new Happened(1));
      expect(log).toEqual([
        "Happened by undefined",
        "Do by Happened",
        "Also by undefined",
        "Compensate by Also",
      ]);
      await canaries(eventBus, commandBus);
    }));

  it("does not exist for commands that no event caused", () =>
    withTraps(async () => {
      const caused = causes();
      const process = saga(eventBus, commandBus, () => interval(1).pipe(map((n) => new Do(n))));
      expect((await caused)[0]).toBeUndefined();
      process.unsubscribe();
      await canaries(eventBus, commandBus);
    }));

  it("does not cancel: a command goes on when the publish that led to it is aborted", () =>
    withTraps(async () => {
      const gate = deferred();
      commandBus.register(Compensate, async (_, { signal }) => {
        await gate.promise;
        log.push(`aborted: ${signal.aborted}`);
      });
      eventBus.register(Happened, () => new Promise(() => undefined));
      saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Happened),
          map(() => new Compensate()),
        ),
      );
      const controller = new AbortController();
      const publishing = eventBus.publish(new Happened(), { signal: controller.signal });
      controller.abort(new Error("gone"));
      await expect(publishing).rejects.toThrow("gone");
      gate.resolve();
      await macrotask();
      expect(log).toEqual(["aborted: false"]);
      await canaries(eventBus, commandBus);
    }));
});

describe("a loop that no chain of causes shows", () => {
  it("72 is stopped by a rate bound, and reported once a second", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      let rounds = 0;
      commandBus.register(Compensate, async () => {
        rounds++;
        await Promise.resolve();
        void eventBus.publish(new Happened());
      });
      const react: SagaFunction = (events$) =>
        events$.pipe(
          ofType(Happened),
          mergeMap(async () => new Compensate()),
        );
      saga(eventBus, commandBus, react, { asyncCauses: false, name: "forgetful" });
      eventBus.publish(new Happened());
      // More microtasks than the bound needs.
      await microtasks(20_000);
      expect(rounds).toBe(1_000);
      expect(faults).toHaveLength(1);
      expect(faults[0]).toMatchObject({
        kind: "saga",
        source: "forgetful",
        error: { code: "LOOP_DETECTED", cycle: ["Compensate"] },
      });
      expect((faults[0]!.error as Error).message).toBe(
        "Saga forgetful would dispatch Compensate after 1000 commands within a second: Compensate. " +
          "Break the cycle, or raise maxPerSecond.",
      );
      eventBus.publish(new Happened());
      await microtasks(100);
      expect([rounds, faults.length]).toEqual([1_000, 1]);
      jest.advanceTimersByTime(1_000);
      eventBus.publish(new Happened());
      await microtasks(20_000);
      expect([rounds, faults.length]).toEqual([2_000, 2]);
      jest.useRealTimers();
      await canaries(eventBus, commandBus);
    }));

  it("72 may dispatch without a limit under asyncCauses, unless maxPerSecond sets one", () =>
    withTraps(async () => {
      saga(eventBus, commandBus, doing());
      saga(eventBus, commandBus, doing(undefined, 5_000), { maxPerSecond: 2 });
      for (let n = 0; n < 1_100; n++) eventBus.publish(new Happened(n));
      expect(log.filter((line) => Number(line.slice(3)) < 5_000)).toHaveLength(1_100);
      expect(log.filter((line) => Number(line.slice(3)) >= 5_000).length).toBeLessThan(1_100);
      await canaries(eventBus, commandBus);
    }));
});

describe("two sagas that answer each other", () => {
  class Ping extends Command {}
  class Pong extends Command {}
  class Pinged extends DomainEvent {}
  class Ponged extends DomainEvent {}

  function answering(slow: boolean, causal: boolean, maxHops?: number): { readonly hops: number } {
    const counted = { hops: 0 };
    for (const [type, event] of [
      [Ping, Pinged],
      [Pong, Ponged],
    ] as const)
      // prettier-ignore
      commandBus.register(type, async (_, context) => {
        counted.hops++;
        if (slow) await new Promise((resolve) => setTimeout(resolve, 0));
        void eventBus.publish(new event(), causal ? { causedBy: context } : {});
      });
    const options = maxHops === undefined ? {} : { maxHops };
    saga(
      eventBus,
      commandBus,
      (events$) =>
        events$.pipe(
          ofType(Pinged),
          map(() => new Pong()),
        ),
      { name: "a", ...options },
    );
    saga(
      eventBus,
      commandBus,
      (events$) =>
        events$.pipe(
          ofType(Ponged),
          map(() => new Ping()),
        ),
      { name: "b", ...options },
    );
    return counted;
  }

  it.each([
    ["synchronously", false, false],
    ["with pauses", true, false],
    ["with pauses and causedBy", true, true],
  ])(
    "72 for ever, %s, are stopped by a LoopDetectedError that names the cycle, while timers fire",
    (_, slow, causal) =>
      withTraps(async () => {
        const counted = answering(slow, causal);
        let ticks = 0;
        const timer = setInterval(() => ticks++, 10);
        const fault = (): Promise<Fault | undefined> =>
          firstValueFrom(eventBus.faults$, { defaultValue: undefined });
        const ended = fault();
        eventBus.publish(new Pinged());
        await ended;
        while (ticks === 0) await macrotask();
        clearInterval(timer);
        expect(counted.hops).toBe(64);
        expect(faults).toHaveLength(1);
        const { error, kind } = faults[0]!;
        expect(kind).toBe("saga");
        expect(error).toBeInstanceOf(LoopDetectedError);
        expect((error as LoopDetectedError).cycle).toEqual(["Pong", "Ponged", "Ping", "Pinged", "Pong"]);
        expect((error as Error).message).toContain("Pong → Ponged → Ping → Pinged → Pong");
        // Neither saga is the worse for it.
        const again = fault();
        eventBus.publish(new Pinged());
        await again;
        expect([counted.hops, faults.length]).toEqual([128, 2]);
        await canaries(eventBus, commandBus);
      }),
  );

  it("72 maxHops may be set; chains that do not lead to each other do not add up", () =>
    withTraps(async () => {
      const counted = answering(false, true, 3);
      eventBus.publish(new Pinged());
      expect([counted.hops, faults.length]).toEqual([3, 1]);
      saga(eventBus, commandBus, doing(), { maxHops: 1 });
      for (let n = 0; n < 10; n++) await eventBus.publish(new Happened(n));
      expect([log.length, faults.length]).toEqual([10, 1]);
      await canaries(eventBus, commandBus);
    }));

  it("72 without AsyncLocalStorage the chain is followed synchronously, and through causedBy", () =>
    withTraps(async () => {
      const original = process.getBuiltinModule;
      try {
        (process as { getBuiltinModule: unknown }).getBuiltinModule = () => undefined;
        await jest.isolateModulesAsync(async () => {
          const cqrx = await import("cqrx");
          for (const [slow, indirect] of [
            [false, false],
            [true, false],
            [true, true],
          ]) {
            const [events, commands] = [new cqrx.EventBus(), new cqrx.CommandBus()];
            const reported: Fault[] = [];
            const ended = new Promise((resolve) =>
              events.faults$.subscribe((fault) => {
                reported.push(fault);
                resolve(undefined);
              }),
            );
            let hops = 0;
            class Again extends cqrx.DomainEvent {}
            class GoOn extends cqrx.Command {}
            class Step extends cqrx.Command {}
            commands.register(GoOn, async (_, context) => {
              hops++;
              if (slow) await Promise.resolve();
              if (indirect) await commands.dispatch(new Step(), { causedBy: context });
              else await events.publish(new Again(), { causedBy: context });
            });
            commands.register(Step, async (_, context) => {
              await Promise.resolve();
              await events.publish(new Again(), { causedBy: context });
            });
            cqrx.saga(events, commands, (events$) =>
              events$.pipe(
                cqrx.ofType(Again),
                map(() => new GoOn()),
              ),
            );
            void events.publish(new Again());
            await ended;
            expect([hops, (reported[0]!.error as LoopDetectedError).cycle]).toEqual([
              64,
              ["GoOn", "Again", "GoOn"],
            ]);
          }
        });
      } finally {
        process.getBuiltinModule = original;
      }
      await canaries(eventBus, commandBus);
    }));
});

describe("the end of a saga", () => {
  it("comes at once on a bus that is closed already", () =>
    withTraps(async () => {
      const closed = new EventBus();
      await closed.close();
      const subscription = saga(closed, new CommandBus(), () => NEVER);
      expect([subscription.state, subscription.closed]).toEqual(["stopped", true]);
    }));

  it("comes by completion, by unsubscribing, or with the event bus; the saga leaves nothing behind", () =>
    withTraps(async () => {
      const one = saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Happened),
          take(1),
          map(() => new Do(1)),
        ),
      );
      const two = saga(eventBus, commandBus, doing(undefined, 100));
      eventBus.publish(new Happened(0));
      expect([one.state, one.closed, two.state]).toEqual(["stopped", true, "running"]);
      two.unsubscribe();
      eventBus.publish(new Happened(1));
      expect([two.state, log]).toEqual(["stopped", ["do 1", "do 100"]]);
      // The command that it kept for its end.
      const three = saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Happened),
          reduce((sum, { payload: { n } }) => sum + n, 0),
          map((sum) => new Do(sum)),
        ),
      );
      await canaries(eventBus, commandBus);
      eventBus.publish(new Happened(20));
      eventBus.publish(new Happened(22));
      await eventBus.close();
      expect([three.state, log.at(-1)]).toEqual(["stopped", "do 42"]);
      expect(faults).toEqual([]);
    }));

  it("waits, when its bus closes, for the commands of the saga", () =>
    withTraps(async () => {
      const gate = deferred();
      const process = saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Happened),
          concatMap(async ({ payload: { n } }) => {
            await gate.promise;
            return new Do(n);
          }),
        ),
      );
      await eventBus.publish(new Happened(1));
      await eventBus.publish(new Happened(2));
      const closing = eventBus.close({ timeoutMs: Infinity });
      await macrotask();
      expect(process.state).toBe("running");
      gate.resolve();
      expect(await closing).toEqual({ finished: 0, aborted: [], abandoned: [] });
      expect([process.state, log, faults]).toEqual(["stopped", ["do 1", "do 2"], []]);
      await canaries(commandBus);
    }));

  it("at the deadline of close(): lost events are in the report and on faults$", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      const process = saga(eventBus, commandBus, (events$) => events$.pipe(mergeMap(() => NEVER)), {
        name: "endless",
      });
      saga(eventBus, commandBus, doing(), { name: "done" });
      await eventBus.publish(new Happened());
      const closing = eventBus.close({ timeoutMs: 1_000 });
      await jest.advanceTimersByTimeAsync(1_000);
      expect(await closing).toEqual({ finished: 0, aborted: [], abandoned: [], unfinished: ["endless"] });
      expect(process.state).toBe("stopped");
      expect(faults).toMatchObject([
        {
          kind: "saga",
          source: "endless",
          error: {
            message:
              "Saga endless had not completed when its bus was closed, and what it had begun is lost; " +
              "give close() more time, or let the saga complete after its events do.",
          },
        },
      ]);
      jest.useRealTimers();
      await canaries(commandBus);
    }));

  it("at a deadline that messages in flight miss, too, a saga without work completes, and others are reported", () =>
    withTraps(async () => {
      eventBus.register(Happened, () => new Promise(() => undefined));
      saga(eventBus, commandBus, doing(), { name: "done" });
      saga(eventBus, commandBus, (events$) => merge(events$.pipe(filter(() => false)), NEVER), {
        name: "endless",
      });
      eventBus.publish(new Happened(1)).catch(() => undefined);
      const { aborted, unfinished } = await eventBus.close({ timeoutMs: 0 });
      expect([aborted.length, unfinished, log]).toEqual([1, ["endless"], ["do 1"]]);
      expect(faults).toMatchObject([{ source: "endless" }]);
      await canaries(commandBus);
    }));

  it("receives events of messages in flight until they have settled; a later one is missed, and reported", () =>
    withTraps(async () => {
      const [first, second] = [deferred(), deferred()];
      eventBus.register(Also, async (_, context) => {
        await first.promise;
        void eventBus.publish(new Happened(1), { causedBy: context });
      });
      commandBus.register(Compensate, async (_, context) => {
        await second.promise;
        void eventBus.publish(new Happened(2), { causedBy: context });
      });
      saga(
        eventBus,
        commandBus,
        (events$) =>
          merge(
            doing()(events$),
            events$.pipe(
              ofType(Also),
              mergeMap(async () => {
                await second.promise;
                await macrotask();
                return new Do(3);
              }),
            ),
          ),
        { name: "late" },
      );
      void commandBus.dispatch(new Compensate());
      void eventBus.publish(new Also());
      const closing = eventBus.close({ timeoutMs: Infinity });
      first.resolve();
      await macrotask();
      expect(log).toEqual(["do 1"]);
      second.resolve();
      await closing;
      expect(log).toEqual(["do 1", "do 3"]);
      expect(faults).toMatchObject([
        {
          source: "late",
          error: {
            messageType: "Happened",
            message: "Saga late misses Happened: its bus is closing, and it has received its last event.",
          },
          envelope: { payload: { n: 2 } },
        },
      ]);
      await canaries(commandBus);
    }));

  it("handles the events that wait for its restart before its bus is closed", () =>
    withTraps(async () => {
      const process = saga(
        eventBus,
        commandBus,
        doing((n) => n < 2),
        { restart: { delayMs: 1 } },
      );
      for (let n = 0; n < 4; n++) eventBus.publish(new Happened(n));
      expect(process.state).toBe("restarting");
      await eventBus.close();
      expect([process.state, log, faults.length]).toEqual(["stopped", ["do 2", "do 3"], 2]);
      await canaries(commandBus);
    }));

  it("comes with the bus for a saga that fails after its last event, or has none to restart for", () =>
    withTraps(async () => {
      const failing = saga(eventBus, commandBus, (events$) =>
        concat(
          doing()(events$),
          throwError(() => new Error("at the end")),
        ),
      );
      await eventBus.close({ timeoutMs: Infinity });
      expect([failing.state, faults.length]).toEqual(["stopped", 1]);
      const bus = new EventBus();
      bus.faults$.subscribe(() => undefined);
      const waiting = saga(bus, commandBus, () => throwError(() => new Error("at once")), {
        restart: { delayMs: 1_000_000 },
      });
      expect(waiting.state).toBe("restarting");
      await bus.close({ timeoutMs: Infinity });
      expect(waiting.state).toBe("stopped");
      await canaries(commandBus);
    }));

  it("may be caused by its own commands, or by an observer of its failure", () =>
    withTraps(async () => {
      const one = saga(eventBus, commandBus, doing());
      commandBus.register(Compensate, () => one.unsubscribe());
      saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(Also),
          map(() => new Compensate()),
        ),
      );
      eventBus.publish(new Also());
      eventBus.publish(new Happened());
      expect([one.state, log]).toEqual(["stopped", []]);
      const two = saga(
        eventBus,
        commandBus,
        doing(() => true),
        { name: "two" },
      );
      eventBus.faults$.subscribe(({ source }) => void (source === "two" && two.unsubscribe()));
      eventBus.publish(new Happened());
      eventBus.publish(new Happened());
      expect([two.state, faults.length]).toEqual(["stopped", 1]);
      await canaries(eventBus, commandBus);
    }));

  it("teardowns that throw are reported", () =>
    withTraps(async () => {
      const process = saga(eventBus, commandBus, () => new Observable<object>(() => () => { throw new Error("teardown"); })); // prettier-ignore
      process.unsubscribe();
      expect(faults).toHaveLength(1);
      await canaries(eventBus, commandBus);
    }));

  it("refuses options that make no sense", () => {
    const wrong: [options: object, name: string][] = [
      [{ maxHops: 0 }, "maxHops"],
      [{ maxHops: "5" }, "maxHops"],
      [{ asyncCauses: 1 }, "asyncCauses"],
      [{ maxPerSecond: 0 }, "maxPerSecond"],
      [{ restart: { count: -1 } }, "restart.count"],
      [{ restart: { count: 1.5 } }, "restart.count"],
      [{ restart: { delayMs: NaN } }, "restart.delayMs"],
      [{ restart: { maxDelayMs: "5" } }, "restart.maxDelayMs"],
      // Each failure would count as the first, so that the saga would never be given up.
      [{ restart: { maxDelayMs: 0 } }, "restart.maxDelayMs"],
      [{ restart: { delay: 5 } }, "restart.delay"],
      [{ maxhops: 1 }, "maxhops"],
    ];
    for (const [options, name] of wrong)
      expect(() => saga(new EventBus(), new CommandBus(), () => NEVER, options)).toThrow(
        expect.objectContaining({ code: "INVALID_OPTIONS", option: name }),
      );
    expect(() => saga(eventBus, commandBus, {} as never)).toThrow(/function/);
  });

  it("a rejected dispatch at a closed command bus is reported", async () => {
    saga(eventBus, commandBus, doing());
    await commandBus.close();
    await eventBus.publish(new Happened());
    await microtasks();
    expect(faults).toMatchObject([{ kind: "saga", source: "saga", error: { code: "BUS_CLOSED" } }]);
    await canaries(eventBus);
  });
});

describe("a saga that is stopped by an observer of its state", () => {
  it("when it is restarted does not make another instance", () =>
    withTraps(async () => {
      let made = 0;
      const failing: SagaFunction = (events$) => {
        made++;
        return events$.pipe(mergeMap(() => throwError(() => new Error("no"))));
      };
      const running = saga(eventBus, commandBus, failing);
      let restarting = false;
      running.state$.subscribe((state) => {
        if (state === "running" && restarting) running.unsubscribe();
        restarting = state === "restarting";
      });
      await eventBus.publish(new Happened());
      expect([made, running.state]).toEqual([1, "stopped"]);
      await canaries(eventBus, commandBus);
    }));
});
