import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, jest } from "@jest/globals";
import * as own from "cqrx";
import * as ownMiddleware from "cqrx/middleware";
import * as ownTelemetry from "cqrx/opentelemetry";
import * as ownPino from "cqrx/pino";
import * as ownTesting from "cqrx/testing";
import { pino } from "pino";
import { delay, lastValueFrom, map, of, tap, type Observable } from "rxjs";

const VERSION = "9.8.7";
const { version } = JSON.parse(readFileSync(join(__dirname, "../../package.json"), "utf8")) as {
  version: string;
};

interface Library {
  readonly cqrx: typeof own;
  readonly middleware: typeof ownMiddleware;
  readonly telemetry: typeof ownTelemetry;
  readonly pino: typeof ownPino;
  readonly testing: typeof ownTesting;
}

/** Loads another copy, with RxJS and all, as `jest.resetModules()` does; and as if of another version. */
function loadOther(): Library {
  let loaded!: Library;
  jest.isolateModules(() => {
    const file = "../../src/core/util/copy.js";
    jest.doMock(file, () => {
      const actual = jest.requireActual<object>(file);
      return { ...actual, COPY: { version: VERSION } };
    });
    loaded = {
      cqrx: jest.requireActual("cqrx"),
      middleware: jest.requireActual("cqrx/middleware"),
      telemetry: jest.requireActual("cqrx/opentelemetry"),
      pino: jest.requireActual("cqrx/pino"),
      testing: jest.requireActual("cqrx/testing"),
    };
    jest.dontMock(file);
  });
  return loaded;
}

const here: Library = {
  cqrx: own,
  middleware: ownMiddleware,
  telemetry: ownTelemetry,
  pino: ownPino,
  testing: ownTesting,
};
const other = loadOther();

/** All middleware of a copy. */
function allMiddleware({ cqrx, middleware, telemetry, pino: logs }: Library): Record<string, own.Middleware> {
  return {
    around: cqrx.around((_, next) => next()),
    shared: cqrx.shared(tap()),
    when: cqrx.when(
      Save,
      cqrx.around((_, next) => next()),
    ),
    overlap: middleware.overlap({ strategy: "concat" }),
    timeLimit: middleware.timeLimit(1_000),
    retrying: middleware.retrying({ count: 1 }),
    validation: middleware.validation(),
    authorization: middleware.authorization(() => true),
    idempotency: middleware.idempotency({ key: () => undefined, store: new Map() }),
    caching: middleware.caching({ store: new Map() }),
    coalescing: middleware.coalescing(),
    batching: middleware.batching({ load: () => Promise.resolve([]) }),
    tracing: telemetry.tracing(),
    metering: telemetry.metering(),
    logging: logs.logging(pino({ level: "silent" })),
  };
}

class Save {}
class Get {}

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

/** Expects an error that names both versions, of the refusing copy and of the refused one, and the remedy. */
function expectTwoCopies(
  error: unknown,
  what: string | RegExp,
  [refusing, refused] = [version, VERSION],
): void {
  expect(error).toBeInstanceOf(own.TwoCopiesError);
  expect(error).toBeInstanceOf(other.cqrx.TwoCopiesError);
  const { code, message } = error as own.TwoCopiesError;
  expect(code).toBe("TWO_COPIES");
  expect(message).toContain(`two copies of cqrx (versions ${refusing} and ${refused})`);
  expect(message).toMatch(what);
  expect(message).toMatch(/npm ls cqrx.*resetModules/);
}

it("the version of a copy is that of the package", () => {
  const { message } = thrownBy(
    () => new other.cqrx.CommandBus({ middleware: [ownMiddleware.timeLimit(1_000)] }),
  ) as Error;
  expect(message).toContain(`(versions ${VERSION} and ${version})`);
});

it("the other copy is one: no class is shared", () => {
  expect(other.cqrx.CommandBus).not.toBe(own.CommandBus);
  expect(other.middleware.overlap).not.toBe(ownMiddleware.overlap);
});

