import type { LinkState } from "../../transport/transport.js";
import {
  options,
  consuming,
  append,
  frame,
  codeOf,
  CRASH,
  check,
  same,
  until,
  type Declare,
} from "./support.js";

/** Declares the tests of what a transport stores while its server restarts. */
export function storedFaultTests(test: Declare): void {
  test(
    "stores again after a restart of the server, and delivers what was stored before",
    async (world) => {
      const transport = await world.connect();
      await append(transport, "a", "before");
      await world.crash();
      const waiting = append(transport, "a", "during");
      await world.restart();
      await waiting;
      const inbox = await consuming(transport, { types: ["a"] });
      await until(() => inbox.frames.length === 2);
      same(inbox.texts().sort(), ["before", "during"]);
    },
    CRASH,
  );
  test(
    "consumes again after a restart of the server, without a hand",
    async (world) => {
      const transport = await world.connect();
      const inbox = await consuming(transport, { types: ["a"], ackWaitMs: 1_000 });
      await append(transport, "a", "before");
      await until(() => inbox.frames.length === 1);
      await world.crash();
      await world.restart();
      await append(transport, "a", "after");
      await until(() => inbox.texts().includes("after"));
    },
    CRASH,
  );
  test(
    "settles a message that was handled during a restart of the server, or delivers it again",
    async (world) => {
      const transport = await world.connect();
      const attempts: number[] = [];
      const settled: number[] = [];
      let end!: () => void;
      const ended = new Promise<void>((resolve) => (end = resolve));
      await transport.consume(options({ types: ["a"], ackWaitMs: 1_000 }), async (delivery) => {
        attempts.push(delivery.attempt);
        if (delivery.attempt === 1) await ended;
        await delivery.ack();
        settled.push(delivery.attempt);
      });
      await append(transport, "a", "id");
      await until(() => attempts.length === 1);
      await world.crash();
      end();
      await world.restart();
      await until(() => settled.length > 0);
      check(
        attempts.every((attempt, at) => attempt > at),
        `the attempts were ${attempts.join()}`,
      );
    },
    CRASH,
  );
  test(
    "rejects with NOT_SENT when there is no server within the time limit",
    async (world) => {
      const transport = await world.connect();
      let state: LinkState | undefined;
      transport.state$.subscribe({ next: (next) => (state = next), error: () => undefined });
      await world.crash();
      await until(() => state === "disconnected");
      const { signal } = new AbortController();
      const sent = transport.append("s.c.0.a", frame("x"), { id: "x", type: "a", signal, timeoutMs: 300 });
      same(await sent.then(() => "stored", codeOf), "NOT_SENT");
      await world.restart();
    },
    CRASH,
  );
}
