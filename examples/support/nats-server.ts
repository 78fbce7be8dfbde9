import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const PROGRAM = process.env["NATS_SERVER"] ?? "nats-server";
const version = spawnSync(PROGRAM, ["--version"], { encoding: "utf8" });

/** Whether a server is installed. */
export const installed = version.status === 0;
/** The name and version of the server. */
export const versionText = (version.stdout ?? "").trim();

/** Ends the server also when the process that started it is killed: its end closes the pipe. */
const GUARD = `
const [pid, folder] = process.argv.slice(1);
process.stdin.resume().on("end", () => {
  try { process.kill(Number(pid), "SIGKILL"); } catch {}
  require("node:fs").rmSync(folder, { recursive: true, force: true });
});`;

/** A server of its own, on a port of its own, that can be killed and started again with what it had stored. */
export class NatsServer {
  readonly #folder = mkdtempSync(join(tmpdir(), "cqrx-nats-"));
  readonly #args: readonly string[];
  #process: ChildProcess | undefined;
  #guard: ChildProcess | undefined;
  port: number;

  /** `args` are added to those of the server. */
  constructor({ port = -1, args = [] }: { readonly port?: number; readonly args?: readonly string[] } = {}) {
    this.port = port;
    this.#args = args;
  }

  get url(): string {
    return `nats://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.#process!.pid!;
  }

  /** The process, whose end can be awaited. */
  get process(): ChildProcess {
    return this.#process!;
  }

  async start(): Promise<this> {
    const ports = mkdtempSync(join(this.#folder, "ports-"));
    const args = ["-js", "-sd", this.#folder, "-a", "127.0.0.1", "-p", String(this.port)];
    const server = spawn(PROGRAM, [...args, "--ports_file_dir", ports, ...this.#args], { stdio: "ignore" });
    this.#process = server;
    await once(server, "spawn");
    // Detached, so that Ctrl+C leaves it to do its work.
    this.#guard = spawn(process.execPath, ["-e", GUARD, String(server.pid), this.#folder], {
      stdio: ["pipe", "ignore", "ignore"],
      detached: true,
    });
    this.#guard.unref();
    this.#guard.on("error", () => undefined);
    while (!(await this.#listens(ports))) {
      if (server.exitCode !== null || server.signalCode !== null)
        throw new Error(`${PROGRAM} ended with ${server.exitCode ?? server.signalCode}.`);
      await pause(5);
    }
    return this;
  }

  async #listens(ports: string): Promise<boolean> {
    if (this.port > 0) {
      const socket = connect(this.port, "127.0.0.1");
      return new Promise((resolve) => {
        socket.on("connect", () => (socket.destroy(), resolve(true)));
        socket.on("error", () => resolve(false));
      });
    }
    const [file] = readdirSync(ports);
    const text = file === undefined ? "" : readFileSync(join(ports, file), "utf8");
    if (!text.trimEnd().endsWith("}")) return false;
    const { nats } = JSON.parse(text) as { nats: string[] };
    this.port = Number(new URL(nats[0]!).port);
    return true;
  }

  /** Ends the process and keeps what it stored. */
  async kill(signal: NodeJS.Signals = "SIGKILL"): Promise<void> {
    const server = this.#process;
    this.#process = undefined;
    this.#guard?.kill();
    if (server === undefined || server.exitCode !== null || server.signalCode !== null) return;
    const ended = once(server, "exit");
    server.kill(signal);
    await ended;
  }

  async remove(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