describe("B04 B05 a value that cannot work across copies is refused where it is passed", () => {
  describe.each(Object.keys(allMiddleware(other)))("%s of another copy", (name) => {
    const foreign = allMiddleware(other)[name]!;

    it.each(["CommandBus", "QueryBus", "EventBus"] as const)("a %s refuses it", (Bus) => {
      const OwnBus = own[Bus] as new (options: own.BusOptions) => own.Bus;
      expectTwoCopies(
        thrownBy(() => new OwnBus({ middleware: [tap(), foreign] })),
        /^middleware\[1\] \(.+\) comes from/,
      );
    });

    it("when() and shared() refuse it", () => {
      expectTwoCopies(
        thrownBy(() => own.when(Save, foreign)),
        /^the middleware of when\(\) \(.+\) comes from/,
      );
      expectTwoCopies(
        thrownBy(() => own.shared(foreign)),
        /^the operator of shared\(\)/,
      );
    });

    it("around() refuses it, as it does a middleware of its own copy", () => {
      expectTwoCopies(
        thrownBy(() => own.around(foreign as never)),
        /^the function of around\(\)/,
      );
      expect(() => own.around(allMiddleware(here)[name] as never)).toThrow(own.InvalidMiddlewareError);
    });

    it("a default bus refuses it", () => {
      expectTwoCopies(
        thrownBy(() => own.defaultQueryBus.use(foreign)),
        /^middleware\[0\]/,
      );
    });

    it("an operator that hides it rejects each message", async () => {
      const bus = new own.QueryBus({ middleware: [(source) => foreign(source)] });
      bus.register(Get, () => 1);
      const result: unknown = await bus.ask(new Get()).catch((reason: unknown) => reason);
      // Outside a bus these two are plain operators, and when() narrows to another class.
      if (name === "shared" || name === "when") expect(result).toBe(1);
      else expectTwoCopies(result, "comes from", [VERSION, version]);
    });
  });

  it("a bus refuses the registry of another copy", () => {
    expectTwoCopies(
      thrownBy(() => new own.CommandBus({ registry: new other.cqrx.HandlerRegistry() })),
      /^registry/,
    );
  });

  it("a bus refuses a delivery of another copy that a middleware forwards, alone and in shared()", async () => {
    const swap = map(() => other.testing.delivery(new Save()) as never) as own.Middleware;
    for (const middleware of [swap, own.shared(swap, { holdTimeoutMs: 1_000 })]) {
      const bus = new own.CommandBus({ middleware: [middleware] });
      bus.faults$.subscribe();
      bus.register(Save, () => undefined);
      const error = (await bus.dispatch(new Save()).catch((reason: unknown) => reason)) as Error;
      expectTwoCopies(error instanceof own.MiddlewareCrashedError ? error.cause : error, "comes from");
      await bus.close();
    }
  });

  it("saga() refuses the buses of another copy, each of them", () => {
    const react = (events$: Observable<own.Envelope>): Observable<object> =>
      events$.pipe(map(() => new Save()));
    expectTwoCopies(
      thrownBy(() => own.saga(new other.cqrx.EventBus(), new own.CommandBus(), react)),
      /^the event bus of saga\(\)/,
    );
    expectTwoCopies(
      thrownBy(() => own.saga(new own.EventBus(), new other.cqrx.CommandBus(), react)),
      /^the command bus of saga\(\)/,
    );
  });

  it("enqueue() refuses a context of another copy, whose end it cannot await", async () => {
    const commands = new own.CommandBus();
    const refused: unknown[] = [];
    commands.register(Get, () => undefined);
    const otherCommands = new other.cqrx.CommandBus();
    otherCommands.register(Save, (_, context) => {
      refused.push(thrownBy(() => commands.enqueue(new Get(), { causedBy: context as never })));
    });
    await otherCommands.dispatch(new Save());
    expectTwoCopies(refused[0], /^causedBy/);
    expect(commands.inFlight).toBe(0);
  });

  it("scenario() refuses buses of another copy", () => {
    expectTwoCopies(
      thrownBy(() => ownTesting.scenario(new own.CommandBus(), new other.cqrx.EventBus())),
      /^a bus of scenario\(\)/,
    );
  });

  it("traceHeaders() refuses a context of another copy, whose trace it does not know", async () => {
    const bus = new other.cqrx.CommandBus({ middleware: [other.telemetry.tracing()] });
    const refused: unknown[] = [];
    bus.register(Save, (_, context) => {
      refused.push(thrownBy(() => ownTelemetry.traceHeaders(context)));
    });
    await bus.dispatch(new Save());
    expectTwoCopies(refused[0], /^the message of traceHeaders\(\)/);
  });

  it("the operator of a middleware refuses a delivery of another copy, as under deliveries()", async () => {
    const bus = new other.cqrx.CommandBus();
    bus.faults$.subscribe();
    const limited$: Observable<unknown> = bus.deliveries(Save).pipe(ownMiddleware.timeLimit(1_000) as never);
    const failure = lastValueFrom(limited$, { defaultValue: undefined }).catch((reason: unknown) => reason);
    const error = (await bus.dispatch(new Save()).catch((reason: unknown) => reason)) as Error;
    expectTwoCopies(await failure, "comes from");
    expect(error).toBeInstanceOf(own.HandlerStoppedError);
  });
});

