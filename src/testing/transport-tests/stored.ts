import type { TransportFeatures } from "../../transport/transport.js";
import {
  options,
  consuming,
  append,
  bytes,
  text,
  numbers,
  codeOf,
  check,
  same,
  until,
  type Declare,
} from "./support.js";

/** Declares the tests of what a transport stores. */
export function storedTests(
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
  test(
    "keeps a message whose dead letter was refused",
    async (world) => {
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
    },
    ["refuseDeadLetters"],
  );
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
  test("stores a message as large as the transport says", async ({ connect }) => {
    const transport = await connect();
    const headers = { "cqrx-type": "a", "cqrx-id": "large" };
    // A link counts four bytes for each header besides its texts.
    const free = Object.entries(headers).reduce(
      (sum, [name, value]) => sum + name.length + value.length + 4,
      0,
    );
    const body = bytes("x".repeat(transport.features.maxBytes - free));
    await append(transport, "a", "large", { headers: {}, body });
    const inbox = await consuming(transport, { types: ["a"] });
    await until(() => inbox.frames.length === 1);
    same(inbox.frames[0]!.body.length, body.length);
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
}
