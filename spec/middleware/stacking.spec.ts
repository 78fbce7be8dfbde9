// All ready-made middleware, stacked in random orders, also with middleware of the three other kinds between them.
import { describe, expect, it } from "@jest/globals";
import {
  around,
  CommandBus,
  QueryBus,
  shared,
  when,
  type Fault,
  type Middleware,
  type Outcome,
  type StandardSchema,
} from "cqrx";
import * as ready from "cqrx/middleware";
import fc from "fast-check";
import { filter, map, mergeMap, tap } from "rxjs";
import { canaries, withTraps } from "../support/traps.js";

class Work {
  readonly n: number;
  readonly how: How;

  constructor(n: number, how: How) {
    this.n = n;
    this.how = how;
  }
}

type How = "value" | "throw" | "promise" | "reject" | "abort";

const boom = new Error("boom");

/** The effects of a message, and its end. */
function handle({ n, how }: Work, done: number[]): unknown {
  done.push(n);
  switch (how) {
    case "value":
      return n;
    case "throw":
      throw boom;
    case "promise":
      return Promise.resolve().then(() => n);
    case "reject":
      return Promise.reject(boom);
    case "abort":
      return new Promise(() => undefined);
  }
}

const schema: StandardSchema = {
  "~standard": { version: 1, vendor: "spec", validate: (value) => ({ value: { ...(value as Work) } }) },
};
const isWork = (message: object): message is Work => message instanceof Work;

/** Factories by export name; each with checks that are synchronous. */
const READY: { readonly [name: string]: (done: number[]) => Middleware } = {
  overlap: () => ready.overlap({ strategy: "merge", concurrency: 100 }),
  timeLimit: () => ready.timeLimit(60_000),
  retrying: () => ready.retrying({ count: 2 }),
  validation: () => ready.validation({ schemas: new Map([[Work, schema]]) }),
  authorization: () => ready.authorization(() => true),
  idempotency: () =>
    ready.idempotency({
      key: (message) => (isWork(message) ? String(message.n) : undefined),
      store: new Map(),
    }),
  caching: () => ready.caching({ store: new Map(), ttlMs: 1_000, staleWhileRevalidateMs: 1_000 }),
  coalescing: () => ready.coalescing(),
  // In place of the handler, for one query at a time.
  batching: (done) =>
    when(
      Work,
      ready.batching<Work, unknown>({ maxSize: 1, load: ([work]) => one(handle(work!, done)) }) as never,
    ),
};
const QUERIES_ONLY = ["caching", "coalescing", "batching"];

function one(result: unknown): readonly unknown[] | Promise<readonly unknown[]> {
  return result instanceof Promise ? (result as Promise<unknown>).then((value) => [value]) : [result];
}

const OTHERS: { readonly [name: string]: () => Middleware } = {
  tap: () => tap(() => undefined),
  operators: () => (source) => source.pipe(filter(() => true), map((delivery) => delivery), mergeMap((delivery) => [delivery])), // prettier-ignore
  around: () => around((message, next) => next(message)),
  "around async": () => around(async (message, next) => next(message)),
  "shared tap": () => shared(tap(() => undefined)),
  "when overlap": () => when(Work, ready.overlap({ strategy: "concat", key: (work) => work.n })),
};

/** Returns all of `names` and some other names, in any order. */
const stackOf = (names: readonly string[]): fc.Arbitrary<string[]> =>
  fc
    .subarray(Object.keys(OTHERS))
    .chain((others) =>
      fc.shuffledSubarray([...names, ...others], { minLength: names.length + others.length }),
    );
const build = (stack: readonly string[], done: number[]): Middleware[] =>
  stack.map((name) => READY[name]?.(done) ?? OTHERS[name]!());
const hows = fc.array(fc.constantFrom<How>("value", "throw", "promise", "reject", "abort"), { maxLength: 6 });

interface Send {
  (work: Work, signal?: AbortSignal): Promise<unknown>;
}

