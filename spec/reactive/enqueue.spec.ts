import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import {
  around,
  BusClosedError,
  CommandBus,
  Envelope,
  EventBus,
  HandlerNotFoundError,
  MessageDroppedError,
  QueueFullError,
  type Fault,
  type HandlerContext,
  type Outcome,
  type RejectedOutcome,
} from "cqrx";
import { idempotency, retrying, timeLimit } from "cqrx/middleware";
import { deferred, microtasks, watch, type Deferred } from "../conformance/support.js";
import { canaries, macrotask, withTraps } from "../support/traps.js";

class PlaceOrder {
  constructor(readonly fails = false) {}
}
class SendMail {
  constructor(readonly to = "ada") {}
}

let bus: CommandBus;
let log: string[];
let outcomes: Outcome[];
let faults: Fault[];

function start(options: ConstructorParameters<typeof CommandBus>[0] = {}): void {
  bus = new CommandBus(options);
  outcomes = [];
  faults = [];
  bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
  bus.faults$.subscribe((fault) => faults.push(fault));
}

const idsOf = (some: readonly Outcome[]): string[] => some.map(({ envelope }) => envelope.meta.id);

beforeEach(() => {
  log = [];
  start();
});

afterEach(() => void jest.useRealTimers());

describe("enqueue", () => {
  it("accepts now and runs in a microtask; the envelope returned is that of its one outcome", () =>
    withTraps(async () => {
      const accepted: Envelope[] = [];
      bus.messages$.subscribe((envelope) => accepted.push(envelope));
      bus.register(SendMail, ({ to }, { envelope, attempt }) =>
        log.push(`${to} ${envelope.meta.id} ${attempt}`),
      );
      const envelope = bus.enqueue(new SendMail("bob"), { headers: { a: "b" } });
      expect(envelope.payload.to).toBe("bob");
      expect(envelope.meta.headers).toEqual({ a: "b" });
      expect(accepted).toEqual([envelope]);
      expect([log, bus.inFlight]).toEqual([[], 1]);
      await bus.drain();
      expect(log).toEqual([`bob ${envelope.meta.id} 1`]);
      expect(outcomes).toMatchObject([{ status: "fulfilled", value: undefined }]);
      expect(outcomes[0]!.envelope).toBe(envelope);
      await canaries(bus);
    }));

  it("runs after the dispatch that caused it has succeeded", () =>
    withTraps(async () => {
      const gate = deferred();
      bus.register(PlaceOrder, async (_, context) => {
        bus.enqueue(new SendMail(), { causedBy: context });
        log.push("enqueued");
        await gate.promise;
        log.push("placed");
      });
      bus.register(SendMail, (_, { envelope: { meta } }) => log.push(`mail for ${meta.causationId}`));
      const placing = bus.dispatch(new PlaceOrder());
      await macrotask();
      expect([log, bus.inFlight]).toEqual([["enqueued"], 2]);
      gate.resolve();
      await placing;
      await bus.drain();
      expect(log).toEqual(["enqueued", "placed", `mail for ${idsOf(outcomes)[0]}`]);
      expect(outcomes[1]!.envelope.meta.correlationId).toBe(outcomes[0]!.envelope.meta.correlationId);
      await canaries(bus);
    }));

  it("is dropped if its cause fails, is aborted, or failed before", () =>
    withTraps(async () => {
      const envelopes: Envelope[] = [];
      let context!: HandlerContext;
      bus.register(PlaceOrder, async ({ fails }, given) => {
        context = given;
        envelopes.push(bus.enqueue(new SendMail(), { causedBy: given }));
        await Promise.resolve();
        if (fails) throw new Error("out of stock");
        await new Promise(() => undefined);
      });
      bus.register(SendMail, () => log.push("sent"));
      await bus.dispatch(new PlaceOrder(true)).catch(() => undefined);
      envelopes.push(bus.enqueue(new SendMail(), { causedBy: context }));
      const controller = new AbortController();
      const aborted = bus.dispatch(new PlaceOrder(), { signal: controller.signal });
      controller.abort(new Error("cancelled"));
      await aborted.catch(() => undefined);
      await bus.drain();
      const dropped = outcomes.filter(({ envelope }) => envelope.payload instanceof SendMail);
      expect(idsOf(dropped)).toEqual(envelopes.map(({ meta }) => meta.id));
      for (const outcome of dropped) {
        expect(outcome).toMatchObject({ status: "rejected", reason: { code: MessageDroppedError.code } });
      }
      expect(
        dropped.map((outcome) => ((outcome as { reason: Error }).reason.cause as Error).message),
      ).toEqual(["out of stock", "out of stock", "cancelled"]);
      expect(log).toEqual([]);
      await canaries(bus);
    }));

  it("is dropped if a middleware rejects its cause after the handler has succeeded", () =>
    withTraps(async () => {
      const strict = around(async (message, next) => {
        await next();
        if (message instanceof PlaceOrder) throw new Error("audit");
      });
      start({ middleware: [strict, retrying({ count: 1 })] });
      bus.register(PlaceOrder, (_, context) => void bus.enqueue(new SendMail(), { causedBy: context }));
      bus.register(SendMail, () => log.push("sent"));
      await expect(bus.dispatch(new PlaceOrder())).rejects.toThrow("audit");
      await bus.drain();
      expect(log).toEqual([]);
      expect(outcomes).toMatchObject([
        { status: "rejected" },
        { status: "rejected", reason: { code: MessageDroppedError.code } },
      ]);
      await canaries(bus);
    }));

  it("waits for the whole dispatch, and drops the commands of an attempt that middleware retried", () =>
    withTraps(async () => {
      start({ middleware: [retrying({ count: 1 })] });
      let attempt = 0;
      bus.register(PlaceOrder, async (_, context) => {
        bus.enqueue(new SendMail(`attempt ${++attempt}`), { causedBy: context });
        await Promise.resolve();
        if (attempt === 1) throw new Error("first");
      });
      bus.register(SendMail, ({ to }) => log.push(to));
      await bus.dispatch(new PlaceOrder());
      await bus.drain();
      expect(log).toEqual(["attempt 2"]);
      expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "fulfilled", "fulfilled"]);
      await canaries(bus);
    }));

  it.each([
    ["succeeds", false, "fulfilled", ["sent"]],
    ["fails", true, "rejected", []],
  ])(
    "by a run that several dispatches share, one of which has left, ends as that %s",
    (_, fails, end, sent) =>
      withTraps(async () => {
        const key = (message: object): string | undefined =>
          message instanceof PlaceOrder ? "k" : undefined;
        start({ middleware: [idempotency({ key, store: new Map() }), retrying({ count: 1 })] });
        const gate = deferred();
        let attempt = 0;
        bus.register(PlaceOrder, async (order, context) => {
          if (++attempt === 1) throw new Error("busy");
          await gate.promise;
          bus.enqueue(new SendMail(), { causedBy: context });
          await Promise.resolve();
          if (order.fails) throw new Error("out of stock");
        });
        bus.register(SendMail, () => log.push("sent"));
        const first = new AbortController();
        const dispatches = [{ signal: first.signal }, {}].map((options) =>
          watch(bus.dispatch(new PlaceOrder(fails), options)),
        );
        await microtasks();
        first.abort();
        gate.resolve();
        await bus.drain();
        await microtasks();
        expect([dispatches.map(({ status }) => status), log]).toEqual([["rejected", end], sent]);
        await canaries(bus);
      }),
  );

  it("runs after all outcomes of the run that caused it", () =>
    withTraps(async () => {
      const key = (message: object): string | undefined => (message instanceof PlaceOrder ? "k" : undefined);
      start({ middleware: [around((_, next) => next()), idempotency({ key, store: new Map() })] });
      bus.register(PlaceOrder, async (_, context) => {
        bus.enqueue(new SendMail(), { causedBy: context });
        await Promise.resolve();
      });
      bus.register(SendMail, () => undefined);
      for (const _ of [1, 2]) bus.dispatch(new PlaceOrder());
      await bus.drain();
      expect(outcomes.map(({ envelope }) => envelope.meta.name)).toEqual([
        "PlaceOrder",
        "PlaceOrder",
        "SendMail",
      ]);
      await canaries(bus);
    }));

  it("runs if its cause succeeded before, and at once for an envelope as cause", () =>
    withTraps(async () => {
      let context!: HandlerContext;
      bus.register(PlaceOrder, (_, given) => void (context = given));
      bus.register(SendMail, (_, { envelope }) => log.push(String(envelope.meta.causationId)));
      await bus.dispatch(new PlaceOrder());
      bus.enqueue(new SendMail(), { causedBy: context });
      const event = Envelope.of(new PlaceOrder());
      bus.enqueue(new SendMail(), { causedBy: event });
      await bus.drain();
      expect(log).toEqual([context.envelope.meta.id, event.meta.id]);
      await canaries(bus);
    }));

  it("can be caused by the handler of an event on another bus", () =>
    withTraps(async () => {
      class Placed {}
      const eventBus = new EventBus();
      const gate = deferred();
      eventBus.register(Placed, async (_, context) => {
        bus.enqueue(new SendMail(), { causedBy: context });
        await gate.promise;
      });
      bus.register(SendMail, () => log.push("sent"));
      const publishing = eventBus.publish(new Placed());
      await macrotask();
      expect(log).toEqual([]);
      gate.resolve();
      await publishing;
      await bus.drain();
      expect(log).toEqual(["sent"]);
      await canaries(bus, eventBus);
    }));

  it.each([null, "soon", 5])("refuses %p for options", async (options) => {
    bus.register(SendMail, () => log.push("sent"));
    expect(() => bus.enqueue(new SendMail(), options as never)).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS", option: "options" }),
    );
    await bus.drain();
    expect(log).toEqual([]);
    await canaries(bus);
  });

  it("throws the error that a dispatch would be rejected with, and then has no outcome", () =>
    withTraps(async () => {
      bus.register(SendMail, () => undefined);
      expect(() => bus.enqueue(new PlaceOrder())).toThrow(HandlerNotFoundError);
      expect(() => bus.enqueue(undefined as never)).toThrow(/undefined/);
      expect(() => bus.enqueue(new SendMail(), { headers: { "no name": "" } })).toThrow(/header name/);
      expect(() => bus.enqueue(new SendMail(), { causedBy: {} as never })).toThrow(/causedBy/);
      await canaries(bus);
      await bus.close();
      expect(() => bus.enqueue(new SendMail())).toThrow(BusClosedError);
      expect(outcomes).toHaveLength(1);
    }));

  it("takes an envelope, and keeps its id", async () => {
    bus.register(SendMail, ({ to }) => log.push(to));
    const envelope = Envelope.of(new SendMail("eve"));
    expect(bus.enqueue(envelope)).toBe(envelope);
    await bus.drain();
    expect([log, idsOf(outcomes)]).toEqual([["eve"], [envelope.meta.id]]);
  });

  it("a signal takes it out of the queue, or aborts it while it runs", () =>
    withTraps(async () => {
      const signals: AbortSignal[] = [];
      bus.register(SendMail, (_, { signal }) => {
        signals.push(signal);
        return new Promise<void>(() => undefined);
      });
      const controllers = [new AbortController(), new AbortController(), new AbortController()];
      const reason = new Error("never mind");
      controllers[2]!.abort(reason);
      for (const { signal } of controllers) bus.enqueue(new SendMail(), { signal });
      controllers[0]!.abort(reason);
      await microtasks();
      expect(signals).toHaveLength(1);
      controllers[1]!.abort(reason);
      await bus.drain();
      expect(signals[0]!.aborted).toBe(true);
      expect(outcomes.map((outcome): unknown => (outcome as RejectedOutcome).reason)).toEqual([
        reason,
        reason,
        reason,
      ]);
      await canaries(bus);
    }));

  it("a failure is on outcomes$ and nowhere else; without a subscriber there, on faults$", () =>
    withTraps(async () => {
      const failure = new Error("no such address");
      bus.register(SendMail, async () => Promise.reject(failure));
      bus.enqueue(new SendMail());
      await bus.drain();
      expect(outcomes).toMatchObject([{ status: "rejected", reason: failure }]);
      expect(faults).toEqual([]);
      const quiet = new CommandBus();
      quiet.faults$.subscribe((fault) => faults.push(fault));
      quiet.register(SendMail, async () => Promise.reject(failure));
      const envelope = quiet.enqueue(new SendMail());
      await quiet.drain();
      expect(faults).toEqual([{ kind: "background", source: "SendMail", error: failure, envelope }]);
      await canaries(bus, quiet);
    }));

  it("runs in the async context of the caller that enqueued it", () =>
    withTraps(async () => {
      start({ background: { concurrency: 1 } });
      const storage = new AsyncLocalStorage<string>();
      bus.register(SendMail, async () => {
        await Promise.resolve();
        log.push(String(storage.getStore()));
      });
      for (const name of ["a", "b", "c"]) storage.run(name, () => bus.enqueue(new SendMail()));
      await bus.drain();
      expect(log).toEqual(["a", "b", "c"]);
      await canaries(bus);
    }));

  it("commands that enqueue themselves for ever let timers fire, and drain waits for all of them", () =>
    withTraps(async () => {
      let runs = 0;
      let on = true;
      bus.register(SendMail, () => {
        runs++;
        if (on) bus.enqueue(new SendMail());
      });
      bus.enqueue(new SendMail());
      const drained = watch(bus.drain());
      await new Promise((resolve) => setTimeout(resolve, 1));
      expect(runs).toBeGreaterThan(100);
      expect(drained.status).toBe("pending");
      on = false;
      await bus.drain();
      await microtasks();
      expect(drained.status).toBe("fulfilled");
      await canaries(bus);
    }));
});

