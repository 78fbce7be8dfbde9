import type {
  ConsumeOptions,
  Frame,
  IncomingCall,
  LinkState,
  Listener,
  StoredDelivery,
  Transport,
  TransportFeatures,
} from "../transport/transport.js";
import { equal } from "./equal.js";

/** A network of its own for each test, and the faults that it can have. */
export interface TransportWorld {
  /** Connects one more process. */
  readonly connect: () => Promise<Transport>;
  /** Kills the server. Without it, the tests of faults are left out. */
  readonly crash?: () => Promise<void>;
  /** Starts the server again, with what it had stored. */
  readonly restart?: () => Promise<void>;
  /** Makes the store of dead letters refuse, or accept again. Without it, that test is left out. */
  readonly refuseDeadLetters?: (refused: boolean) => Promise<void>;
  /** Ends what the test has left. */
  readonly close: () => Promise<void>;
}

/** The functions of a test runner, as Jest, Vitest and node:test have them. */
export interface TestRunner {
  describe(name: string, tests: () => void): unknown;
  it(name: string, test: () => Promise<void>): unknown;
}

/** The longest that a test waits for something to happen, in milliseconds. */
const PATIENCE_MS = 30_000;

/**
 * Declares the tests that a transport has to pass: the specification of `Transport` in code.
 *
 * @param make - makes a network for each test
 * @param features - what the engine can do; tests of other features are left out
 * @param runner - `describe` and `it`; those of Jest, or of Vitest with globals, if it is left out
 * @example
 * transportSuite("memory", async () => {
 *   const broker = new MemoryBroker();
 *   return { connect: () => memoryTransport({ broker }), close: async () => {} };
 * }, { calls: true, stored: true, replay: true, order: "key", delayedRetry: true });
 */
export function transportSuite(
  name: string,
  make: () => Promise<TransportWorld>,
  features: Partial<TransportFeatures>,
  runner: TestRunner = globalThis as unknown as TestRunner,
): void {
  const { calls = true, stored = true, replay = true, order = "key", delayedRetry = true } = features;

  /** Declares a test that gets a network of its own. */
  const test = (title: string, run: (world: TransportWorld) => Promise<void>): void =>
    void runner.it(title, async () => {
      const world = await make();
      const open: Transport[] = [];
      const connect = async (): Promise<Transport> => {
        const transport = await world.connect();
        open.push(transport);
        return transport;
      };
      try {
        await run({ ...world, connect });
      } finally {
        await Promise.all(open.map((transport) => transport.close()));
        await world.close();
      }
    });

  runner.describe(`${name}, as a transport`, () => {
    test("has the features that it is tested for", async ({ connect }) => {
      const actual = (await connect()).features;
      for (const [feature, value] of Object.entries({ calls, stored, replay, order, delayedRetry }))
        check(
          actual[feature as keyof TransportFeatures] === value,
          `features.${feature} is not ${String(value)}`,
        );
    });
    test("tells its state, and closes once however often it is told", async ({ connect }) => {
      const transport = await connect();
      const states: LinkState[] = [];
      transport.state$.subscribe({ next: (state) => states.push(state), error: () => undefined });
      await Promise.all(Array.from({ length: 50 }, () => transport.close()));
      same(states, ["connected", "closed"]);
    });
    if (stored) storedTests(test, { delayedRetry, order, replay });
    if (calls) callTests(test);
  });
}

type Declare = (title: string, run: (world: TransportWorld) => Promise<void>) => void;

// Storage -----------------------------------------------------------------------------------------------------------