/** Sends messages that end in any way, in turn and at the same time, and compares every end with its outcome. */
async function endsOnce(
  bus: CommandBus | QueryBus,
  send: Send,
  kinds: readonly How[],
  faults: readonly Fault[],
  isCommand: boolean,
): Promise<void> {
  const outcomes = new Map<number, Outcome[]>();
  bus.outcomes$.subscribe((outcome) => {
    const { n } = outcome.envelope.payload as Work;
    if (n !== undefined) outcomes.set(n, [...(outcomes.get(n) ?? []), outcome]);
  });
  let n = 100;
  const start = (how: How): [Work, Promise<PromiseSettledResult<unknown>[]>] => {
    const work = new Work(n++, how);
    const controller = new AbortController();
    const settled = Promise.allSettled([send(work, controller.signal)]);
    if (how === "abort") controller.abort(boom);
    return [work, settled];
  };
  const check = async ([work, settled]: ReturnType<typeof start>): Promise<void> => {
    const [end] = await settled;
    expect(outcomes.get(work.n)).toHaveLength(1);
    expect(outcomes.get(work.n)![0]).toMatchObject(end!);
    if (work.how === "value" || work.how === "promise")
      expect(end).toEqual({ status: "fulfilled", value: isCommand ? undefined : work.n });
    else expect((end as PromiseRejectedResult).reason).toBe(boom);
  };
  for (const how of kinds) await check(start(how));
  await Promise.all(kinds.map(start).map(check));
  expect(bus.inFlight).toBe(0);
  expect(faults).toEqual([]);
}

describe("all ready-made middleware, stacked in any order", () => {
  it("includes each middleware of the entry point", () => {
    const notMiddleware = ["isRetryable", "messageKey"];
    const factories = Object.keys(ready).filter(
      (name) => /^[a-z]/.test(name) && !notMiddleware.includes(name),
    );
    expect(factories.sort()).toEqual(Object.keys(READY).sort());
  });

  it("C9 runs an un-awaited dispatch synchronously, and breaks no rule", () =>
    withTraps(() =>
      fc.assert(
        fc.asyncProperty(
          stackOf(Object.keys(READY).filter((name) => !QUERIES_ONLY.includes(name))),
          hows,
          async (stack, kinds) => {
            const done: number[] = [];
            const bus = new CommandBus({ middleware: build(stack, done) });
            const faults: Fault[] = [];
            bus.faults$.subscribe((fault) => faults.push(fault));
            bus.register(Work, (work) => handle(work, done) as void);
            const sent: Promise<unknown>[] = [];
            for (let n = 1; n <= 3; n++) {
              sent.push(bus.dispatch(new Work(n, "value")));
              expect(done.at(-1)).toBe(n);
            }
            const send: Send = (work, signal) => bus.dispatch(work, signal && { signal });
            await Promise.all(sent);
            await endsOnce(bus, send, kinds, faults, true);
            await canaries(bus);
          },
        ),
        { numRuns: 100 },
      ),
    ));

  it("C9 runs an un-awaited ask synchronously, and breaks no rule", () =>
    withTraps(() =>
      fc.assert(
        fc.asyncProperty(stackOf(Object.keys(READY)), hows, async (stack, kinds) => {
          const done: number[] = [];
          const bus = new QueryBus({ middleware: build(stack, done) });
          const faults: Fault[] = [];
          bus.faults$.subscribe((fault) => faults.push(fault));
          bus.register(Work, (work) => handle(work, done));
          const sent: Promise<unknown>[] = [];
          for (let n = 1; n <= 3; n++) {
            sent.push(bus.ask(new Work(n, "value")));
            expect(done.at(-1)).toBe(n);
          }
          const send: Send = (work, signal) => bus.ask(work, signal && { signal });
          await Promise.all(sent);
          await endsOnce(bus, send, kinds, faults, false);
          await canaries(bus);
        }),
        { numRuns: 100 },
      ),
    ));
});
