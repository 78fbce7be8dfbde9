import { jetstreamManager } from "@nats-io/jetstream";
import { natsTransport } from "cqrx/nats";
import type { World } from "../transport/support.js";
import { Proxy } from "./proxy.js";
import type { NatsServer } from "./server.js";

/** Short pings, so that a connection that was cut shows soon. */
const QUICK_PINGS = { pingInterval: 300, maxPingOut: 2, timeout: 1_000 };
let worlds = 0;

/** A network on a server, apart from others by its prefix. */
export function natsWorld(server: NatsServer): World {
  const prefix = `w${++worlds}`;
  const proxies: Proxy[] = [];
  return {
    connect: () => natsTransport({ servers: server.url, prefix }),
    async connectFragile() {
      const proxy = await Proxy.to(server.port);
      proxies.push(proxy);
      const servers = `127.0.0.1:${proxy.port}`;
      const transport = await natsTransport({
        ...QUICK_PINGS,
        servers,
        prefix,
        ignoreClusterUpdates: true,
      });
      return { transport, cut: async () => proxy.swallow(), heal: async () => proxy.heal() };
    },
    crash: () => server.kill(),
    restart: async () => void (await server.start()),
    async refuseDeadLetters(refused) {
      const transport = await natsTransport({ servers: server.url, prefix });
      const jsm = await jetstreamManager(transport.connection);
      await jsm.streams.update(`${prefix}_dead`, { max_msg_size: refused ? 1 : -1 });
      await transport.close();
    },
    close: async () => void (await Promise.all(proxies.map((proxy) => proxy.close()))),
  };
}