describe("everything else works across copies", () => {
  class CreateUser extends other.cqrx.Command {
    constructor(readonly userId: string) {
      super();
    }
  }
  class CountUsers extends other.cqrx.Query<number> {}
  class UserCreated extends other.cqrx.DomainEvent {}

  it("messages, handlers, and plain operators of another RxJS", async () => {
    let passed = 0;
    let otherTap!: typeof tap;
    jest.isolateModules(() => {
      otherTap = jest.requireActual<{ tap: typeof tap }>("rxjs").tap;
    });
    expect(otherTap).not.toBe(tap);
    const middleware = [otherTap(() => passed++) as own.Middleware];
    const commands = new own.CommandBus({ middleware });
    const queries = new own.QueryBus({ middleware });
    const events = new own.EventBus({ middleware });
    const users: string[] = [];
    commands.register(CreateUser, ({ userId }) => void users.push(userId));
    queries.register(CountUsers, () => of(users.length).pipe(delay(0)));
    events.register(UserCreated, () => void users.push("again"));
    await commands.dispatch(new CreateUser("u1"));
    await events.publish(new UserCreated());
    await expect(queries.ask(new CountUsers())).resolves.toBe(2);
    expect(passed).toBe(3);
    // A kind is a kind in every copy.
    await expect(commands.dispatch(new CountUsers() as never)).rejects.toThrow(own.CqrsError);
    expect(() => events.register(CountUsers as never, () => undefined)).toThrow(
      "register its handler on a QueryBus",
    );
  });

  it("errors are told apart by their code", async () => {
    const bus = new other.cqrx.CommandBus();
    const error: unknown = await bus.dispatch(new CreateUser("u1")).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(own.CqrsError);
    expect(error).toBeInstanceOf(own.HandlerNotFoundError);
    expect(error).not.toBeInstanceOf(own.BusClosedError);
    const events = new other.cqrx.EventBus();
    events.register(Save, () => {
      throw new Error("no");
    });
    await expect(events.publish(new Save())).rejects.toBeInstanceOf(own.EventHandlersFailedError);
  });

  it("envelopes are dispatched and published under their own metadata", async () => {
    const envelope = other.cqrx.Envelope.of(new CreateUser("u1"), { id: "e1", headers: { tenant: "t1" } });
    const seen: own.Envelope[] = [];
    const commands = new own.CommandBus();
    const events = new own.EventBus();
    commands.messages$.subscribe((each) => seen.push(each));
    events.messages$.subscribe((each) => seen.push(each));
    commands.register(CreateUser, () => undefined);
    await commands.dispatch(envelope);
    await events.publish(other.cqrx.Envelope.of(new UserCreated(), { id: "e2" }));
    expect(seen.map(({ meta }) => meta.id)).toEqual(["e1", "e2"]);
    expect(seen[0]?.meta.headers).toEqual({ tenant: "t1" });
    expect(own.isEnvelope(envelope)).toBe(true);
    expect(other.cqrx.Envelope.of(new UserCreated(), { causedBy: seen[0] as never }).meta.causationId).toBe(
      "e1",
    );
  });

  it("causedBy takes correlation, causation and cancellation from a context, also while the bus closes", async () => {
    const [causes, effects] = [new other.cqrx.CommandBus(), new own.CommandBus()];
    const metas: own.MessageMeta[] = [];
    effects.messages$.subscribe(({ meta }) => metas.push(meta));
    let aborted: unknown;
    effects.register(CreateUser, (_, { signal }) => {
      signal.addEventListener("abort", () => {
        aborted = signal.reason;
      });
      return new Promise(() => undefined);
    });
    let effect: Promise<unknown> | undefined;
    let closed: Promise<unknown> | undefined;
    causes.register(Save, (_, context) => {
      void effects.dispatch(new CreateUser("u0"), { causedBy: context as never }).catch(() => undefined);
      closed = effects.close();
      effect = effects
        .dispatch(new CreateUser("u1"), { causedBy: context as never })
        .catch((reason: unknown) => reason);
      return effect;
    });
    const envelope = own.Envelope.of(new Save(), { id: "cause", correlationId: "request" });
    const controller = new AbortController();
    const dispatched = causes.dispatch(envelope, { signal: controller.signal });
    const reason = new Error("gone");
    controller.abort(reason);
    await expect(dispatched).rejects.toBe(reason);
    await expect(effect).resolves.toBe(reason);
    expect(aborted).toBe(reason);
    expect(metas.map(({ causationId, correlationId }) => [causationId, correlationId])).toEqual([
      ["cause", "request"],
      ["cause", "request"],
    ]);
    await closed;
  });

  it("streams of another copy refresh watch() and caching(), and pass ofType()", async () => {
    const commands = new other.cqrx.CommandBus();
    const created$ = commands.outcomes$.pipe(own.ofType(CreateUser) as never, own.fulfilled() as never);
    const queries = new own.QueryBus({
      middleware: [ownMiddleware.caching({ store: new Map(), refreshOn: created$ })],
    });
    let users = 0;
    commands.register(CreateUser, () => void users++);
    queries.register(CountUsers, () => users);
    const seen: unknown[] = [];
    const watching = queries
      .watch(new CountUsers(), { refreshOn: created$ })
      .subscribe((count) => seen.push(count));
    await commands.dispatch(new CreateUser("u1"));
    await commands.dispatch(new CreateUser("u2"));
    await ownTesting.settleAll(queries, commands);
    expect(seen[0]).toBe(0);
    expect(seen.at(-1)).toBe(2);
    watching.unsubscribe();
    await queries.close();
  });

  it("logTo(), recording() and settleAll() take buses of another copy", async () => {
    const bus = new other.cqrx.CommandBus();
    const lines: string[] = [];
    const logger = pino(
      {},
      { write: (line: string) => void lines.push((JSON.parse(line) as { msg: string }).msg) },
    );
    ownPino.logTo(bus, logger);
    const recorded = ownTesting.recording(bus);
    bus.register(CreateUser, async () => {
      await Promise.resolve();
      throw new other.cqrx.CqrsError("no");
    });
    void bus.dispatch(new CreateUser("u1")).catch(() => undefined);
    await ownTesting.settleAll(bus);
    expect(recorded.outcomesOf(CreateUser).map(({ status }) => status)).toEqual(["rejected"]);
    expect(lines).toEqual(["CreateUser rejected"]);
  });

  it("decorators register on a bus of another copy", async () => {
    const bus = new other.cqrx.CommandBus();
    const handle = jest.fn();
    own.command(CreateUser, bus as never)(handle as never);
    await bus.dispatch(new CreateUser("u1"));
    expect(handle).toHaveBeenCalledTimes(1);
  });
});
