import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const PROGRAM = process.env["NATS_SERVER"] ?? "nats-server";

/** Whether a server is installed. */
export const installed = spawnSync(PROGRAM, ["--version"]).status === 0;

/** A server of its own, on a port of its own, that can be killed and started again with what it had stored. */
export class NatsServer {
  readonly #folder = mkdtempSync(join(tmpdir(), "cqrx-nats-"));
  #process: ChildProcess | undefined;
  configFile: string | undefined;
  port = -1;

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** @param config - the text of a configuration file, beside the arguments */
  constructor(config?: string) {
    if (config === undefined) return;
    this.configFile = join(this.#folder, "server.conf");
    writeFileSync(this.configFile, config);
  }

  /** Writes the configuration file anew, and has the server read it. */
  reload(config: string): void {
    writeFileSync(this.configFile!, config);
    this.#process!.kill("SIGHUP");
  }

  async start(): Promise<this> {
    const ports = mkdtempSync(join(this.#folder, "ports-"));
    const args = [
      "-js",
      "-sd",
      this.#folder,
      "-a",
      "127.0.0.1",
      "-p",
      String(this.port),
      "--ports_file_dir",
      ports,
      ...(this.configFile === undefined ? [] : ["-c", this.configFile]),
    ];
    // In the background with its output thrown away; its end is waited for by pid.
    this.#process = spawn(PROGRAM, args, { stdio: "ignore" });
    if (this.port > 0) return this.#listening();
    for (;;) {
      const [file] = readdirSync(ports);
      const text = file === undefined ? "" : readFileSync(join(ports, file), "utf8");
      if (text.endsWith("}") || text.endsWith("}\n")) {
        const { nats } = JSON.parse(text) as { nats: string[] };
        this.port = Number(new URL(nats[0]!).port);
        return this;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async #listening(): Promise<this> {
    const { connect } = await import("node:net");
    for (;;) {
      const open = await new Promise<boolean>((resolve) => {
        const socket = connect(this.port, "127.0.0.1", () => (socket.destroy(), resolve(true)));
        socket.on("error", () => resolve(false));
      });
      if (open) return this;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    if (server === undefined || server.exitCode !== null) return;
    const ended = new Promise((resolve) => server.once("exit", resolve));
    server.kill(signal);
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    if (existsSync(this.#folder)) rmSync(this.#folder, { recursive: true, force: true });
  }
}