describe("background options", () => {
  it("let enqueue throw QueueFullError beyond maxQueued; commands that run, and settled ones, do not count", () =>
    withTraps(async () => {
      start({ background: { concurrency: 1, maxQueued: 2 } });
      const gate = deferred();
      bus.register(PlaceOrder, async () => void (await gate.promise));
      bus.register(SendMail, ({ to }) => log.push(to));
      const accepted: Envelope[] = [];
      bus.messages$.subscribe((envelope) => accepted.push(envelope));
      bus.enqueue(new PlaceOrder());
      await microtasks();
      bus.enqueue(new SendMail("a"));
      const controller = new AbortController();
      bus.enqueue(new SendMail("b"), { signal: controller.signal });
      for (const command of [new SendMail("c"), Envelope.of(new SendMail("d"))])
        expect(() => bus.enqueue(command)).toThrow(
          expect.objectContaining({
            code: "QUEUE_FULL",
            messageType: "SendMail",
            message: "SendMail was refused: 2 messages are waiting already; send less, or raise maxQueued.",
          }),
        );
      expect([accepted.length, bus.inFlight]).toEqual([3, 3]);
      // A command that leaves the queue makes room.
      controller.abort();
      bus.enqueue(new SendMail("e"));
      gate.resolve();
      await bus.drain();
      expect(log).toEqual(["a", "e"]);
      await canaries(bus);
    }));

  it("a bus that closes does not wait for a retry that cannot start before its deadline", async () => {
    jest.useFakeTimers();
    start({ background: { retry: { count: 1, delayMs: 60_000 } } });
    const gate = deferred();
    bus.register(SendMail, () => gate.promise);
    bus.enqueue(new SendMail());
    await microtasks();
    const closed = watch(bus.close({ timeoutMs: 10_000 }));
    await microtasks();
    gate.reject(new Error("no mail server"));
    await microtasks();
    await jest.advanceTimersByTimeAsync(1);
    expect(closed.value).toMatchObject({ aborted: [expect.any(String)] });
    expect(jest.getTimerCount()).toBe(0);
  });

  it("maxQueued is 10,000 by default", () =>
    withTraps(async () => {
      bus.register(SendMail, () => undefined);
      for (let n = 0; n < 10_000; n++) bus.enqueue(new SendMail());
      expect(() => bus.enqueue(new SendMail())).toThrow(QueueFullError);
      await bus.drain();
      bus.enqueue(new SendMail());
      await bus.drain();
      start({ background: { maxQueued: Infinity } });
      bus.register(SendMail, () => undefined);
      for (let n = 0; n < 10_100; n++) bus.enqueue(new SendMail());
      await bus.drain();
      expect(outcomes).toHaveLength(10_100);
    }));

  let gates: Deferred<void>[];
  let most: number;

  function gatedMails(): void {
    gates = [];
    most = 0;
    let running = 0;
    bus.register(SendMail, async ({ to }) => {
      log.push(to);
      most = Math.max(most, ++running);
      const gate = deferred();
      gates.push(gate);
      await gate.promise;
      running--;
    });
  }

  it("concurrency limits how many run at a time, in order; a place is free when the work has ended", () =>
    withTraps(async () => {
      start({ background: { concurrency: 2 } });
      gatedMails();
      const controller = new AbortController();
      for (const to of ["a", "b", "c", "d", "e"])
        bus.enqueue(new SendMail(to), to === "b" ? { signal: controller.signal } : {});
      await microtasks();
      expect(log).toEqual(["a", "b"]);
      gates[0]!.reject(new Error("bounced"));
      controller.abort();
      await microtasks();
      expect(log).toEqual(["a", "b", "c"]);
      expect(outcomes).toHaveLength(2);
      expect(bus.describe().background).toEqual({ queued: 2, running: 2 });
      gates[1]!.resolve();
      await microtasks();
      expect(log).toEqual(["a", "b", "c", "d"]);
      gates[2]!.resolve();
      await microtasks();
      gates[3]!.resolve();
      gates[4]!.resolve();
      await bus.drain();
      expect(log).toEqual(["a", "b", "c", "d", "e"]);
      expect(outcomes.map(({ status }) => status).sort()).toEqual([
        "fulfilled",
        "fulfilled",
        "fulfilled",
        "rejected",
        "rejected",
      ]);
      await canaries(bus);
    }));

  it("neither another command nor a retry runs beside work that a time limit gave up", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      start({ background: { concurrency: 1, retry: { count: 1 } }, middleware: [timeLimit(10)] });
      gatedMails();
      for (const to of ["a", "b"]) bus.enqueue(new SendMail(to));
      await jest.advanceTimersByTimeAsync(1_000);
      expect(log).toEqual(["a"]);
      expect(bus.describe().background).toEqual({ queued: 2, running: 1 });
      gates[0]!.resolve(); // too late
      await jest.advanceTimersByTimeAsync(0);
      expect(log).toEqual(["a", "b"]);
      gates[1]!.resolve();
      await jest.advanceTimersByTimeAsync(1_000);
      expect(log).toEqual(["a", "b", "a"]);
      // The last attempt decides at its limit, and its work keeps the place.
      expect(outcomes.map(({ status, attempts }) => `${status} ${attempts}`)).toEqual([
        "fulfilled 1",
        "rejected 2",
      ]);
      await bus.drain();
      expect(bus.describe().background).toEqual({ queued: 0, running: 1 });
      gates[2]!.resolve();
      await jest.advanceTimersByTimeAsync(0);
      expect(bus.describe().background).toEqual({ queued: 0, running: 0 });
      expect(most).toBe(1);
      await canaries(bus);
    }));

  it("concurrency is 10 by default", async () => {
    gatedMails();
    for (let n = 0; n < 25; n++) bus.enqueue(new SendMail());
    await microtasks();
    expect(most).toBe(10);
    await bus.close({ timeoutMs: 0 });
  });

  it("retry tries again with a growing wait that takes no place, and tells the attempt; one outcome in the end", () =>
    withTraps(async () => {
      jest.useFakeTimers();
      start({ background: { concurrency: 1, retry: { count: 3, delayMs: 100, maxDelayMs: 250 } } });
      bus.register(SendMail, async (_, { attempt }) => {
        log.push(`${attempt} at ${Date.now()}`);
        if (attempt < 4) throw new Error("busy");
      });
      bus.register(PlaceOrder, () => log.push("another"));
      jest.setSystemTime(0);
      bus.enqueue(new SendMail());
      bus.enqueue(new PlaceOrder());
      await jest.advanceTimersByTimeAsync(1_000);
      expect(log).toEqual(["1 at 0", "another", "2 at 100", "3 at 300", "4 at 550"]);
      expect(outcomes.map(({ status, attempts }) => `${status} at ${attempts}`)).toEqual([
        "fulfilled at 1",
        "fulfilled at 4",
      ]);
      expect(jest.getTimerCount()).toBe(0);
      jest.useRealTimers();
      await canaries(bus);
    }));

  it("retry ends with the last error, by its count or by retryIf", () =>
    withTraps(async () => {
      start({
        background: { retry: { count: 2, retryIf: (error) => (error as Error).message !== "fatal" } },
      });
      bus.register(SendMail, ({ to }, { attempt }) => {
        log.push(`${to} ${attempt}`);
        throw new Error(to);
      });
      bus.enqueue(new SendMail("fatal"));
      bus.enqueue(new SendMail("busy"));
      await bus.drain();
      expect(log).toEqual(["fatal 1", "busy 1", "busy 2", "busy 3"]);
      expect(outcomes).toMatchObject([{ reason: { message: "fatal" } }, { reason: { message: "busy" } }]);
      await canaries(bus);
    }));

  it("a retryIf that throws ends the command with its error", () =>
    withTraps(async () => {
      start({ background: { retry: { count: 2, retryIf: () => { throw new Error("policy"); } } } }); // prettier-ignore
      bus.register(SendMail, () => Promise.reject(new Error("busy")));
      bus.enqueue(new SendMail());
      await bus.drain();
      expect(outcomes).toMatchObject([{ reason: { message: "policy" } }]);
      await canaries(bus);
    }));

  it.each([
    ["background", "soon"],
    ["background.concurrency", { concurrency: 0 }],
    ["background.concurrency", { concurrency: NaN }],
    ["background.concurrency", { concurrency: 1.5 }],
    ["background.concurrency", { concurrency: "5" }],
    ["background.maxQueued", { maxQueued: -1 }],
    ["background.maxQueued", { maxQueued: "5" }],
    ["background.retries", { retries: 1 }],
    ["background.retry", { retry: 3 }],
    ["background.retry.count", { retry: {} }],
    ["background.retry.count", { retry: { count: -1 } }],
    ["background.retry.count", { retry: { count: 1.5 } }],
    ["background.retry.count", { retry: { count: "5" } }],
    ["background.retry.delay", { retry: { count: 1, delay: 1 } }],
    ["background.retry.delayMs", { retry: { count: 1, delayMs: -1 } }],
    ["background.retry.delayMs", { retry: { count: 1, delayMs: "5" } }],
    ["background.retry.maxDelayMs", { retry: { count: 1, maxDelayMs: NaN } }],
    ["background.retry.retryIf", { retry: { count: 1, retryIf: true } }],
    ["background.retry.count", { retry: { count: Infinity } }],
    ["background.retry.count", { retry: { count: Infinity, delayMs: 5, maxDelayMs: 0 } }],
  ])("are checked: %s %p", (option, background) => {
    expect(() => new CommandBus({ background: background as never })).toThrow(
      expect.objectContaining({ code: "INVALID_OPTIONS", option }),
    );
  });

  it.each([
    {},
    { concurrency: Infinity },
    { retry: { count: 0 } },
    { retry: { count: Infinity, delayMs: 0.5 } },
  ])("may be %p", (background) => void new CommandBus({ background }));

  it("retry without a wait has none after a thousand times, either", () =>
    withTraps(async () => {
      const timers = jest.spyOn(globalThis, "setTimeout");
      start({ background: { retry: { count: 2_000 } } });
      let attempts = 0;
      bus.register(SendMail, () => {
        attempts++;
        throw new Error("busy");
      });
      bus.enqueue(new SendMail());
      await bus.drain();
      expect(attempts).toBe(2_001);
      expect(timers.mock.calls.filter(([, ms]) => ms !== 0)).toEqual([]);
      timers.mockRestore();
      await canaries(bus);
    }));

  it("close waits for queued commands, and aborts the rest at the deadline, waiting for a retry or not", () =>
    withTraps(async () => {
      start({ background: { concurrency: 1 } });
      gatedMails();
      for (const to of ["a", "b"]) bus.enqueue(new SendMail(to));
      const closing = bus.close();
      await microtasks();
      gates[0]!.resolve();
      await microtasks();
      gates[1]!.resolve();
      expect(await closing).toEqual({ finished: 2, aborted: [], abandoned: [] });

      jest.useFakeTimers();
      start({ background: { concurrency: 1, retry: { count: 1, delayMs: 60_000 } } });
      bus.register(SendMail, ({ to }) =>
        to === "a" ? Promise.reject(new Error()) : new Promise(() => undefined),
      );
      const ids = ["a", "b", "c"].map((to) => bus.enqueue(new SendMail(to)).meta.id);
      await microtasks();
      const late = bus.close({ timeoutMs: 10 });
      await jest.advanceTimersByTimeAsync(20);
      expect((await late).aborted).toEqual(ids);
      expect(idsOf(outcomes)).toEqual(ids);
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ reason: { code: BusClosedError.code } });
      await bus.drain();
      expect(jest.getTimerCount()).toBe(0);
    }));
});

describe("an observer of outcomes that enqueues", () => {
  it("finds the place of the message that has ended free", () =>
    withTraps(async () => {
      start({ background: { maxQueued: 1 } });
      bus.register(SendMail, ({ to }) => void log.push(to));
      bus.outcomes$.subscribe(() => log.length < 3 && bus.enqueue(new SendMail(`${log.length}`)));
      bus.enqueue(new SendMail());
      await bus.drain();
      await macrotask();
      expect([log, faults]).toEqual([["ada", "1", "2"], []]);
      await canaries(bus);
    }));
});
