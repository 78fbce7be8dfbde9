import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { afterAll, describe, expect, it, jest } from "@jest/globals";
import { jetstreamManager } from "@nats-io/jetstream";
import { CommandBus, HandlerNotFoundError, type Fault } from "cqrx";
import { natsInbox, natsTransport } from "cqrx/nats";
import { Link, NotSentError, type LinkState } from "cqrx/transport";
import { withTraps } from "../support/traps.js";
import { faultCases } from "../transport/fault-cases.js";
import { PlaceOrder, QUICK, until } from "../transport/support.js";
import { ConfiguredServer, NatsServer, withServer } from "./server.js";
import { natsWorld } from "./world.js";

withServer((server) => {
  faultCases("nats", async () => natsWorld(server));

  const links: Link[] = [];
  const joined = async (prefix: string, options: Parameters<typeof natsTransport>[0] = {}): Promise<Link> => {
    const link = new Link(await natsTransport({ servers: server.url, prefix, ...options }), QUICK);
    links.push(link);
    return link;
  };
  afterAll(async () => void (await Promise.all(links.map((link) => link.close({ timeoutMs: 100 })))));

  describe("NATS", () => {
    it("120 a call whose reply would go elsewhere than to an inbox is refused and reported, and no reply is sent", async () => {
      const far = await joined("confused");
      const there = new CommandBus();
      const faults: Fault[] = [];
      there.faults$.subscribe((fault) => faults.push(fault));
      let handled = 0;
      there.register(PlaceOrder, () => void handled++);
      await far.serve(there, [PlaceOrder]);
      const near = await joined("confused");
      const { connection } = near.transport as Awaited<ReturnType<typeof natsTransport>>;
      const elsewhere: string[] = [];
      connection.subscribe("elsewhere.>", { callback: (_, { subject }) => void elsewhere.push(subject) });
      for (const reply of ["elsewhere.a", "$JS.API.STREAM.DELETE.confused_commands", ""])
        connection.publish(
          "confused.r.c.PlaceOrder",
          '{}\n{"meta":{},"payload":{}}',
          reply === "" ? {} : { reply },
        );
      await until(() => faults.length > 0);
      const here = new CommandBus();
      near.route(here, [PlaceOrder]);
      await here.dispatch(new PlaceOrder("last"));
      expect([handled, elsewhere]).toEqual([1, []]);
      expect(faults.map(({ source, error }) => [source, (error as Error).message])).toEqual([
        ["link, a call of PlaceOrder", "A call was refused, because its reply would not go to an inbox."],
      ]);
    });

    it("126 a process that is killed in its handler: its command is handled by another one, with attempt 2", async () => {
      const near = await joined("killed");
      const worker = spawn(
        process.execPath,
        ["--import", "tsx", join(__dirname, "killed-worker.ts"), server.url, "killed"],
        { stdio: ["ignore", "ignore", "inherit"] },
      );
      const here = new CommandBus();
      near.route(here, [PlaceOrder], { until: "stored" });
      await here.dispatch(new PlaceOrder("o1"));
      const [, signal] = (await once(worker, "exit")) as [number | null, string | null];
      expect(signal).toBe("SIGKILL");
      const attempts: number[] = [];
      const there = new CommandBus();
      there.register(PlaceOrder, (_, { attempt }) => void attempts.push(attempt));
      await (await joined("killed")).serve(there, [PlaceOrder], { ackWaitMs: 1_500 });
      await until(() => attempts.length === 1);
      expect(attempts).toEqual([2]);
    });

    it("131 a stream that was deleted under its worker is made again", async () => {
      const [near, far] = [await joined("unmade"), await joined("unmade")];
      const [here, there] = [new CommandBus(), new CommandBus()];
      const handled: string[] = [];
      there.register(PlaceOrder, ({ orderId }) => void handled.push(orderId));
      await far.serve(there, [PlaceOrder]);
      near.route(here, [PlaceOrder], { until: "stored" });
      const { connection } = near.transport as Awaited<ReturnType<typeof natsTransport>>;
      await (await jetstreamManager(connection)).streams.delete("unmade_commands");
      await here.dispatch(new PlaceOrder("o1"));
      await until(() => handled.length === 1);
    });

    it("132 a server that is stopped shows as degraded, and calls go on when it is continued", async () => {
      const own = await new NatsServer().start();
      try {
        const [near, far] = [
          new Link(await natsTransport({ servers: own.url }), QUICK),
          new Link(await natsTransport({ servers: own.url }), QUICK),
        ];
        const [here, there] = [new CommandBus(), new CommandBus()];
        there.register(PlaceOrder, () => undefined);
        await far.serve(there, [PlaceOrder]);
        near.route(here, [PlaceOrder]);
        await here.dispatch(new PlaceOrder("before"));
        const states: LinkState[] = [];
        near.state$.subscribe((state) => states.push(state));
        process.kill(own.pid, "SIGSTOP");
        // With the defaults: the client's own would show it after four minutes.
        await until(() => states.includes("degraded"));
        process.kill(own.pid, "SIGCONT");
        await until(() => states.at(-1) === "connected");
        await until(() =>
          here.dispatch(new PlaceOrder("after")).then(
            () => true,
            () => false,
          ),
        );
        await Promise.all([near.close(), far.close()]);
      } finally {
        await own.remove();
      }
    });

    it("137 without permission, each promise rejects with a typed error at once, and nothing else is rejected", () =>
      withTraps(async () => {
        const users = (...more: string[]): string =>
          `authorization { users: [ { user: all, password: p }, ${more.join(", ")} ] }`;
        const limited = `{ user: few, password: p, permissions: { publish: { deny: ["cqrx.r.>", "cqrx.s.>"] }, subscribe: { deny: ["cqrx.r.>"] } } }`;
        const own = await new ConfiguredServer(users(limited)).start();
        try {
          const all = new Link(await natsTransport({ servers: own.url, user: "all", pass: "p" }), QUICK);
          const few = new Link(await natsTransport({ servers: own.url, user: "few", pass: "p" }), QUICK);
          const [calling, storing, there] = [new CommandBus(), new CommandBus(), new CommandBus()];
          there.register(PlaceOrder, () => undefined);
          await all.serve(there, [PlaceOrder]);
          few.route(calling, [PlaceOrder]);
          few.route(storing, [PlaceOrder], { until: "stored" });
          await expect(calling.dispatch(new PlaceOrder("o1"))).rejects.toThrow(
            /not sent: this account may not/,
          );
          await expect(storing.dispatch(new PlaceOrder("o1"))).rejects.toThrow(
            /not sent: this account may not/,
          );
          await expect(few.serve(new CommandBus(), [PlaceOrder], { accept: ["calls"] })).rejects.toThrow(
            NotSentError,
          );
          // The user is taken away while it is connected.
          let state: LinkState | undefined;
          few.state$.subscribe((next) => (state = next));
          own.reload(users());
          await until(() => state === "disconnected");
          const bus = new CommandBus();
          few.route(bus, [PlaceOrder], { timeoutMs: 300 });
          await expect(bus.dispatch(new PlaceOrder("o1"))).rejects.toThrow(NotSentError);
          own.reload(users("{ user: few, password: p }"));
          await until(() => state === "connected");
          await until(() =>
            bus.dispatch(new PlaceOrder("last")).then(
              () => true,
              () => false,
            ),
          );
          await Promise.all([all.close(), few.close()]);
        } finally {
          await own.remove();
        }
      }));

    it("139 clocks that differ by an hour neither end a lease nor prolong it", async () => {
      const transports = await Promise.all(
        [1, 2].map(() => natsTransport({ servers: server.url, prefix: "skew" })),
      );
      const [one, two] = await Promise.all(transports.map((transport) => natsInbox(transport)));
      const now = Date.now.bind(Date);
      const clock = jest.spyOn(Date, "now");
      try {
        for (const [at, skewMs] of [3_600_000, -3_600_000].entries()) {
          await expect(one!.claim(`skew:${at}`, 60_000)).resolves.toBe("claimed");
          clock.mockImplementation(() => now() + skewMs);
          await expect(two!.claim(`skew:${at}`, 60_000)).resolves.toBe("running");
          await expect(one!.claim(`skew:short${at}`, 1)).resolves.toBe("claimed");
          await until(async () => (await two!.claim(`skew:short${at}`, 60_000)) === "claimed");
          clock.mockImplementation(now);
        }
      } finally {
        clock.mockRestore();
      }
      await Promise.all(transports.map((transport) => transport.close()));
    });

    it("a name that NATS has no room for is refused with its option", async () => {
      const link = await joined("long");
      const named = class {
        static readonly messageName = "ä".repeat(120);
      };
      await expect(link.serve(new CommandBus(), [named], { group: "g" })).rejects.toThrow(
        "group must be so short",
      );
      const there = new CommandBus();
      there.register(PlaceOrder, () => undefined);
      const here = new CommandBus();
      const near = await joined("long");
      near.route(here, [PlaceOrder]);
      await expect(here.dispatch(new PlaceOrder("o1"))).rejects.toThrow(HandlerNotFoundError);
      await link.serve(there, [PlaceOrder]);
      await here.dispatch(new PlaceOrder("o1"));
    });

    it("a message that no link has stored among the dead letters can be listed and discarded, and not replayed", async () => {
      const link = await joined("foreign");
      const { connection } = link.transport as Awaited<ReturnType<typeof natsTransport>>;
      await connection.request("foreign.d.c", "garbage");
      const [letter] = await link.deadLetters.list();
      expect(letter).toMatchObject({ reason: "undecodable", group: "" });
      await expect(link.deadLetters.replay(letter!.id)).rejects.toThrow("cannot be replayed");
      await link.deadLetters.discard(letter!.id);
      await expect(link.deadLetters.list()).resolves.toEqual([]);
    });
  });
});