function storedTests(
  test: Declare,
  { delayedRetry, order, replay }: Pick<TransportFeatures, "delayedRetry" | "order" | "replay">,
): void {
  test("brings 100 messages with their headers and bytes", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    const inbox = await consuming(far, { types: ["a"] });
    for (let n = 0; n < 100; n++)
      await append(near, "a", `id${n}`, {
        headers: { "x-n": `n ${n}`, "x-empty": "" },
        body: bytes(`body ${n} ä`),
      });
    await until(() => inbox.frames.length === 100);
    same(inbox.texts().sort(), numbers(100, (n) => `body ${n} ä`).sort());
    const one = inbox.frames.find(({ body }) => text(body) === "body 7 ä")!;
    same([one.headers["x-n"], one.headers["x-empty"]], ["n 7", ""]);
  });
  test("shares 5,000 messages between 50 consumers of one group, each message once", async ({ connect }) => {
    const transport = await connect();
    const inboxes = await Promise.all(
      numbers(50, () => consuming(transport, { types: ["a"], concurrency: 8 })),
    );
    for (let from = 0; from < 5_000; from += 250)
      await Promise.all(numbers(250, (n) => append(transport, "a", `id${from + n}`)));
    const all = (): string[] => inboxes.flatMap((inbox) => inbox.texts());
    await until(() => all().length >= 5_000);
    check(
      new Set(all()).size === 5_000 && all().length === 5_000,
      `${all().length} deliveries of 5,000 messages`,
    );
  });
  test("delivers again after a retry, and counts the attempts", async ({ connect }) => {
    const transport = await connect();
    const attempts: number[] = [];
    await transport.consume(options({ types: ["a"] }), async (delivery) => {
      attempts.push(delivery.attempt);
      await (delivery.attempt < 4 ? delivery.retry(0) : delivery.ack());
    });
    await append(transport, "a", "id");
    await until(() => attempts.length === 4);
    same(attempts, [1, 2, 3, 4]);
  });
  test("goes on after 100 messages that failed once", async ({ connect }) => {
    const transport = await connect();
    const done = new Set<string>();
    await transport.consume(options({ types: ["a"] }), async (delivery) => {
      if (delivery.attempt === 1) return delivery.retry(0);
      done.add(text(delivery.frame.body));
      return delivery.ack();
    });
    await Promise.all(numbers(100, (n) => append(transport, "a", `id${n}`)));
    await until(() => done.size === 100);
  });
  test("delivers again what was not acknowledged when its consumer left", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    let taken = 0;
    await far.consume(options({ types: ["a"], ackWaitMs: 500 }), () => {
      taken++;
      return new Promise(() => undefined);
    });
    await append(near, "a", "id");
    await until(() => taken === 1);
    await far.close();
    const inbox = await consuming(near, { types: ["a"], ackWaitMs: 500 });
    await until(() => inbox.frames.length === 1);
    check(inbox.attempts[0]! >= 2, "the attempt is not counted");
  });
  test("holds at most `concurrency` deliveries", async ({ connect }) => {
    const transport = await connect();
    let [running, most, done] = [0, 0, 0];
    await transport.consume(options({ types: ["a"], concurrency: 3 }), async (delivery) => {
      most = Math.max(most, ++running);
      await new Promise((resolve) => setTimeout(resolve, 1));
      await delivery.ack();
      running--;
      done++;
    });
    await Promise.all(numbers(50, (n) => append(transport, "a", `id${n}`)));
    await until(() => done === 50);
    check(most <= 3, `${most} ran at once`);
  });
  test("goes on after one of two consumers was closed, and loses nothing", async ({ connect }) => {
    const transport = await connect();
    const [first, second] = [
      await consuming(transport, { types: ["a"] }),
      await consuming(transport, { types: ["a"] }),
    ];
    await Promise.all(numbers(50, (n) => append(transport, "a", `id${n}`)));
    const closed = first.close();
    await Promise.all(numbers(50, (n) => append(transport, "a", `id${50 + n}`)));
    await closed;
    const all = (): Set<string> => new Set([...first.texts(), ...second.texts()]);
    await until(() => all().size === 100);
    await append(transport, "a", "last");
    await until(() => second.texts().includes("last"));
    check(!first.texts().includes("last"), "a closed consumer received a message");
  });
  test("stores one id once", async ({ connect }) => {
    const transport = await connect();
    const first = await append(transport, "a", "twice");
    const second = await append(transport, "a", "twice");
    same([first.duplicate, second.duplicate], [false, true]);
    const inbox = await consuming(transport, { types: ["a"] });
    await append(transport, "a", "last");
    await until(() => inbox.texts().includes("last"));
    same(inbox.texts(), ["twice", "last"]);
  });
  test("passes by the types that are not listed, and keeps commands until their handler comes", async ({
    connect,
  }) => {
    const transport = await connect();
    await append(transport, "a", "a1");
    await append(transport, "b", "b1");
    const inbox = await consuming(transport, { types: ["b"] });
    await until(() => inbox.frames.length === 1);
    same(inbox.texts(), ["b1"]);
    const later = await consuming(transport, { types: ["a"] });
    await until(() => later.frames.length === 1);
    same(later.texts(), ["a1"]);
  });
  test("brings each event to each group", async ({ connect }) => {
    const transport = await connect();
    const inboxes = await Promise.all(
      ["g1", "g2"].map((group) => consuming(transport, { kind: "event", types: ["a"], group })),
    );
    await Promise.all(numbers(20, (n) => append(transport, "a", `id${n}`, undefined, "e")));
    await until(() => inboxes.every((inbox) => inbox.frames.length === 20));
  });
  test("starts a new group at the first event, or after the last one; a known group goes on", async ({
    connect,
  }) => {
    const transport = await connect();
    await append(transport, "a", "old", undefined, "e");
    const all = await consuming(transport, { kind: "event", types: ["a"], group: "all", start: "all" });
    const fresh = await consuming(transport, { kind: "event", types: ["a"], group: "new", start: "new" });
    await until(() => all.frames.length === 1);
    await all.close();
    await append(transport, "a", "next", undefined, "e");
    await until(() => fresh.frames.length === 1);
    same(fresh.texts(), ["next"]);
    const again = await consuming(transport, { kind: "event", types: ["a"], group: "all", start: "all" });
    await until(() => again.frames.length === 1);
    same(again.texts(), ["next"]);
  });
  test("moves a message to the dead letters, from where it is replayed or discarded", async ({ connect }) => {
    const transport = await connect();
    const attempts: number[] = [];
    await transport.consume(options({ types: ["a"], group: "g" }), (delivery) => {
      attempts.push(delivery.attempt);
      return attempts.length < 3 ? delivery.dead("unrecoverable", "because") : delivery.ack();
    });
    await append(transport, "a", "id");
    const letters = async (): Promise<number> => (await transport.deadLetters.list()).length;
    await until(async () => (await letters()) === 1);
    const [letter] = await transport.deadLetters.list();
    same(
      [
        letter!.messageId,
        letter!.reason,
        letter!.detail,
        letter!.group,
        letter!.attempts,
        text(letter!.body),
      ],
      ["id", "unrecoverable", "because", "g", 1, "id"],
    );
    await transport.deadLetters.replay(letter!.id);
    await until(() => attempts.length === 2);
    await until(async () => (await letters()) === 1);
    const [again] = await transport.deadLetters.list();
    same([again!.replayCount, again!.attempts], [1, 1]);
    await transport.deadLetters.discard(again!.id);
    same(await letters(), 0);
  });
  test("keeps a message whose dead letter was refused", async (world) => {
    if (world.refuseDeadLetters === undefined) return;
    const transport = await world.connect();
    await world.refuseDeadLetters(true);
    let refused = 0;
    await transport.consume(options({ types: ["a"] }), async (delivery) => {
      try {
        await delivery.dead("unrecoverable", "because");
      } catch {
        refused++;
        await delivery.retry(1);
      }
    });
    await append(transport, "a", "id");
    await until(() => refused > 0);
    await world.refuseDeadLetters(false);
    await until(async () => (await transport.deadLetters.list()).length === 1);
  });
  if (delayedRetry)
    test("waits before a retry: at least 0.8 of the delay", async ({ connect }) => {
      const transport = await connect();
      const times: number[] = [];
      await transport.consume(options({ types: ["a"], ackWaitMs: 10_000 }), async (delivery) => {
        times.push(performance.now());
        await (delivery.attempt === 1 ? delivery.retry(400) : delivery.ack());
      });
      await append(transport, "a", "id");
      await until(() => times.length === 2);
      check(times[1]! - times[0]! >= 320, `it waited ${Math.round(times[1]! - times[0]!)} ms`);
    });
  if (order === "key")
    test("keeps the order in each partition, also while a message is retried", async ({ connect }) => {
      const transport = await connect();
      const seen: string[][] = [[], [], []];
      await transport.consume(
        options({ kind: "event", types: ["a"], group: "g", order: "key", partitions: 3, concurrency: 16 }),
        async (delivery) => {
          const [partition, n] = text(delivery.frame.body).split(":");
          if (n === "5" && delivery.attempt === 1) return delivery.retry(20);
          seen[Number(partition)]!.push(n!);
          return delivery.ack();
        },
      );
      for (let n = 0; n < 10; n++)
        for (let at = 0; at < 3; at++) await append(transport, "a", `${at}:${n}`, undefined, "e", at);
      await until(() => seen.flat().length === 30);
      for (const each of seen) same(each, numbers(10, String));
    });
  if (replay)
    test("reads all events in order, and those to come", async ({ connect }) => {
      const transport = await connect();
      for (let n = 0; n < 5; n++) await append(transport, "a", `id${n}`, undefined, "e", n % 3);
      const seen: string[] = [];
      const positions: string[] = [];
      const reader = await transport.read({ kind: "event", start: "all" }, ({ body }, position) => {
        seen.push(text(body));
        positions.push(position);
      });
      await until(() => seen.length === 5);
      await append(transport, "a", "id5", undefined, "e");
      await until(() => seen.length === 6);
      same(
        seen,
        numbers(6, (n) => `id${n}`),
      );
      await reader.close();
      const rest: string[] = [];
      await transport.read({ kind: "event", start: { after: positions[3]! } }, ({ body }) =>
        rest.push(text(body)),
      );
      await until(() => rest.length === 2);
      same(rest, ["id4", "id5"]);
    });
  test("settles what is sent while it is closed", async ({ connect }) => {
    const transport = await connect();
    const sent = numbers(50, (n) => append(transport, "a", `id${n}`).then(() => "stored", codeOf));
    await transport.close();
    for (const result of await Promise.all(sent))
      check(
        ["stored", "NOT_SENT", "OUTCOME_UNKNOWN", "LINK_CLOSED"].includes(result),
        `it ended with ${result}`,
      );
  });
  test("stores again after a restart of the server, and delivers what was stored before", async (world) => {
    if (world.crash === undefined) return;
    const transport = await world.connect();
    await append(transport, "a", "before");
    await world.crash();
    const waiting = append(transport, "a", "during");
    await world.restart!();
    await waiting;
    const inbox = await consuming(transport, { types: ["a"] });
    await until(() => inbox.frames.length === 2);
    same(inbox.texts().sort(), ["before", "during"]);
  });
  test("consumes again after a restart of the server, without a hand", async (world) => {
    if (world.crash === undefined) return;
    const transport = await world.connect();
    const inbox = await consuming(transport, { types: ["a"], ackWaitMs: 1_000 });
    await append(transport, "a", "before");
    await until(() => inbox.frames.length === 1);
    await world.crash();
    await world.restart!();
    await append(transport, "a", "after");
    await until(() => inbox.texts().includes("after"));
  });
  test("rejects with NOT_SENT when there is no server within the time limit", async (world) => {
    if (world.crash === undefined) return;
    const transport = await world.connect();
    let state: LinkState | undefined;
    transport.state$.subscribe({ next: (next) => (state = next), error: () => undefined });
    await world.crash();
    await until(() => state === "disconnected");
    const { signal } = new AbortController();
    const sent = transport.append("s.c.0.a", frame("x"), { id: "x", type: "a", signal, timeoutMs: 300 });
    same(await sent.then(() => "stored", codeOf), "NOT_SENT");
    await world.restart!();
  });
}

