import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, it } from "@jest/globals";
import { installed, NatsServer } from "../../examples/support/nats-server.js";

export { NatsServer };

/** Declares tests with a server of their own; without a server on the machine, one that fails and says what to do. */
export function withServer(tests: (server: NatsServer) => void): void {
  if (!installed) {
    it("needs nats-server", () => {
      throw new Error("Install it: apt-get install -y --no-install-recommends nats-server");
    });
    return;
  }
  const server = new NatsServer();
  beforeAll(async () => void (await server.start()));
  afterAll(() => server.remove());
  tests(server);
}

/** A server with a configuration file, which can be changed while it runs. */
export class ConfiguredServer extends NatsServer {
  readonly #configFolder: string;

  constructor(config: string) {
    const folder = mkdtempSync(join(tmpdir(), "cqrx-nats-config-"));
    super({ args: ["-c", join(folder, "server.conf")] });
    this.#configFolder = folder;
    this.#write(config);
  }

  /** Writes the configuration file anew, and has the server read it. */
  reload(config: string): void {
    this.#write(config);
    this.process.kill("SIGHUP");
  }

  #write(config: string): void {
    writeFileSync(join(this.#configFolder, "server.conf"), config);
  }

  override async remove(): Promise<void> {
    await super.remove();
    rmSync(this.#configFolder, { recursive: true, force: true });
  }
}
