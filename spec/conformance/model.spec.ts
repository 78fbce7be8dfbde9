import { afterAll, beforeAll, describe, expect, it, jest } from "@jest/globals";
import {
  around,
  CommandBus,
  type CqrsError,
  EventBus,
  QueryBus,
  shared,
  type CloseReport,
  type Delivery,
  type Envelope,
  type HandlerContext,
  type Middleware,
  type Outcome,
} from "cqrx";
import fc from "fast-check";
import { filter, map, mergeMap, tap, type Observable, type Subscription } from "rxjs";
import { escapedFrom, macrotask } from "../support/traps.js";
import { watch, type Watched } from "./support.js";

const RUNS = 200;

/** The end of a handler of the model, and the work of its middleware before. Synchronous unless marked otherwise. */
const ENDINGS = ["value", "throw", "reject", "later", "laterReject", "never", "child", "laterChild"] as const;
const ROUTES = [
  "through",
  "drop",
  "throwInOperator",
  "throwInAround",
  "throwInShared",
  "forwardTwice",
  "retry",
  "laterOperator",
] as const;

class Message {
  readonly n: number;
  readonly ending: (typeof ENDINGS)[number];
  readonly route: (typeof ROUTES)[number];
  readonly parent: number | undefined;

  constructor(n: number, ending: Message["ending"], route: Message["route"], parent?: number) {
    this.n = n;
    this.ending = ending;
    this.route = route;
    this.parent = parent;
  }
}
class First extends Message {}
class Second extends Message {}
class Third extends Message {}
const TYPES = [First, Second, Third] as const;
const KINDS = ["command", "query", "event"] as const;
type Kind = (typeof KINDS)[number];

class Injected extends Error {}

/** An async observer: the type of `subscribe` does not allow for it, and applications write it. */
const failLater = (() => Promise.reject(new Injected("observer"))) as () => void;

/** One entry in the log of an observer. */
type Seen = `message ${string}` | `outcome ${string}`;

/** The facts about a message when it is sent, and its cancellation from outside. */
interface Sent {
  readonly kind: Kind;
  readonly message: Message;
  readonly watched: Watched;
  readonly controller: AbortController;
  readonly handlers: number;
  readonly open: boolean;
  /** Nothing else was running. */
  readonly onTop: boolean;
  readonly parent: Sent | undefined;
  /** The reason that its signal was aborted with before it was sent. */
  readonly abortedBefore: Error | undefined;
  /** The same afterwards, and true if the bus was open then. */
  aborted?: { readonly reason: Error; readonly open: boolean };
}

const hasCode = (reason: unknown, code: string): boolean => (reason as Partial<CqrsError>)?.code === code;
const isInjected = (reason: unknown, by: string): boolean =>
  reason instanceof Injected && reason.message === by;

/** Returns true if a message without interference ended as its route and its handlers say. */
function endedByItself({ kind, message, watched, handlers }: Sent): boolean {
  const { status, value, reason } = watched;
  if (message.route === "drop") return hasCode(reason, "MESSAGE_DROPPED");
  if (message.route === "throwInOperator") return isInjected(reason, "operator");
  if (message.route === "throwInAround") return isInjected(reason, "around");
  if (message.route === "throwInShared") return hasCode(reason, "MIDDLEWARE_CRASHED");
  if (handlers === 0) return status === "fulfilled" && value === undefined;
  switch (message.ending) {
    case "throw":
    case "reject":
    case "laterReject":
      return kind === "event"
        ? reason instanceof AggregateError &&
            reason.errors.length === handlers &&
            reason.errors.every((error) => isInjected(error, "handler"))
        : isInjected(reason, "handler");
    case "value":
    case "later":
      return status === "fulfilled" && value === (kind === "query" ? message.n : undefined);
    case "child":
    case "laterChild":
      return status === "fulfilled" && value === undefined;
    case "never":
      return false;
  }
}