// Calls -------------------------------------------------------------------------------------------------------------

function callTests(test: Declare): void {
  test("answers calls, also many at once", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    await far.answer("r.c.a", GROUP, (call) => call.reply(frame(`re: ${text(call.frame.body)}`), true));
    const replies = await Promise.all(numbers(200, (n) => ask(near, "r.c.a", `q${n}`).last));
    same(
      replies,
      numbers(200, (n) => `re: q${n}`),
    );
  });
  test("shares calls between the processes of a group, each call once", async ({ connect }) => {
    const near = await connect();
    const counts = [0, 0, 0];
    for (const at of counts.keys()) {
      const far = await connect();
      await far.answer("r.c.a", GROUP, (call) => {
        counts[at]!++;
        call.reply(frame("ok"), true);
      });
    }
    await Promise.all(numbers(300, () => ask(near, "r.c.a", "q").last));
    same(
      counts.reduce((sum, count) => sum + count),
      300,
    );
    check(Math.min(...counts) > 0, `one process got nothing: ${counts.join()}`);
  });
  test("brings a stream of 5,000 frames in order", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    await far.answer("r.q.a", GROUP, (call) => {
      for (let n = 0; n < 5_000; n++) call.reply(frame(String(n)), false);
      call.reply(frame("end"), true);
    });
    const asked = ask(near, "r.q.a", "q");
    same(await asked.last, "end");
    same(asked.frames, numbers(5_000, String).concat("end"));
  });
  test("says at once that no process answers", async ({ connect }) => {
    same(await ask(await connect(), "r.c.none", "q").last, "HANDLER_NOT_FOUND");
  });
  test("says so, too, after the last process has left", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    const listener = await far.answer("r.c.a", GROUP, (call) => call.reply(frame("ok"), true));
    same(await ask(near, "r.c.a", "q").last, "ok");
    await listener.close();
    same(await ask(near, "r.c.a", "q").last, "HANDLER_NOT_FOUND");
  });
  test("takes a cancellation to the other side before its first frame, and after it", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    const calls: IncomingCall[] = [];
    let cancelled = 0;
    await far.answer("r.c.a", GROUP, (call) => {
      calls.push(call);
      call.onCancel(() => cancelled++);
    });
    const before = ask(near, "r.c.a", "q");
    await until(() => calls.length === 1);
    before.cancel();
    await until(() => cancelled === 1);
    const after = ask(near, "r.c.a", "q");
    await until(() => calls.length === 2);
    calls[1]!.reply(frame("1"), false);
    await until(() => after.frames.length === 1);
    after.cancel();
    await until(() => cancelled === 2);
    calls[1]!.reply(frame("2"), false);
    same(await canary(near, far), "ok");
    same(after.frames, ["1"]);
  });
  test("takes credit to the other side after its first frame", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    const credits: number[] = [];
    await far.answer("r.q.a", GROUP, (call) => {
      call.onCredit((count) => {
        credits.push(count);
        if (count === 7) call.reply(frame("end"), true);
      });
      call.reply(frame("1"), false);
    });
    const asked = ask(near, "r.q.a", "q");
    await until(() => asked.frames.length === 1);
    asked.credit(0);
    asked.credit(7);
    same(await asked.last, "end");
    same(credits, [0, 7]);
  });
  test("carries any bytes and any address", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    const addresses = ["r.c.a.b", "r.c.*", "r.c.>", "r.c. ", "r.c.ä\r\n", "r.c.%2E"];
    for (const address of addresses)
      await far.answer(address, GROUP, (call) =>
        call.reply(frame(`${address} ${text(call.frame.body)}`), true),
      );
    for (const address of addresses) same(await ask(near, address, "\0ÿ").last, `${address} \0ÿ`);
  });
  test("ends calls that wait when it is closed", async ({ connect }) => {
    const [near, far] = [await connect(), await connect()];
    await far.answer("r.c.a", GROUP, () => undefined);
    const waiting = ask(near, "r.c.a", "q");
    await until(() => waiting.sent());
    await near.close();
    check(["NOT_SENT", "OUTCOME_UNKNOWN", "LINK_CLOSED"].includes(await waiting.last), "it ended otherwise");
  });
  test("answers again after a restart of the server, without a hand", async (world) => {
    if (world.crash === undefined) return;
    const [near, far] = [await world.connect(), await world.connect()];
    await far.answer("r.c.a", GROUP, (call) => call.reply(frame("ok"), true));
    await world.crash();
    await world.restart!();
    await until(async () => (await ask(near, "r.c.a", "q").last) === "ok");
  });
}

