import { describe, expect, it } from "@jest/globals";
import {
  around,
  CommandBus,
  EventBus,
  InvalidMiddlewareError,
  InvalidOptionsError,
  QueryBus,
  when,
  type Middleware,
} from "cqrx";
import { pipe, tap } from "rxjs";
import {
  batching,
  caching,
  coalescing,
  idempotency,
  overlap,
  retrying,
  timeLimit,
  validation,
} from "cqrx/middleware";
import { reasonOf } from "../conformance/support.js";
import { withTraps } from "../support/traps.js";
import { faultsOf } from "./support.js";

class Find {}

/** Every factory that takes options, with options that are right. */
const factories: Record<string, [make: (options: never) => Middleware, right?: object]> = {
  overlap: [overlap, { strategy: "concat" }],
  retrying: [retrying, { count: 1 }],
  batching: [batching, { load: (queries: readonly object[]) => Promise.resolve(queries) }],
  timeLimit: [(options) => timeLimit(1, options)],
  validation: [validation],
  coalescing: [coalescing],
  caching: [caching, { store: new Map() }],
  idempotency: [idempotency, { store: new Map(), key: () => "key" }],
};

const waiting = ["retrying", "batching", "timeLimit"];

function refusal(
  make: () => unknown,
  kind: typeof InvalidOptionsError | typeof InvalidMiddlewareError = InvalidOptionsError,
): string {
  try {
    make();
  } catch (error) {
    expect(error).toBeInstanceOf(kind);
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

describe.each(Object.entries(factories))("%s", (name, [make, right = {}]) => {
  it.each([null, 42, "options", true])("refuses %p for options", (options) => {
    expect(refusal(() => make(options as never))).toContain(`${name}(): options must be an object; received`);
  });

  it("refuses an unknown option by its name", () => {
    expect(refusal(() => make({ ...right, colour: "red" } as never))).toContain(
      `${name}(): unknown option colour; pass one of`,
    );
  });

  it("accepts valid options", () => {
    expect(typeof make(right as never)).toBe("function");
  });
});

describe.each(waiting)("%s", (name) => {
  it.each([null, 42, {}, "asap", () => 0])("refuses %p for a scheduler", (scheduler) => {
    const [make, right] = factories[name]!;
    expect(refusal(() => make({ ...right, scheduler } as never))).toContain(`${name}(): scheduler must be`);
  });
});

it.each([
  () => retrying({ count: 1, delayMs: "5" as never }),
  () => retrying({ count: 1, delayMs: Infinity }),
  () => retrying({ count: 1, maxDelayMs: "5" as never }),
  () => retrying({ count: "2" as never }),
  () => batching({ windowMs: "5" as never, load: () => Promise.resolve([]) }),
  () => batching({ maxSize: "5" as never, load: () => Promise.resolve([]) }),
  () => caching({ store: new Map(), ttlMs: "5" as never }),
  () => caching({ store: new Map(), ttlMs: 5, staleWhileRevalidateMs: NaN }),
  () => caching({ store: new Map(), storeTimeoutMs: null as never }),
  () => idempotency({ store: new Map(), key: () => "key", ttlMs: 0 }),
  () => overlap({ strategy: "concat", maxQueued: "5" as never }),
  () => overlap({ strategy: "merge", concurrency: "5" as never }),
  () => timeLimit("5" as never),
])("%s: a number is a number", (make) => {
  expect(refusal(make)).toMatch(/received/);
});

it.each([timeLimit, overlap, retrying, caching, idempotency, batching, coalescing, validation, around])(
  "a bus is told which of its middleware was not called: %p",
  (factory) => {
    expect(refusal(() => new CommandBus({ middleware: [factory as never] }), InvalidMiddlewareError)).toBe(
      `middleware[0] (${factory.name}) is what makes a middleware; call it.`,
    );
  },
);

it.each([
  () => retrying({ count: 1, jitter: 0.2 as never }),
  () => retrying({ count: 1, jitter: null as never }),
  () => validation({ schemas: new WeakMap() as never }),
  () => validation({ schemas: { get: () => undefined } as never }),
  () => validation({ schemas: null as never }),
  () => validation({ schemas: [[Find, schema]] as never }),
])("%s: another thing than asked for is refused by the name of the option", (make) => {
  expect(refusal(make)).toMatch(/jitter|schemas/);
});

const schema = { "~standard": { version: 1, vendor: "spec", validate: () => undefined } };

it.each([undefined, null, 5, "ok", Promise.resolve(undefined)])(
  "a schema whose validate returns %p is told so, and not the sender",
  async (returned) => {
    const broken = { "~standard": { ...schema["~standard"], validate: () => returned } } as never;
    const bus = new QueryBus({ middleware: [validation({ schemas: new Map([[Find, broken]]) })] });
    bus.register(Find, () => 1);
    expect(String(await reasonOf(bus.ask(new Find())))).toContain(
      "The schema of Find did not return a result; its validate() must return { value } or { issues }.",
    );
  },
);

it.each([5, -1, NaN, "0.5", null])("retrying: a random that returns %p is refused", async (random) => {
  const bus = new QueryBus({
    middleware: [retrying({ count: 1, delayMs: 5, random: () => random as never })],
  });
  bus.register(Find, () => {
    throw new Error("boom");
  });
  const reason = await reasonOf(bus.ask(new Find()));
  expect(reason).toBeInstanceOf(InvalidOptionsError);
  expect(String(reason)).toContain("retrying(): random must be a function that returns a number from 0 to 1");
});

it.each([{ storedMs: 0 }, { storedMs: 0, fingerprint: 5 }, { fingerprint: "Find{}" }, [], "text"])(
  "idempotency: %p in the store is not a record of a message",
  async (stored) => {
    const store = new Map<unknown, unknown>([["key", stored]]);
    const bus = new QueryBus({ middleware: [idempotency({ store, key: () => "key" })] });
    bus.register(Find, () => 1);
    expect(await bus.ask(new Find())).toBe(1);
  },
);

const broken = (async () => {
  throw new Error("too late");
}) as never;

it.each<[string, Middleware, string]>([
  [
    "caching",
    caching({ store: new Map(), key: broken }),
    "caching(): key must be a function that returns the key itself; received a promise",
  ],
  [
    "coalescing",
    coalescing({ key: broken }),
    "coalescing(): key must be a function that returns the key itself; received a promise",
  ],
  [
    "overlap",
    overlap({ strategy: "concat", key: broken }),
    "overlap(): key must be a function that returns the key itself; received a promise",
  ],
  [
    "idempotency",
    idempotency({ store: new Map(), key: broken }),
    "idempotency(): key must be a function that returns a string or undefined",
  ],
  [
    "idempotency",
    idempotency({ store: new Map(), key: () => "key", fingerprint: broken }),
    "idempotency(): fingerprint must be a function that returns a string",
  ],
  [
    "timeLimit",
    timeLimit(broken),
    "timeLimit(): limitMs must be a function that returns a number of milliseconds above 0",
  ],
])(
  "%s: a callback that is asynchronous by mistake rejects its message, and nothing else",
  (_, made, problem) =>
    withTraps(async () => {
      const bus = new QueryBus({ middleware: [made] });
      const faults = faultsOf(bus);
      bus.register(Find, () => 1);
      const reason = await reasonOf(bus.ask(new Find()));
      expect(reason).toBeInstanceOf(InvalidOptionsError);
      expect(String(reason)).toContain(problem);
      expect(faults).toEqual([]);
    }),
);

describe.each<[string, () => Middleware]>([
  ["caching", () => caching({ store: new Map() })],
  ["coalescing", () => coalescing()],
  ["batching", () => batching({ load: () => [1] })],
])("%s", (name, make) => {
  it("is refused by a bus of commands or events, because it would swallow them", async () => {
    for (const Bus of [CommandBus, EventBus]) {
      for (const middleware of [make(), when(Find, make())])
        expect(refusal(() => new Bus({ middleware: [middleware] }), InvalidMiddlewareError)).toBe(
          `${name}() is for queries: on ${Bus.name}, it would keep messages from their handlers.`,
        );
      const bus = new Bus({ middleware: [pipe(tap(), make())] });
      (bus as CommandBus).register(Find, () => undefined);
      const send = (): Promise<unknown> =>
        bus instanceof CommandBus ? bus.dispatch(new Find()) : bus.publish(new Find());
      expect(await reasonOf(send())).toBeInstanceOf(InvalidMiddlewareError);
    }
  });
});