/** Returns true if the message ended in one of the allowed ways. */
function endedRight(sent: Sent): boolean {
  const { kind, handlers, open, onTop, parent, abortedBefore, aborted, watched } = sent;
  const { reason } = watched;
  if (!open && parent === undefined) return hasCode(reason, "BUS_CLOSED");
  if (!open && hasCode(reason, "BUS_CLOSED")) return true;
  if (!onTop && hasCode(reason, "DISPATCH_DEPTH_EXCEEDED")) return true;
  if (kind !== "event" && handlers === 0) return hasCode(reason, "HANDLER_NOT_FOUND");
  if (abortedBefore !== undefined) return reason === abortedBefore;
  // It is cancelled with its cause.
  if (parent !== undefined && watched.status === "rejected" && reason === parent.watched.reason) return true;
  if (endedByItself(sent)) return true;
  // Interference follows from here on, and only asynchronous messages leave time for it.
  if (isSynchronous(sent)) return false;
  if (aborted?.open) return reason === aborted.reason;
  return hasCode(reason, "BUS_CLOSED") || (aborted !== undefined && reason === aborted.reason);
}

function isSynchronous({ message: { ending, route }, handlers }: Sent): boolean {
  if (route === "laterOperator" || route === "retry") return false;
  return handlers === 0 || ending === "value" || ending === "throw" || ending === "child";
}

/** The buses under test, with a record of everything that is visible from outside. */
class Rig {
  readonly commandBus: CommandBus;
  readonly queryBus: QueryBus;
  readonly eventBus: EventBus;
  readonly sent: Sent[] = [];
  /** Every registration, and true while it is active. */
  readonly registered: { readonly kind: Kind; readonly type: number; live: boolean }[] = [];
  readonly accepted = new Map<Kind, Envelope[]>();
  readonly outcomes = new Map<Kind, Outcome[]>();
  readonly logs = new Map<Kind, Seen[][]>();
  readonly registrations: Subscription[] = [];
  readonly visitors: Subscription[] = [];
  readonly closings: Watched<CloseReport>[] = [];
  readonly closed = new Set<Kind>();
  #messages = 0;
  #visits = 0;
  #nested = 0;

  readonly scheduler: fc.Scheduler;

  constructor(scheduler: fc.Scheduler) {
    this.scheduler = scheduler;
    let retried = -1;
    const middleware: Middleware<Message>[] = [
      around((message: Message, next) => {
        if (message.route === "throwInAround") throw new Injected("around");
        if (message.route !== "retry" || retried === message.n) return next();
        retried = message.n;
        return Promise.resolve()
          .then(() => next())
          .catch(() => next());
      }),
      filter((delivery: Delivery<Message>) => delivery.message.route !== "drop"),
      map((delivery) => {
        if (delivery.message.route === "throwInOperator") throw new Injected("operator");
        return delivery;
      }),
      mergeMap((delivery) => {
        if (delivery.message.route === "laterOperator") return this.later("operator").then(() => delivery);
        return delivery.message.route === "forwardTwice" ? [delivery, delivery] : [delivery];
      }),
      shared(
        tap(({ message }: Delivery<Message>) => {
          if (message.route === "throwInShared") throw new Injected("shared");
        }),
      ),
    ];
    this.commandBus = new CommandBus({ middleware, maxDepth: 16 });
    this.queryBus = new QueryBus({ middleware, maxDepth: 16 });
    this.eventBus = new EventBus({ middleware, maxDepth: 16 });
    for (const kind of KINDS) {
      this.bus(kind).faults$.subscribe();
      this.accepted.set(kind, []);
      this.outcomes.set(kind, []);
      this.logs.set(kind, []);
      this.observe(kind);
      // One that fails and one that comes second; neither may make a difference to anybody.
      this.bus(kind).messages$.subscribe(() => {
        throw new Injected("observer");
      });
      this.bus(kind).outcomes$.subscribe(failLater);
      this.observe(kind);
    }
  }

