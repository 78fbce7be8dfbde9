import { describe, expect, it } from "@jest/globals";
import {
  around,
  Command,
  type BusOptions,
  CommandBus,
  CqrsError,
  DomainEvent,
  Envelope,
  event,
  command,
  EventBus,
  HandlerRegistry,
  Query,
  query,
  QueryBus,
  saga,
  shared,
  when,
  type Delivery,
  type SagaFunction,
} from "cqrx";
import { recording } from "cqrx/testing";
import { identity, lastValueFrom, map, tap, toArray } from "rxjs";
import { canaries, withTraps } from "../../support/traps.js";

class CreateUser {}
class GetUser {}

class SomeCommand extends Command {}
class SomeQuery extends Query<void> {}
class SomeEvent extends DomainEvent {}

/** Sends a message by the method of its kind of bus, without types. */
function send(bus: CommandBus | QueryBus | EventBus, message: unknown): Promise<unknown> {
  if (bus instanceof CommandBus) return bus.dispatch(message as object);
  return bus instanceof QueryBus ? bus.ask(message as object) : bus.publish(message as object);
}

const nothing: SagaFunction = (events$) => events$;

/** Returns the text of the error that `make` throws: it must name the value and the problem. */
function refusal(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(CqrsError);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

// Three generic classes have no construct signature in common.
type AnyBus = new (options?: BusOptions) => CommandBus | QueryBus | EventBus;

describe.each([CommandBus, QueryBus, EventBus] as AnyBus[])("new %p", (Bus) => {
  it.each([null, "options", 42, () => ({})])("refuses %p for options", (options) => {
    expect(refusal(() => new Bus(options as never))).toMatch(
      new RegExp(`^new ${Bus.name}\\(\\): options must be an object; received `),
    );
  });

  it("refuses an option that it does not know, by name", () => {
    expect(refusal(() => new Bus({ middlewares: [] } as never))).toMatch(
      `new ${Bus.name}(): unknown option middlewares; pass one of middleware, `,
    );
  });

  it.each([
    ["middleware", ["x", 42, tap(), new Set(), null], "an array"],
    ["registry", ["x", 42, {}, new Map(), null], "a HandlerRegistry"],
    ["maxDepth", ["x", "5", true, 0, -1, NaN, {}, null], "a number from 1"],
    ["clock", ["x", 42, {}, Date.now, null], "a clock, which has a method now()"],
    ["name", [42, {}, Symbol("name"), null], "a text"],
    ["ids", ["x", 42, {}, null], "a function"],
  ])("refuses a bad %s", (option, bad, expected) => {
    for (const value of bad) {
      const make = (): unknown => new Bus({ [option]: value });
      expect(refusal(make)).toMatch(`new ${Bus.name}(): ${option} must be ${expected}; received `);
      expect(make).toThrow(expect.objectContaining({ code: "INVALID_OPTIONS", option, expected }));
    }
  });

  it.each<unknown>([
    null,
    "options",
    42,
    true,
    () => ({}),
    new AbortController().signal,
    { timeout: 5 },
    { toString: 5 },
  ])("refuses a message with %p for options", (options) =>
    withTraps(async () => {
      const bus = new Bus({ fallback: () => undefined });
      const sent = bus instanceof EventBus ? bus.publish : bus instanceof QueryBus ? bus.ask : bus.dispatch;
      await expect(sent.call(bus, new CreateUser(), options as never)).rejects.toMatchObject({
        code: "INVALID_OPTIONS",
      });
      await canaries(bus);
    }),
  );

  it("checks a fallback like a handler", () => {
    for (const bad of ["x", 42, {}, function* () {}, { *handle() {} }, class {}])
      expect(refusal(() => new Bus({ fallback: bad as never }))).toMatch(/^The fallback is /);
  });

  it("calls an object that is its fallback, and gives it messages only", () =>
    withTraps(async () => {
      const handled: unknown[] = [];
      const bus = new Bus({ fallback: { handle: (message: object) => void handled.push(message) } });
      const given: unknown[] = [new CreateUser(), CreateUser, () => 0, "text", 7, [1], Promise.resolve()];
      const results = await Promise.allSettled(given.map((message) => send(bus, message)));
      expect(results.map(({ status }) => status)).toEqual([
        "fulfilled",
        ...Array<string>(6).fill("rejected"),
      ]);
      expect(results[1]).toMatchObject({
        reason: { message: expect.stringContaining("did you forget new?") },
      });
      expect(handled).toEqual([new CreateUser()]);
      await canaries(bus);
    }));

  it("refuses a message that is marked as another kind", () =>
    withTraps(async () => {
      for (const bus of [new Bus({ fallback: () => undefined }), new EventBus()])
        for (const Type of [SomeCommand, SomeQuery, SomeEvent]) {
          const [result] = await Promise.allSettled([send(bus, new Type())]);
          if (new Type()["~kind"] === bus.describe().kind) expect(result.status).toBe("fulfilled");
          else
            expect(String((result as PromiseRejectedResult).reason)).toMatch(
              / is an? (command|query|event); /,
            );
        }
    }));

  it("generates ids if the given factory fails", () =>
    withTraps(async () => {
      const failing: (() => unknown)[] = [
        () => {
          throw new Error("no id");
        },
        () => 7,
        () => undefined,
        () => "",
      ];
      for (const ids of failing) {
        const bus = new Bus({ ids: ids as never });
        const { faults, messages } = recording(bus);
        (bus as CommandBus).register(CreateUser, () => new Promise(() => undefined));
        const sent = Promise.allSettled([send(bus, new CreateUser())]);
        const report = await bus.close({ timeoutMs: 0 });
        expect(report.aborted).toEqual([expect.any(String)]);
        expect(messages[0]?.meta.id).toBe(report.aborted[0]);
        expect(faults).toEqual([expect.objectContaining({ kind: "observer", source: `ids of ${Bus.name}` })]);
        await sent;
      }
    }));

  it("takes undefined for an option that is not given", () =>
    withTraps(async () => {
      const none = undefined;
      const options = { middleware: none, registry: none, fallback: none, maxDepth: none, clock: none };
      await canaries(new Bus({ ...options, ids: none, name: none } as never));
    }));

  it("refuses unknown options of a message, and rejects it", () =>
    withTraps(async () => {
      const bus = new Bus({ fallback: () => undefined });
      const options = { causeBy: new CreateUser() } as never;
      const sent =
        bus instanceof CommandBus
          ? bus.dispatch(new CreateUser(), options)
          : bus instanceof QueryBus
            ? bus.ask(new CreateUser(), options)
            : bus.publish(new CreateUser(), options);
      await expect(sent).rejects.toThrow("unknown option causeBy; pass one of signal, headers, causedBy");
      await canaries(bus);
    }));
});

it.each([
  [
    () => new EventBus({ strategy: "serial" as never }),
    'new EventBus(): strategy must be "parallel" or "sequential"; received "serial".',
  ],
  [
    () => new CommandBus({ background: null as never }),
    "new CommandBus(): background must be an object; received null.",
  ],
  [
    () => new CommandBus({ background: { retry: { count: 1, retryIf: "always" as never } } }),
    'new CommandBus(): background.retry.retryIf must be a function; received "always".',
  ],
  [
    () => shared(((_: unknown, next: () => unknown) => next()) as never),
    /^the operator of shared\(\) takes more than a stream/,
  ],
  [() => shared(identity, null as never), "shared(): options must be an object; received null."],
  [() => when(CreateUser, 42 as never), /^the middleware of when\(\) is 42/],
  [() => when(CreateUser, (() => undefined) as never), /^the middleware of when\(\) does not return/],
  [() => when(CreateUser, (async () => undefined) as never), /^the middleware of when\(\) does not return/],
  [
    () => when(CreateUser, around as never),
    /^the middleware of when\(\) \(around\) is what makes a middleware/,
  ],
  [
    () => when(CreateUser, (() => around((_, next) => next())) as never),
    /^the middleware of when\(\) is what makes a middleware; call it/,
  ],
  [
    () => shared(identity, { holdTimeoutMs: "long" as never }),
    'shared(): holdTimeoutMs must be a number of milliseconds above 0; received "long".',
  ],
  [() => Envelope.of(new CreateUser(), null as never), "meta is not an object."],
  [() => saga(null as never, new CommandBus(), nothing), /^saga\(\) takes an event bus, a command bus/],
  [() => saga(new EventBus(), null as never, nothing), /^saga\(\) takes an event bus, a command bus/],
  [() => saga(new CommandBus() as never, new EventBus() as never, nothing), /^saga\(\) takes an event bus/],
  [
    () => saga(new EventBus(), new CommandBus(), nothing, null as never),
    "saga(): options must be an object; received null.",
  ],
  [() => command(CreateUser, null as never), /^@command takes a message class and the bus for it/],
  [() => query(GetUser, null as never), /^@query takes a message class and the bus for it/],
  [() => event(CreateUser, null as never), /^@event takes a message class and the bus for it/],
])("%s says what is wrong", (make, text) => {
  const refused = refusal(make);
  if (typeof text === "string") expect(refused).toBe(text);
  else expect(refused).toMatch(text);
});

it("a registry that was filled first is checked by the bus that takes it", () => {
  const registry = new HandlerRegistry();
  registry.register(SomeQuery, () => undefined);
  expect(refusal(() => new CommandBus({ registry }))).toBe(
    "SomeQuery is a query; register its handler on a QueryBus.",
  );
  const events = new HandlerRegistry();
  events.register(SomeEvent, () => undefined);
  events.register(SomeEvent, () => undefined);
  expect(new EventBus({ registry: events }).describe().handlers[0]?.handlers).toHaveLength(2);
  expect(refusal(() => new CommandBus({ registry: events }))).toMatch(
    /^This registry belongs to event buses/,
  );
});

it("the deliveries of a bus that is closed are over", async () => {
  const bus = new CommandBus();
  await bus.close();
  expect(await lastValueFrom(bus.deliveries(CreateUser).pipe(toArray()), { defaultValue: [] })).toEqual([]);
  expect(bus.describe().handlers).toEqual([]);
});

it("a delivery resolves with a promise, and refuses null for a message", () =>
  withTraps(async () => {
    const results = [() => Promise.resolve(1), () => Promise.reject(new Error("late"))];
    for (const result of results) {
      const bus = new QueryBus<unknown>();
      const { outcomes } = recording(bus);
      const settling = bus.deliveries(GetUser).subscribe((delivery) => delivery.resolve(result()));
      const [asked] = await Promise.allSettled([bus.ask(new GetUser())]);
      expect(outcomes).toEqual([expect.objectContaining(asked)]);
      settling.unsubscribe();
      await canaries(bus);
    }
    const bus = new CommandBus({ middleware: [map((delivery: Delivery) => delivery.with(null as never))] });
    bus.register(CreateUser, () => undefined);
    await expect(bus.dispatch(new CreateUser())).rejects.toThrow("delivery.with() takes a message");
  }));

it("takes options where other code has added a field to every object", () =>
  withTraps(async () => {
    const everyObject = Object.prototype as { added?: number };
    everyObject.added = 1;
    try {
      const bus = new CommandBus({});
      bus.register(CreateUser, () => undefined);
      await bus.dispatch(new CreateUser(), { headers: {} });
    } finally {
      delete everyObject.added;
    }
  }));

it("a function with a then is waited for like any promise", () =>
  withTraps(async () => {
    const bus = new CommandBus();
    bus.register(CreateUser, () =>
      Object.assign(() => undefined, {
        then: (_: unknown, reject: (error: Error) => void) => reject(new Error("not lost")),
      }),
    );
    await expect(bus.dispatch(new CreateUser())).rejects.toThrow("not lost");
  }));
