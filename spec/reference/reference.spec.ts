import { describe, expect, it } from "@jest/globals";
import { CommandBus, EventBus, QueryBus, type Delivery, type Middleware } from "cqrx";
import fc from "fast-check";
import { filter, map, mergeMap, tap } from "rxjs";
import { canaries, macrotask } from "../support/traps.js";
import {
  ReferenceBus,
  type Kind,
  type ReferenceDelivery,
  type ReferenceMiddleware,
} from "./reference-bus.js";

type Work = "value" | "throw" | "wait" | "wait and reject" | "send another";
type Step = "record" | "wait" | "answer even ones" | "turn A into B";

interface Sent {
  readonly type: 0 | 1;
  readonly work: Work;
}

interface Program {
  readonly kind: Kind;
  readonly middleware: readonly Step[];
  readonly handlers: number;
  readonly actions: readonly (Sent | "release")[];
}

class A {
  constructor(
    readonly id: number,
    readonly work: Work,
  ) {}
}
class B extends A {}

/** The part of both buses that programs use. */
interface Bus {
  register(type: typeof A, handler: (message: A) => unknown): unknown;
  dispatch(message: object): Promise<unknown>;
  onMessage(next: (message: object) => void): void;
  onOutcome(next: (status: string, message: object) => void): void;
}

const buses: Record<"engine" | "reference", (kind: Kind, middleware: readonly ReferenceMiddleware[]) => Bus> =
  {
    reference(kind, middleware) {
      const bus = new ReferenceBus(kind, middleware);
      return {
        register: (type, handler) => bus.register(type, handler),
        dispatch: (message) => bus.dispatch(message),
        onMessage: (next) => bus.messages$.subscribe(next),
        onOutcome: (next) => bus.outcomes$.subscribe(({ status, message }) => next(status, message)),
      };
    },
    engine(kind, middleware) {
      const options = { middleware: middleware as unknown as readonly Middleware[] };
      const bus =
        kind === "command"
          ? new CommandBus(options)
          : kind === "query"
            ? new QueryBus(options)
            : new EventBus(options);
      return {
        register: (type, handler) => (bus as CommandBus).register(type, handler),
        dispatch: (message) =>
          bus instanceof CommandBus
            ? bus.dispatch(message)
            : bus instanceof QueryBus
              ? bus.ask(message)
              : bus.publish(message),
        onMessage: (next) => bus.messages$.subscribe(({ payload }) => next(payload)),
        onOutcome: (next) =>
          bus.outcomes$.subscribe(({ status, envelope }) => next(status, envelope.payload)),
      };
    },
  };

/** Runs a program on one of the buses and writes down everything that can be seen. */
async function logOf(
  { kind, middleware, handlers, actions }: Program,
  make: (typeof buses)["engine"],
): Promise<string[]> {
  const log: string[] = [];
  const name = (message: object): string => `${message.constructor.name}${(message as A).id}`;
  // Work that waits is released one at a time, and everything that follows from it happens before the next.
  const waiting: (() => void)[] = [];
  const gate = (): Promise<void> => new Promise((resolve) => waiting.push(resolve));
  const steps: Record<Step, (index: number) => ReferenceMiddleware> = {
    record: (index) => tap(({ message }) => void log.push(`middleware ${index}: ${name(message)}`)),
    wait: () => mergeMap((delivery) => gate().then(() => delivery)),
    "answer even ones": () =>
      filter((delivery) => {
        const even = (delivery.message as A).id % 2 === 0;
        if (even) delivery.resolve("answered");
        return !even;
      }),
    "turn A into B": () =>
      map((delivery) => {
        const { message } = delivery as { message: A };
        return message instanceof B ? delivery : delivery.with(new B(message.id, message.work));
      }),
  };
  let count = 0;
  const bus = make(
    kind,
    middleware.map((step, index) => steps[step](index)),
  );
  bus.onMessage((message) => log.push(`message ${name(message)}`));
  bus.onOutcome((status, message) => log.push(`outcome ${name(message)} ${status}`));
  const send = (Type: typeof A, work: Work): void => {
    const message = new Type(count++, work);
    bus.dispatch(message).then(
      (value) => log.push(`promise ${name(message)} fulfilled ${String(value)}`),
      (reason: Error) =>
        log.push(`promise ${name(message)} rejected ${String((reason as AggregateError).errors ?? reason)}`),
    );
  };
  const work: Record<Work, (message: A) => unknown> = {
    value: ({ id }) => id,
    throw: ({ id }) => {
      throw new Error(`thrown ${id}`);
    },
    wait: ({ id }) => gate().then(() => id),
    "wait and reject": ({ id }) => gate().then(() => Promise.reject(new Error(`rejected ${id}`))),
    "send another": ({ id }) => {
      send(B, "value");
      return id;
    },
  };
  for (const type of [A, B])
    for (let handler = 0; handler < (kind === "event" ? handlers : 1); handler++)
      bus.register(type, (message) => {
        log.push(`handler ${handler}: ${name(message)}`);
        return work[message.work](message);
      });
  for (const action of [
    ...actions,
    ...Array<"release">(actions.length * (1 + handlers + middleware.length)).fill("release"),
  ]) {
    if (action === "release") waiting.shift()?.();
    else send(action.type === 0 ? A : B, action.work);
    await macrotask();
  }
  return log;
}

const program: fc.Arbitrary<Program> = fc.record({
  kind: fc.constantFrom<Kind>("command", "query", "event"),
  middleware: fc.array(fc.constantFrom<Step>("record", "wait", "answer even ones", "turn A into B"), {
    maxLength: 4,
  }),
  handlers: fc.integer({ min: 1, max: 3 }),
  actions: fc.array(
    fc.oneof(
      { weight: 1, arbitrary: fc.constant("release" as const) },
      {
        weight: 2,
        arbitrary: fc.record({
          type: fc.constantFrom<0 | 1>(0, 1),
          work: fc.constantFrom<Work>("value", "throw", "wait", "wait and reject", "send another"),
        }),
      },
    ),
    { minLength: 1, maxLength: 6 },
  ),
});

describe("the engine and the reference bus", () => {
  it("agree in results, in the order of handling and in the order of outcomes", async () => {
    let outcomes = 0;
    await fc.assert(
      fc.asyncProperty(program, async (random) => {
        const expected = await logOf(random, buses.reference);
        outcomes += expected.filter((line) => line.startsWith("outcome")).length;
        expect(await logOf(random, buses.engine)).toEqual(expected);
      }),
      { numRuns: 150 },
    );
    // A reference that handled nothing would agree with an engine that handles nothing.
    expect(outcomes).toBeGreaterThan(150);
    await canaries(new CommandBus(), new QueryBus(), new EventBus());
  });

  it("differ if a fault ends the pipeline of the reference, because the engine adds isolation", async () => {
    const failing = map((delivery: ReferenceDelivery | Delivery) => {
      if ((delivery.message as A).id === 0) throw new Error("fault");
      return delivery;
    });
    const log = async (make: (typeof buses)["engine"]): Promise<number> => {
      let handled = 0;
      const bus = make("command", [failing as ReferenceMiddleware]);
      bus.register(A, () => void handled++);
      for (const id of [0, 1]) void bus.dispatch(new A(id, "value")).catch(() => undefined);
      await macrotask();
      return handled;
    };
    expect(await log(buses.engine)).toBe(1);
  });
});