const GROUP = { group: "g" };

async function canary(near: Transport, far: Transport): Promise<string> {
  const listener = await far.answer("r.c.canary", GROUP, (call) => call.reply(frame("ok"), true));
  const reply = await ask(near, "r.c.canary", "q").last;
  await listener.close();
  return reply;
}

// Helpers -----------------------------------------------------------------------------------------------------------

interface Asked {
  readonly frames: string[];
  /** The text of the last frame, or the code of the error. */
  readonly last: Promise<string>;
  sent(): boolean;
  cancel(): void;
  credit(count: number): void;
}

/** Calls; a stream is over with a frame whose text is `end`, any other call with its first frame. */
function ask(transport: Transport, address: string, body: string): Asked {
  const frames: string[] = [];
  let sent = false;
  let outgoing: ReturnType<Transport["call"]> | undefined;
  const last = new Promise<string>((resolve) => {
    outgoing = transport.call(address, frame(body), {
      type: "a",
      sent: () => (sent = true),
      frame: (reply) => {
        frames.push(text(reply.body));
        if (frames.at(-1) === "end" || !/^\d+$/.test(frames.at(-1)!)) resolve(frames.at(-1)!);
      },
      error: (error) => resolve(error.code),
    });
  });
  return {
    frames,
    last,
    sent: () => sent,
    cancel: () => outgoing!.cancel(),
    credit: (count) => outgoing!.credit(count),
  };
}