  bus(kind: Kind): CommandBus | QueryBus | EventBus {
    return { command: this.commandBus, query: this.queryBus, event: this.eventBus }[kind];
  }

  private observe(kind: Kind): void {
    const log: Seen[] = [];
    const first = this.logs.get(kind)!.push(log) === 1;
    this.bus(kind).messages$.subscribe((envelope) => {
      log.push(`message ${envelope.meta.id}`);
      if (first) this.accepted.get(kind)!.push(envelope);
    });
    this.bus(kind).outcomes$.subscribe((outcome) => {
      log.push(`outcome ${outcome.envelope.meta.id}`);
      if (first) this.outcomes.get(kind)!.push(outcome);
    });
  }

  later(label: string): Promise<void> {
    return this.scheduler.schedule(Promise.resolve(), label);
  }

  send(
    kind: Kind,
    type: number,
    ending: Message["ending"],
    route: Message["route"],
    context?: HandlerContext,
    abortedBefore?: Error,
  ): Watched {
    const parent = (context?.envelope.payload as Message | undefined)?.n;
    const message = new TYPES[type]!(this.#messages++, ending, route, parent);
    const controller = new AbortController();
    if (abortedBefore !== undefined) controller.abort(abortedBefore);
    const known = {
      handlers: this.handlersOf(kind, type),
      open: !this.closed.has(kind),
      onTop: this.#nested === 0 && context === undefined,
      parent: this.sent.find((other) => other.message.n === parent),
    };
    this.#nested++;
    const options = { signal: controller.signal, causedBy: context };
    const promise =
      kind === "command"
        ? this.commandBus.dispatch(message, options)
        : kind === "query"
          ? this.queryBus.ask(message, options)
          : this.eventBus.publish(message, options);
    this.#nested--;
    const watched = watch<unknown>(promise);
    this.sent.push({ kind, message, watched, controller, abortedBefore, ...known });
    return watched;
  }

  handlersOf(kind: Kind, type: number): number {
    return this.registered.filter((one) => one.live && one.kind === kind && one.type === type).length;
  }

  abort(at: number): void {
    const sent = this.sent[at % (this.sent.length || 1)];
    if (sent === undefined || sent.controller.signal.aborted) return;
    const reason = new Injected("abort");
    sent.aborted = { reason, open: !this.closed.has(sent.kind) };
    sent.controller.abort(reason);
  }

  close(kind: Kind, timeoutMs: number): void {
    this.closed.add(kind);
    this.closings.push(watch(this.bus(kind).close({ timeoutMs })));
  }

  unregister(at: number): void {
    if (this.registrations[at] === undefined) return;
    this.registrations[at].unsubscribe();
    this.registered[at]!.live = false;
  }

  handle(message: Message, context: HandlerContext): unknown {
    const child = (): void =>
      void this.send(KINDS[message.n % 3]!, message.n % 3, "value", "through", context);
    switch (message.ending) {
      case "value":
        return message.n;
      case "throw":
        throw new Injected("handler");
      case "reject":
        return Promise.reject(new Injected("handler"));
      case "later":
        return this.later("handler").then(() => message.n);
      case "laterReject":
        return this.later("handler").then(() => Promise.reject(new Injected("handler")));
      case "never":
        return new Promise(() => undefined);
      case "child":
        return child();
      case "laterChild":
        return this.later("handler").then(child);
    }
  }

  register(kind: Kind, type: number): void {
    const bus = this.bus(kind) as CommandBus;
    const register = (): Subscription =>
      bus.register(TYPES[type]!, (message, context) => this.handle(message, context));
    if (kind !== "event" && this.handlersOf(kind, type) > 0)
      return void expect(register).toThrow(expect.objectContaining({ code: "HANDLER_ALREADY_REGISTERED" }));
    this.registrations.push(register());
    this.registered.push({ kind, type, live: true });
  }

  subscribe(kind: Kind, behaviour: number): void {
    const bus = this.bus(kind);
    const stream: Observable<unknown> = behaviour % 2 === 0 ? bus.messages$ : bus.outcomes$;
    const visitor = stream.subscribe(() => {
      if (behaviour < 2) return;
      if (behaviour < 4) throw new Injected("visitor");
      // An observer that sends, though not for ever.
      if (this.#visits++ >= 20) return;
      this.#nested++;
      this.send(KINDS[(behaviour + 1) % 3]!, 0, "value", "through");
      this.#nested--;
    });
    this.visitors.push(visitor);
  }

  async finish(): Promise<void> {
    await this.scheduler.waitIdle();
    await macrotask();
    for (const kind of KINDS) this.close(kind, 0);
    for (let turn = 0; turn < 100 && this.closings.some(({ status }) => status === "pending"); turn++)
      await macrotask();
    await this.scheduler.waitIdle();
    await macrotask();
  }

  check(): void {
    for (const { watched, message } of this.sent) {
      if (watched.settlements !== 1)
        throw new Error(
          `Message ${message.n} (${message.ending}, ${message.route}) settled ${watched.settlements} times.`,
        );
    }
    for (const sent of this.sent) {
      const { kind, message, watched, handlers, open, aborted } = sent;
      if (!endedRight(sent))
        throw new Error(
          `${kind} ${message.n} (${message.ending}, ${message.route}; ${handlers} handlers, ${open ? "open" : "closed"}${aborted ? ", aborted" : ""}) ended as it must not: ${watched.status} ${String(watched.value ?? watched.reason)}.`,
          { cause: watched.reason },
        );
    }
    for (const closing of this.closings) expect(closing.status).toBe("fulfilled");
    for (const kind of KINDS) {
      const bus = this.bus(kind);
      expect(bus.inFlight).toBe(0);
      const { messages, outcomes, faults } = bus.engine.observers;
      expect([messages, outcomes, faults].filter(({ observed }) => observed)).toEqual([]);
      const counts = bus
        .describe()
        .handlers.map(({ messageType, handlers }) => [messageType, handlers.length]);
      const modelled = TYPES.map(({ name }, type) => [name, this.handlersOf(kind, type)] as const);
      expect(Object.fromEntries(counts)).toEqual(
        Object.fromEntries(modelled.filter(([, count]) => count > 0)),
      );
      const [log, ...others] = this.logs.get(kind)!;
      for (const other of others) expect(other).toEqual(log);
      // Exactly one outcome for each accepted message, after it.
      const accepted = this.accepted.get(kind)!.map(({ meta }) => meta.id);
      const ended = this.outcomes.get(kind)!.map(({ envelope }) => envelope.meta.id);
      expect(new Set(accepted).size).toBe(accepted.length);
      expect([...ended].sort()).toEqual([...accepted].sort());
      for (const id of accepted)
        expect(log!.indexOf(`outcome ${id}`)).toBeGreaterThan(log!.indexOf(`message ${id}`));
      // The outcome agrees with the promise.
      const outcomeOf = new Map(
        this.outcomes.get(kind)!.map((outcome) => [outcome.envelope.payload, outcome]),
      );
      for (const { kind: own, message, watched } of this.sent) {
        const outcome = own === kind ? outcomeOf.get(message) : undefined;
        if (outcome === undefined) continue;
        expect(outcome.status).toBe(watched.status);
        if (outcome.status === "rejected") expect(outcome.reason).toBe(watched.reason);
        else expect(outcome.value).toBe(watched.value);
        expect(outcome.durationMs).toBeGreaterThanOrEqual(0);
      }
    }
    // Causes form a forest: each is known, came before, and shares its correlation with its effects.
    const all = new Map([...this.accepted.values()].flat().map((envelope) => [envelope.meta.id, envelope]));
    for (const { meta, payload } of all.values()) {
      const { parent } = payload as Message;
      if (meta.causationId === undefined) {
        expect(parent).toBeUndefined();
        expect(meta.correlationId).toBe(meta.id);
      } else {
        const cause = all.get(meta.causationId)!;
        expect((cause.payload as Message).n).toBe(parent);
        expect(meta.correlationId).toBe(cause.meta.correlationId);
        expect((cause.payload as Message).n).toBeLessThan((payload as Message).n);
      }
    }
  }
}

type Step = fc.AsyncCommand<object, Rig>;
/** A step starts work and keeps its promise; were it to wait, it would wait for the scheduler that waits for it. */
const step = (label: string, run: (rig: Rig) => void): Step => ({
  check: () => true,
  run: async (_model, rig) => run(rig),
  toString: () => label,
});

const kind = fc.constantFrom(...KINDS);
const type = fc.nat(TYPES.length - 1);
const steps = [
  fc
    .tuple(
      kind,
      type,
      fc.constantFrom(...ENDINGS),
      fc.oneof({ weight: 2, arbitrary: fc.constant("through" as const) }, fc.constantFrom(...ROUTES)),
    )
    .map(([k, t, ending, route]) =>
      step(`send ${k} ${t} ${ending} ${route}`, (rig) => void rig.send(k, t, ending, route)),
    ),
  fc.nat(30).map((n) => step(`abort ${n}`, (rig) => rig.abort(n))),
  fc.tuple(kind, type).map(([k, t]) =>
    step(`send ${k} ${t} aborted`, (rig) => {
      rig.send(k, t, "value", "through", undefined, new Injected("before"));
    }),
  ),
  fc.tuple(kind, type).map(([k, t]) => step(`register ${k} ${t}`, (rig) => rig.register(k, t))),
  fc.nat(8).map((n) => step(`unregister ${n}`, (rig) => rig.unregister(n))),
  fc.tuple(kind, fc.nat(5)).map(([k, n]) => step(`subscribe ${k} ${n}`, (rig) => rig.subscribe(k, n))),
  fc.nat(4).map((n) => step(`unsubscribe ${n}`, (rig) => rig.visitors[n]?.unsubscribe())),
];
const closing = fc
  .tuple(kind, fc.constantFrom(0, 1))
  .map(([k, timeoutMs]) => step(`close ${k} ${timeoutMs}`, (rig) => rig.close(k, timeoutMs)));

describe("model", () => {
  let finished = 0;
  // A fault in the last moment of a bus goes to the console, because faults$ has completed.
  beforeAll(() => void jest.spyOn(console, "error").mockImplementation(() => undefined));
  // Node exits with success while a run waits for a promise that never settles, so the finished runs are counted.
  afterAll(() => {
    jest.restoreAllMocks();
    expect(finished).toBeGreaterThanOrEqual(2 * RUNS);
  });

  it.each<[string, fc.Arbitrary<Step>[]]>([
    ["35 63 whatever is sent, aborted, registered, watched and failed", steps],
    ["35 50 whatever happens while buses close", [...steps, closing]],
  ])(
    "%s: one settlement, one outcome that agrees, one order, nothing left",
    async (_, arbitraries) => {
      await fc.assert(
        fc.asyncProperty(
          fc.scheduler(),
          fc.commands(arbitraries, { size: "+1", maxCommands: 60 }),
          async (scheduler, commands) => {
            const rig = new Rig(scheduler);
            for (const [at] of TYPES.entries()) for (const k of KINDS) if (at < 2) rig.register(k, at);
            const escaped = await escapedFrom(async () => {
              await fc.scheduledModelRun(scheduler, () => ({ model: {}, real: rig }), commands);
              await rig.finish();
            });
            rig.check();
            expect(escaped).toEqual({ unhandledRejections: [], uncaughtExceptions: [], warnings: [] });
            finished++;
          },
        ),
        // On failure fast-check prints the seed and the path; put them here to replay it.
        { numRuns: RUNS, endOnFailure: false, seed: 20260807 },
      );
    },
    60_000,
  );
});
