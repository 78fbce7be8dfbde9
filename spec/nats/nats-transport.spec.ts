import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import { jetstreamManager } from "@nats-io/jetstream";
import { natsInbox, natsTransport } from "cqrx/nats";
import { transportSuite } from "cqrx/testing";
import { NotSentError } from "cqrx/transport";
import { escapedFrom } from "../support/traps.js";
import { linkCases } from "../transport/link-cases.js";
import { until, type World } from "../transport/support.js";
import { wireCases } from "../transport/wire-cases.js";
import { NatsServer, withServer } from "./server.js";
import { natsWorld } from "./world.js";

withServer((server) => {
  const world = async (): Promise<World> => natsWorld(server);

  transportSuite("nats", world, {
    calls: true,
    stored: true,
    replay: true,
    order: "key",
    delayedRetry: true,
  });
  linkCases("nats", world);
  wireCases("nats", world);

  describe("natsTransport", () => {
    it("149 the guide says what power loss does, and which setting there is", () => {
      const guide = readFileSync(join(__dirname, "../../src/nats/README.md"), "utf8");
      expect(guide).toMatch(/## Not guaranteed\n\n- \*\*Loss of power\.\*\*.*`sync_interval` is 2 minutes/);
      expect(guide).toContain("Loss of the quorum of a cluster");
    });

    it("122 rejects with a typed error when no server answers in time", async () =>
      expect(natsTransport({ servers: "nats://127.0.0.1:9", connectTimeoutMs: 500 })).rejects.toThrow(
        NotSentError,
      ));

    it("122 waits for a server that starts later, within the time limit", async () => {
      const late = await new NatsServer().start();
      await late.kill();
      const connecting = natsTransport({ servers: late.url, connectTimeoutMs: 60_000 });
      await late.start();
      await (await connecting).close();
      await late.remove();
    });

    it("refuses wrong options by name", async () => {
      await expect(natsTransport({ prefix: "a.b" })).rejects.toThrow("prefix must be");
      await expect(natsTransport({ replicas: 2 as never })).rejects.toThrow("replicas must be 1, 3 or 5");
    });

    it("says what the server has against the streams", async () =>
      expect(natsTransport({ servers: server.url, prefix: "refused", replicas: 3 })).rejects.toThrow(
        "the server did not make the streams (replicas > 1 not supported in non-clustered mode)",
      ));

    it("takes durations that have no end", async () => {
      const { warnings } = await escapedFrom(async () => {
        const transport = await natsTransport({
          servers: server.url,
          prefix: "endless",
          connectTimeoutMs: Infinity,
          dedupeWindowMs: Infinity,
          maxAgeMs: Infinity,
        });
        const inbox = await natsInbox(transport, { bucket: "endless", windowMs: Infinity });
        expect(await inbox.claim("a", Infinity)).toBe("claimed");
        const jsm = await jetstreamManager(transport.connection);
        const { config } = await jsm.streams.info("endless_events");
        expect([config.max_age, config.duplicate_window]).toEqual([1e18, 1e18]);
        await transport.close();
      });
      // Of a timer that is too long, which fires at once.
      expect(warnings).toEqual([]);
    });

    it("131 makes a consumer again that was deleted under a worker", async () => {
      const transport = await natsTransport({ servers: server.url, prefix: "deleted" });
      const seen: string[] = [];
      await transport.consume(
        {
          kind: "command",
          types: ["a"],
          group: "g",
          concurrency: 8,
          ackWaitMs: 2_000,
          start: "new",
          order: "none",
          partitions: 1,
        },
        (delivery) => {
          seen.push(delivery.position);
          return delivery.ack();
        },
      );
      const jsm = await jetstreamManager(transport.connection);
      await jsm.consumers.delete("deleted_commands", "g_a");
      await transport.append(
        "s.c.0.a",
        { headers: {}, body: new Uint8Array() },
        { id: "1", type: "a", signal: new AbortController().signal, timeoutMs: 20_000 },
      );
      await until(() => seen.length === 1);
      await transport.close();
    });
  });

  describe("natsTransport, names", () => {
    it("handles messages of a type and a group of any characters, each once", async () => {
      const transport = await natsTransport({ servers: server.url, prefix: "names" });
      const seen: string[] = [];
      const type = "orders.place % ü";
      const options = { type, signal: new AbortController().signal, timeoutMs: 20_000 };
      for (const kind of ["command", "event"] as const) {
        const common = { kind, concurrency: 8, ackWaitMs: 60_000, order: "none", partitions: 1 } as const;
        await transport.consume({ ...common, types: [type], group: "a.b %d", start: "all" }, (delivery) => {
          seen.push(`${kind} ${delivery.attempt}`);
          return delivery.ack();
        });
        const frame = { headers: {}, body: new Uint8Array() };
        await transport.append(`s.${kind[0]}.0.${type}`, frame, { ...options, id: kind });
      }
      await until(() => seen.length === 2);
      expect(seen).toEqual(["command 1", "event 1"]);
      await transport.close();
    });
  });

  describe("natsInbox", () => {
    it("gives a claim to one of two processes, until it is released, done, or its lease has ended", async () => {
      const transports = await Promise.all(
        [1, 2].map(() => natsTransport({ servers: server.url, prefix: "inbox" })),
      );
      const [one, two] = await Promise.all(transports.map((transport) => natsInbox(transport)));
      const claims = await Promise.all([one!.claim("g:a.b *", 60_000), two!.claim("g:a.b *", 60_000)]);
      expect(claims.sort()).toEqual(["claimed", "running"]);
      const key = "g:other";
      await expect(one!.claim(key, 60_000)).resolves.toBe("claimed");
      await one!.release(key);
      await expect(two!.claim(key, 1)).resolves.toBe("claimed");
      await until(async () => (await one!.claim(key, 60_000)) === "claimed");
      await one!.done(key);
      await expect(two!.claim(key, 60_000)).resolves.toBe("done");
      await Promise.all(transports.map((transport) => transport.close()));
    });
  });
});
