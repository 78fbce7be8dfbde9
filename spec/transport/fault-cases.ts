import { describe, expect, it } from "@jest/globals";
import { around, CommandBus, Envelope, EventBus, type Fault } from "cqrx";
import {
  memoryInbox,
  OutcomeUnknownError,
  UnrecoverableError,
  type Inbox,
  type Link,
  type Transport,
} from "cqrx/transport";
import { withTraps } from "../support/traps.js";
import { useWorld } from "./harness.js";
import { OrderShipped, PlaceOrder, SOON, until, type World } from "./support.js";

/** Long enough that a slow machine does not lose a message by it, and short enough to be waited for. */
const LOST = { ackWaitMs: 1_500, leaseMs: 1_500, backoffMs: [5] } as const;

/** Stores a message; a copy with another `id` is not recognised by the engine. */
const store = (
  transport: Transport,
  envelope: Envelope<PlaceOrder>,
  id = envelope.meta.id,
): Promise<unknown> =>
  transport.append(
    "s.c.0.PlaceOrder",
    {
      headers: { "cqrx-type": "PlaceOrder", "cqrx-id": envelope.meta.id },
      body: new TextEncoder().encode(JSON.stringify(envelope)),
    },
    { id, type: "PlaceOrder", signal: new AbortController().signal, timeoutMs: 60_000 },
  );