function options(given: Partial<ConsumeOptions>): ConsumeOptions {
  return {
    kind: "command",
    types: [],
    group: "g",
    concurrency: 64,
    ackWaitMs: 5_000,
    start: "new",
    order: "none",
    partitions: given.kind === "event" ? 3 : 1,
    ...given,
  };
}

interface Consuming {
  readonly frames: Frame[];
  readonly attempts: number[];
  texts(): string[];
  close(): Promise<void>;
}

/** Acknowledges everything. */
async function consuming(transport: Transport, given: Partial<ConsumeOptions>): Promise<Consuming> {
  const frames: Frame[] = [];
  const attempts: number[] = [];
  const listeners: readonly Listener[] = await transport.consume(
    options(given),
    (delivery: StoredDelivery) => {
      frames.push(delivery.frame);
      attempts.push(delivery.attempt);
      return delivery.ack();
    },
  );
  return {
    frames,
    attempts,
    texts: () => frames.map(({ body }) => text(body)),
    close: async () => void (await Promise.all(listeners.map((listener) => listener.close()))),
  };
}

function append(
  transport: Transport,
  type: string,
  id: string,
  given: Frame = frame(id),
  kind: "c" | "e" = "c",
  partition = 0,
): ReturnType<Transport["append"]> {
  const { signal } = new AbortController();
  const headers = { ...given.headers, "cqrx-type": type, "cqrx-id": id };
  return transport.append(
    `s.${kind}.${partition}.${type}`,
    { headers, body: given.body },
    { id, type, signal, timeoutMs: PATIENCE_MS },
  );
}

const bytes = (value: string): Uint8Array => new TextEncoder().encode(value);
const text = (value: Uint8Array): string => new TextDecoder().decode(value);
const frame = (body: string): Frame => ({ headers: {}, body: bytes(body) });
const numbers = <T>(count: number, make: (n: number) => T): T[] =>
  Array.from({ length: count }, (_, n) => make(n));
const codeOf = (error: unknown): string => (error as { code?: string }).code ?? String(error);

function check(condition: boolean, problem: string): void {
  if (!condition) throw new Error(`The transport does not conform: ${problem}.`);
}

function same(actual: unknown, expected: unknown): void {
  check(
    equal(actual, expected),
    `expected ${JSON.stringify(expected)}, received ${JSON.stringify(actual)}`.slice(0, 500),
  );
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    check(performance.now() < end, `it did not happen within ${PATIENCE_MS} ms: ${String(condition)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
