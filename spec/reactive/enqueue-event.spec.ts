import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  BusClosedError,
  CommandBus,
  DomainEvent,
  Envelope,
  EventBus,
  EventHandlersFailedError,
  InvalidMessageError,
  MessageDroppedError,
  ofType,
  QueueFullError,
  saga,
  type Fault,
  type HandlerContext,
  type Outcome,
} from "cqrx";
import { retrying } from "cqrx/middleware";
import { map } from "rxjs";
import { deferred, microtasks } from "../conformance/support.js";
import { canaries, macrotask, withTraps } from "../support/traps.js";

class PlaceOrder {
  constructor(readonly fails = false) {}
}
class Confirm {}
class OrderPlaced extends DomainEvent {
  constructor(readonly n = 0) {
    super();
  }
}

let commandBus: CommandBus;
let eventBus: EventBus;
let log: string[];
let outcomes: Outcome[];
let faults: Fault[];

function start(options: ConstructorParameters<typeof EventBus>[0] = {}): void {
  eventBus = new EventBus(options);
  outcomes = [];
  faults = [];
  eventBus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  eventBus.faults$.subscribe((fault) => faults.push(fault));
}

beforeEach(() => {
  commandBus = new CommandBus();
  log = [];
  start();
});

describe("EventBus.enqueue()", () => {
  it("publishes to all handlers once the command that caused the event has succeeded", () =>
    withTraps(async () => {
      const gate = deferred();
      eventBus.register(OrderPlaced, ({ n }, { envelope }) =>
        log.push(`mail ${n} for ${envelope.meta.causationId}`),
      );
      eventBus.register(OrderPlaced, async ({ n }) => void log.push(`stock ${n}`));
      let cause = "";
      commandBus.register(PlaceOrder, async (_, context) => {
        cause = context.envelope.meta.id;
        const envelope = eventBus.enqueue(new OrderPlaced(1), {
          causedBy: context,
          headers: { tenant: "t1" },
        });
        expect(envelope.meta).toMatchObject({ causationId: cause, headers: { tenant: "t1" } });
        await gate.promise;
        log.push("placed");
      });
      const placing = commandBus.dispatch(new PlaceOrder());
      await macrotask();
      expect([log, eventBus.inFlight]).toEqual([[], 1]);
      gate.resolve();
      await placing;
      await eventBus.drain();
      expect(log).toEqual(["placed", `mail 1 for ${cause}`, "stock 1"]);
      expect(outcomes).toMatchObject([{ status: "fulfilled", value: undefined, attempts: 1 }]);
      await canaries(commandBus, eventBus);
    }));

  it("drops the event when the command fails, and no saga sees it", () =>
    withTraps(async () => {
      eventBus.register(OrderPlaced, () => log.push("mail"));
      commandBus.register(Confirm, () => log.push("confirmed"));
      saga(eventBus, commandBus, (events$) =>
        events$.pipe(
          ofType(OrderPlaced),
          map(() => new Confirm()),
        ),
      );
      commandBus.register(PlaceOrder, ({ fails }, context) => {
        eventBus.enqueue(new OrderPlaced(), { causedBy: context });
        if (fails) throw new Error("sold out");
      });
      await commandBus.dispatch(new PlaceOrder(true)).catch(() => undefined);
      await eventBus.drain();
      expect(log).toEqual([]);
      expect(outcomes).toMatchObject([
        { status: "rejected", reason: { code: MessageDroppedError.code, cause: { message: "sold out" } } },
      ]);
      await commandBus.dispatch(new PlaceOrder());
      await eventBus.drain();
      expect(log).toEqual(["mail", "confirmed"]);
      await canaries(commandBus, eventBus);
    }));

  it("publishes once for a command that was retried, and keeps the order of one cause", () =>
    withTraps(async () => {
      commandBus = new CommandBus({ middleware: [retrying({ count: 1 })] });
      eventBus.register(OrderPlaced, ({ n }) => log.push(`mail ${n}`));
      commandBus.register(PlaceOrder, async (_, context) => {
        for (const n of [1, 2, 3]) eventBus.enqueue(new OrderPlaced(n), { causedBy: context });
        await Promise.resolve();
        if (context.attempt === 1) throw new Error("busy");
      });
      await commandBus.dispatch(new PlaceOrder());
      await eventBus.drain();
      expect(log).toEqual(["mail 1", "mail 2", "mail 3"]);
      expect(outcomes.map(({ status }) => status)).toEqual([
        ...Array(3).fill("rejected"),
        ...Array(3).fill("fulfilled"),
      ]);
      await canaries(commandBus, eventBus);
    }));

  it("publishes in a microtask without a cause in flight, an envelope under its own metadata", () =>
    withTraps(async () => {
      eventBus.register(OrderPlaced, (_, { envelope }) => log.push(envelope.meta.id));
      const sent = Envelope.of(new OrderPlaced(), { id: "first" });
      expect(eventBus.enqueue(sent)).toBe(sent);
      expect(log).toEqual([]);
      await microtasks();
      expect(log).toEqual(["first"]);
      await eventBus.drain();
      await canaries(eventBus);
    }));

  it("is fine without a handler, and passes the middleware", () =>
    withTraps(async () => {
      start({ middleware: [map((delivery) => (log.push("middleware"), delivery))] });
      eventBus.enqueue(new OrderPlaced());
      await eventBus.drain();
      expect([log, outcomes.map(({ status }) => status)]).toEqual([["middleware"], ["fulfilled"]]);
      await canaries(eventBus);
    }));

  it("reports a failure of handlers on outcomes$, or on faults$ if outcomes$ has no observer; never as unhandled", () =>
    withTraps(async () => {
      const failure = new Error("mail server");
      eventBus.register(OrderPlaced, () => Promise.reject(failure));
      eventBus.enqueue(new OrderPlaced());
      await eventBus.drain();
      expect(outcomes).toMatchObject([
        { reason: { code: EventHandlersFailedError.code, errors: [failure] } },
      ]);
      expect(faults).toEqual([]);
      const silent = new EventBus();
      silent.faults$.subscribe((fault) => faults.push(fault));
      silent.register(OrderPlaced, () => Promise.reject(failure));
      silent.enqueue(new OrderPlaced());
      await silent.drain();
      expect(faults).toMatchObject([
        { kind: "background", source: "OrderPlaced", error: { errors: [failure] } },
      ]);
      await canaries(eventBus, silent);
    }));

  it("does not report that an event was dropped, because the promise of its cause carries the failure", () =>
    withTraps(async () => {
      const silent = new EventBus();
      silent.faults$.subscribe((fault) => faults.push(fault));
      commandBus.register(PlaceOrder, (_, context) => {
        silent.enqueue(new OrderPlaced(), { causedBy: context });
        throw new Error("sold out");
      });
      await commandBus.dispatch(new PlaceOrder()).catch(() => undefined);
      let context: HandlerContext | undefined;
      commandBus.register(Confirm, (_, given) => {
        context = given;
        throw new Error("late");
      });
      await commandBus.dispatch(new Confirm()).catch(() => undefined);
      silent.enqueue(new OrderPlaced(), { causedBy: context });
      await silent.drain();
      expect(faults).toEqual([]);
      await canaries(commandBus, silent);
    }));

  it("has bounds of its own: how many wait, and how many run at the same time", () =>
    withTraps(async () => {
      start({ background: { maxQueued: 3, concurrency: 2 } });
      const gate = deferred();
      let running = 0;
      let most = 0;
      eventBus.register(OrderPlaced, async () => {
        most = Math.max(most, ++running);
        await gate.promise;
        running--;
      });
      for (let n = 0; n < 3; n++) eventBus.enqueue(new OrderPlaced(n));
      const refused: unknown[] = [];
      eventBus.refused$.subscribe((refusal) => refused.push(refusal));
      expect(() => eventBus.enqueue(new OrderPlaced(3))).toThrow(QueueFullError);
      expect(refused).toMatchObject([{ messageType: "OrderPlaced" }]);
      await microtasks();
      eventBus.enqueue(new OrderPlaced(4));
      gate.resolve();
      await eventBus.drain();
      expect([most, outcomes.length]).toEqual([2, 4]);
      await canaries(eventBus);
    }));

  it("throws at the door: no event, another kind, a closed bus; and has no retries, which would repeat handlers", async () => {
    expect(() => eventBus.enqueue(null as never)).toThrow(InvalidMessageError);
    expect(() => eventBus.enqueue([] as never)).toThrow(InvalidMessageError);
    expect(() => new EventBus({ background: { retry: { count: 1 } } as object })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS", option: "background.retry" }),
    );
    expect(() => new EventBus({ background: { concurrency: 0 } })).toThrow("new EventBus()");
    await eventBus.close();
    expect(() => eventBus.enqueue(new OrderPlaced())).toThrow(BusClosedError);
  });

  it("is accepted from a handler in flight while the bus closes", () =>
    withTraps(async () => {
      eventBus.register(OrderPlaced, async ({ n }, context) => {
        await macrotask();
        log.push(`mail ${n}`);
        if (n < 2) eventBus.enqueue(new OrderPlaced(n + 1), { causedBy: context });
      });
      eventBus.enqueue(new OrderPlaced());
      expect(await eventBus.close()).toEqual({ finished: 3, aborted: [], abandoned: [] });
      expect(log).toEqual(["mail 0", "mail 1", "mail 2"]);
    }));
});