/** What a link makes of faults of processes, the server and the network. */
export function faultCases(name: string, makeWorld: () => Promise<World>): void {
  describe(`faults over ${name}`, () => {
    const { join, joinFragile, pair, canary, crash, restart, refuseDeadLetters } = useWorld(makeWorld);

    it("125 of commands stored while the server crashes four times, each that was confirmed has one effect", async () => {
      const { near, far } = await pair();
      const [here, there] = [new CommandBus(), new CommandBus()];
      const effects = new Map<string, number>();
      there.register(PlaceOrder, ({ orderId }) => void effects.set(orderId, (effects.get(orderId) ?? 0) + 1));
      await far.serve(there, [PlaceOrder], { inbox: memoryInbox(), backoffMs: [5] });
      near.route(here, [PlaceOrder], { until: "stored", timeoutMs: 60_000 });
      const ended = { acked: new Set<string>(), NOT_SENT: 0, OUTCOME_UNKNOWN: 0 };
      const count = 1_500;
      let next = 0;
      const caller = async (): Promise<void> => {
        while (next < count) {
          const id = `o${next++}`;
          await here.dispatch(new PlaceOrder(id)).then(
            () => void ended.acked.add(id),
            ({ code }: { code: "NOT_SENT" | "OUTCOME_UNKNOWN" }) => void ended[code]++,
          );
        }
      };
      const callers = Promise.all(Array.from({ length: 32 }, caller));
      for (let crashes = 1; crashes <= 4; crashes++) {
        await until(() => ended.acked.size >= (crashes * count) / 6);
        await crash();
        await restart();
      }
      await callers;
      expect(ended.acked.size + ended.NOT_SENT + ended.OUTCOME_UNKNOWN).toBe(count);
      await until(() => [...ended.acked].every((id) => effects.has(id)));
      await canary(near, far);
      expect([...effects].filter(([, times]) => times > 1)).toEqual([]);
    });

    describe.each([
      ["before its handler", { with: [false], without: [false] }],
      ["in its handler", { with: [false], without: [false] }],
      ["after its effect", { with: [true, false], without: [true, false] }],
      ["after its mark in the inbox", { with: [true], without: undefined }],
    ])("126 a process that is lost %s", (at, expected) => {
      it.each([
        ["with", expected.with],
        ["without", expected.without],
      ] as const)("%s an inbox", async (inboxed, firsts) => {
        const near = await join();
        const { link: lost, cut } = await joinFragile();
        let gone = false;
        const point = async (here: string): Promise<void> => {
          if (here !== at || gone) return;
          gone = true;
          await cut();
          await new Promise(() => undefined);
        };
        const effects: number[] = [];
        let last = false;
        const shared = memoryInbox();
        const inbox: Inbox = {
          ...shared,
          async done(key) {
            await shared.done(key);
            await point("after its mark in the inbox");
          },
        };
        const serve = async (link: Link): Promise<void> => {
          const bus = new CommandBus({
            middleware: [
              around(async (_, next) => {
                await point("before its handler");
                return next();
              }),
            ],
          });
          // What a lost process cannot do any more is a fault of its bus.
          bus.faults$.subscribe();
          bus.register(PlaceOrder, async ({ orderId }, { attempt }) => {
            if (orderId === "last") return void (last = true);
            await point("in its handler");
            effects.push(attempt);
            await point("after its effect");
          });
          await link.serve(bus, [PlaceOrder], { ...LOST, ...(inboxed === "with" ? { inbox } : {}) });
        };
        await serve(lost);
        await store(near.transport, Envelope.of(new PlaceOrder("o1")));
        // There is no mark without an inbox: the process lives.
        if (firsts === undefined) await until(() => effects.length === 1);
        else await until(() => gone);
        const other = await join();
        await serve(other);
        await until(() => effects.length >= (firsts ?? [true]).length);
        await store(near.transport, Envelope.of(new PlaceOrder("last")));
        await until(() => last);
        await canary(near, other);
        expect(effects.map((attempt) => attempt === 1)).toEqual(firsts ?? [true]);
      });
    });

    it("127 one id at two processes at one moment, and again after a restart of the server, has one effect", async () => {
      const near = await join();
      const shared = memoryInbox();
      const claims: string[] = [];
      const inbox: Inbox = {
        ...shared,
        async claim(key, leaseMs) {
          const claim = await shared.claim(key, leaseMs);
          claims.push(claim);
          return claim;
        },
      };
      const effects: string[] = [];
      let finish!: () => void;
      const finished = new Promise<void>((resolve) => (finish = resolve));
      const workers = [await join(), await join()];
      for (const link of workers) {
        const bus = new CommandBus();
        bus.register(PlaceOrder, async ({ orderId }) => {
          effects.push(orderId);
          if (orderId === "twice") await finished;
        });
        await link.serve(bus, [PlaceOrder], { ...LOST, leaseMs: 60_000, inbox, concurrency: 1 });
      }
      const envelope = Envelope.of(new PlaceOrder("twice"));
      await store(near.transport, envelope);
      await store(near.transport, envelope, "a copy");
      await until(() => claims.includes("running"));
      finish();
      await crash();
      await restart();
      await store(near.transport, envelope, "another copy");
      await until(() => claims.includes("done"));
      await store(near.transport, Envelope.of(new PlaceOrder("last")));
      await until(() => effects.includes("last"));
      expect(effects).toEqual(["twice", "last"]);
      await expect(near.deadLetters.list()).resolves.toEqual([]);
    });

    it("129 a message whose dead letter is refused is kept, tried again later, and reported once", async () => {
      const { near, far } = await pair();
      const there = new CommandBus();
      const faults: Fault[] = [];
      there.faults$.subscribe((fault) => faults.push(fault));
      let runs = 0;
      there.register(PlaceOrder, () => {
        runs++;
        throw new UnrecoverableError("It is broken.");
      });
      await far.serve(there, [PlaceOrder], SOON);
      await refuseDeadLetters(true);
      const startedMs = performance.now();
      await store(near.transport, Envelope.of(new PlaceOrder("o1")));
      await until(() => runs === 2);
      expect(faults.map(({ kind, source }) => [kind, source])).toContainEqual([
        "background",
        "link, PlaceOrder of group cqrx",
      ]);
      await expect(far.deadLetters.list()).resolves.toEqual([]);
      await refuseDeadLetters(false);
      await until(async () => (await far.deadLetters.list()).length === 1);
      // The wait between two attempts is five seconds, however slow the machine is.
      expect(runs).toBeLessThan(3 + (performance.now() - startedMs) / 4_000);
      expect(faults.length).toBeLessThan(2 + (performance.now() - startedMs) / 50_000);
      await canary(near, far);
    });

    it("130 a backlog is taken at the speed of the handlers, and messages that wait for a retry hold nothing up", async () => {
      const { near, far } = await pair();
      const count = 5_000;
      const ids = Array.from({ length: count }, (_, at) => `o${at}`);
      for (let at = 0; at < count; at += 500)
        await Promise.all(
          ids.slice(at, at + 500).map((id) => store(near.transport, Envelope.of(new PlaceOrder(id)))),
        );
      const there = new CommandBus();
      let [running, most] = [0, 0];
      const done = new Set<string>();
      there.register(PlaceOrder, async ({ orderId }) => {
        most = Math.max(most, ++running);
        await new Promise((resolve) => setImmediate(resolve));
        running--;
        if (Number(orderId.slice(1)) < 200) throw new Error("later");
        done.add(orderId);
      });
      await far.serve(there, [PlaceOrder], { concurrency: 10, backoffMs: [3_600_000] });
      await until(() => done.size === count - 200);
      expect(most).toBeLessThanOrEqual(10);
      await canary(near, far);
    });

    it("133 messages in flight when a process is cut off for longer than ackWaitMs have one effect each", async () => {
      const near = await join();
      const { link: cutOff, cut, heal } = await joinFragile();
      const shared = memoryInbox();
      const again = new Set<string>();
      const inbox: Inbox = {
        ...shared,
        async claim(key, leaseMs) {
          const claim = await shared.claim(key, leaseMs);
          if (claim === "done") again.add(key);
          return claim;
        },
      };
      const effects: string[] = [];
      let finish!: () => void;
      const finished = new Promise<void>((resolve) => (finish = resolve));
      const serve = async (link: Link): Promise<CommandBus> => {
        const bus = new CommandBus();
        bus.register(PlaceOrder, async ({ orderId }) => {
          await finished;
          effects.push(orderId);
        });
        await link.serve(bus, [PlaceOrder], { ...LOST, leaseMs: 60_000, inbox });
        return bus;
      };
      const bus = await serve(cutOff);
      const ids = Array.from({ length: 10 }, (_, at) => `o${at}`);
      for (const id of ids) await store(near.transport, Envelope.of(new PlaceOrder(id)));
      await until(() => bus.inFlight === 10);
      await cut();
      finish();
      await until(() => effects.length === 10);
      const other = await join();
      await serve(other);
      // They are delivered again, and known.
      await until(() => again.size > 0);
      await store(near.transport, Envelope.of(new PlaceOrder("meanwhile")));
      await until(() => effects.includes("meanwhile"));
      await heal();
      await until(async () => (await near.deadLetters.list()).length === 0);
      await store(near.transport, Envelope.of(new PlaceOrder("last")));
      await until(() => effects.includes("last"));
      expect([...effects].sort()).toEqual([...ids, "meanwhile", "last"].sort());
      await canary(near, other);
    });

    it("134 late replies and second replies are dropped, and the next call gets its own", () =>
      withTraps(async () => {
        const { near, far } = await pair();
        const here = new CommandBus();
        near.route(here, [PlaceOrder], { timeoutMs: 500 });
        const answers: ((text: string) => void)[] = [];
        await far.transport.answer("r.c.PlaceOrder", { group: "cqrx" }, (call) =>
          answers.push((text) => call.reply({ headers: {}, body: new TextEncoder().encode(text) }, true)),
        );
        await expect(here.dispatch(new PlaceOrder("late"))).rejects.toThrow(OutcomeUnknownError);
        const second = here.dispatch(new PlaceOrder("second"));
        await until(() => answers.length === 2);
        for (const answer of answers) for (const text of ["v", "e{}"]) answer(text);
        await second;
        await canary(near, far);
      }));

    it("140 a version that an old process cannot read is left to new ones, up to a cap", async () => {
      const Newer = { OrderShipped: class OrderShipped {} }.OrderShipped;
      Object.assign(Newer, { version: 2 });
      const near = await join();
      const here = new EventBus();
      near.route(here, [Newer]);
      const old = await join();
      await old.serve(new EventBus(), [OrderShipped], {
        group: "g",
        unknown: "retry",
        maxAttempts: 1,
        backoffMs: [20],
        concurrency: 1,
      });
      await here.publish(new Newer());
      await until(async () => (await old.deadLetters.list()).length === 1);
      expect((await old.deadLetters.list())[0]).toMatchObject({ reason: "unknown-type", attempts: 10 });
      await old.close();
      const oldAgain = await join();
      await oldAgain.serve(new EventBus(), [OrderShipped], {
        group: "g",
        unknown: "retry",
        backoffMs: [20],
      });
      const [updated, there] = [await join(), new EventBus()];
      const seen: unknown[] = [];
      there.register(Newer, (event) => void seen.push(event));
      await updated.serve(there, [Newer], { group: "g", backoffMs: [20] });
      for (let count = 1; count <= 5; count++) {
        await here.publish(new Newer());
        await until(() => seen.length === count);
      }
      expect(await updated.deadLetters.list()).toHaveLength(1);
    });

    it("145 a late acknowledgement of a process that was cut off counts, though another one fails meanwhile", async () => {
      const near = await join();
      const { link: stale, cut, heal } = await joinFragile();
      const runs: number[] = [];
      const ends: (() => void)[] = [];
      const serve = async (link: Link, fails: boolean): Promise<void> => {
        const bus = new CommandBus();
        bus.register(PlaceOrder, async ({ orderId }, { attempt }) => {
          if (orderId !== "o1") return;
          runs.push(attempt);
          await new Promise<void>((resolve) => ends.push(resolve));
          if (fails) throw new Error("no");
        });
        await link.serve(bus, [PlaceOrder], { ...LOST, ackWaitMs: 1_500 });
      };
      await serve(stale, false);
      await store(near.transport, Envelope.of(new PlaceOrder("o1")));
      await until(() => runs.length === 1);
      await cut();
      const other = await join();
      await serve(other, true);
      await until(() => runs.length === 2);
      const states: string[] = [];
      stale.state$.subscribe((state) => states.push(state));
      await heal();
      await until(() => states.at(-1) === "connected");
      ends[0]!();
      // The acknowledgement is confirmed before the other one fails.
      await canary(near, stale);
      ends[1]!();
      await canary(near, other);
      expect(runs).toEqual([1, 2]);
      await expect(near.deadLetters.list()).resolves.toEqual([]);
    });

    it("a message that ends its process each time is given up at last", async () => {
      const { near, far } = await pair();
      const there = new CommandBus();
      const attempts: number[] = [];
      there.register(PlaceOrder, (_, { attempt }) => void attempts.push(attempt));
      await far.serve(there, [PlaceOrder], { ...SOON, maxAttempts: 1 });
      // Taken ten times, and settled by no process.
      let taken = 0;
      const listeners = await near.transport.consume(
        {
          kind: "command",
          types: ["Lethal"],
          group: "cqrx",
          concurrency: 1,
          ackWaitMs: 5_000,
          start: "new",
          order: "none",
          partitions: 1,
        },
        (delivery) => {
          taken++;
          return delivery.retry(0);
        },
      );
      class Lethal extends PlaceOrder {}
      const here = new CommandBus();
      near.route(here, [Lethal], { until: "stored" });
      await here.dispatch(new Lethal("o1"));
      await until(() => taken >= 10);
      await Promise.all(listeners.map((listener) => listener.close()));
      const last = new CommandBus();
      last.register(Lethal, () => void attempts.push(-1));
      await far.serve(last, [Lethal], { maxAttempts: 1 });
      await until(async () => (await far.deadLetters.list()).length === 1);
      expect((await far.deadLetters.list())[0]).toMatchObject({ reason: "max-attempts" });
      expect(attempts).toEqual([]);
      await canary(near, far);
    });
  });
}
