import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { installed, NatsServer } from "../../examples/support/nats-server.js";

export { installed, NatsServer };

/** A server with a configuration file that can change while it runs. */
export class ConfiguredServer extends NatsServer {
  readonly #file: string;

  constructor(config: string) {
    const file = join(mkdtempSync(join(tmpdir(), "cqrx-nats-")), "server.conf");
    writeFileSync(file, config);
    super({ args: ["-c", file] });
    this.#file = file;
  }

  /** Writes the file anew, and has the server read it. */
  reload(config: string): void {
    writeFileSync(this.#file, config);
    this.process.kill("SIGHUP");
  }

  override async remove(): Promise<void> {
    await super.remove();
    rmSync(dirname(this.#file), { recursive: true, force: true });
  }
}
