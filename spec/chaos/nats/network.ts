import { once } from "node:events";
import { createServer, type AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { jetstreamManager } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";
import { NatsServer } from "../../../examples/support/nats-server.js";
import { Proxy } from "./proxy.js";

/** One server or several, and what can be done to them and to the connections of processes. */
export interface Network {
  readonly replicas: 1 | 3;
  /** Where the process of this number finds the network. */
  servers(at: number): string[];
  /** Kills a server, and starts it again after the time. */
  crash(awayMs: number, caller: NatsConnection): Promise<void>;
  cut(at: number): void;
  /** Swallows what the connection of a process carries, and cuts it after the time. */
  swallow(at: number, forMs: number): Promise<void>;
  close(): Promise<void>;
}

/** One server, and each process behind a proxy of its own. */
export class SingleServer implements Network {
  readonly replicas = 1;
  readonly #server: NatsServer;
  readonly #proxies: readonly Proxy[];

  private constructor(server: NatsServer, proxies: readonly Proxy[]) {
    this.#server = server;
    this.#proxies = proxies;
  }

  static async start(processes: number): Promise<SingleServer> {
    const server = await new NatsServer().start();
    const proxies = Array.from({ length: processes }, () => Proxy.open(() => server.port));
    return new SingleServer(server, await Promise.all(proxies));
  }

  servers(at: number): string[] {
    return [this.#proxies[at]!.url];
  }

  async crash(awayMs: number): Promise<void> {
    await this.#server.kill();
    await pause(awayMs);
    await this.#server.start();
  }

  cut(at: number): void {
    this.#proxies[at]!.cut();
  }

  async swallow(at: number, forMs: number): Promise<void> {
    const cut = this.#proxies[at]!.swallow();
    await pause(forMs);
    cut();
  }

  async close(): Promise<void> {
    for (const proxy of this.#proxies) proxy.close();
    await this.#server.remove();
  }
}

/** Three servers that hold each message three times; a crash is that of the leader of the commands. */
export class Cluster implements Network {
  readonly replicas = 3;
  readonly #servers: readonly NatsServer[];

  private constructor(servers: readonly NatsServer[]) {
    this.#servers = servers;
  }

  static async start(): Promise<Cluster> {
    const ports = await freePorts(6);
    const routes = ports.slice(3).map((port) => `nats://127.0.0.1:${port}`);
    const servers = routes.map(
      (route, at) =>
        new NatsServer({
          port: ports[at]!,
          args: [
            "--name",
            `n${at}`,
            "--cluster_name",
            "chaos",
            "--cluster",
            route,
            "--routes",
            routes.join(","),
          ],
        }),
    );
    await Promise.all(servers.map((server) => server.start()));
    return new Cluster(servers);
  }

  servers(): string[] {
    return this.#servers.map(({ url }) => url);
  }

  async crash(awayMs: number, caller: NatsConnection): Promise<void> {
    const jsm = await jetstreamManager(caller, { checkAPI: false });
    let name: string | undefined;
    // A leader may just be moving.
    while (name === undefined)
      name = await jsm.streams.info("cqrx_commands").then(
        ({ cluster }) => cluster?.leader,
        () => pause(50, undefined),
      );
    const leader = this.#servers[Number(name.slice(1))]!;
    await leader.kill();
    await pause(awayMs);
    await leader.start();
  }

  cut(): void {}

  async swallow(): Promise<void> {}

  async close(): Promise<void> {
    await Promise.all(this.#servers.map((server) => server.remove()));
  }
}

/** Ports that were free a moment ago, because the servers of a cluster have to know each other's. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
