import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";

/** A TCP proxy that can cut its connections, and swallow what goes through them. */
export class Proxy {
  readonly #server: Server;
  readonly #connections = new Set<{ readonly ends: readonly [Socket, Socket]; swallows: boolean }>();

  private constructor(target: () => number) {
    this.#server = createServer((near) => {
      const far = connect(target(), "127.0.0.1");
      const connection = { ends: [near, far] as const, swallows: false };
      this.#connections.add(connection);
      const pass = (from: Socket, to: Socket): void => {
        from.on("data", (bytes) => connection.swallows || to.write(bytes));
        from.on("error", () => undefined);
        from.on("close", () => {
          this.#connections.delete(connection);
          // The end of a connection is swallowed, too: its other end learns nothing.
          if (!connection.swallows) to.destroy();
        });
      };
      pass(near, far);
      pass(far, near);
    });
  }

  static async open(target: () => number): Promise<Proxy> {
    const proxy = new Proxy(target);
    proxy.#server.listen(0, "127.0.0.1");
    await once(proxy.#server, "listening");
    return proxy;
  }

  get url(): string {
    return `nats://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cut(): void {
    for (const { ends } of this.#connections) for (const end of ends) end.destroy();
  }

  /** Swallows what the present connections carry, in both directions; the returned function cuts them. */
  swallow(): () => void {
    const swallowing = [...this.#connections];
    for (const connection of swallowing) connection.swallows = true;
    return () => {
      for (const { ends } of swallowing) for (const end of ends) end.destroy();
    };
  }

  close(): void {
    this.#server.close();
    this.cut();
  }
}
