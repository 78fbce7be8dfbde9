import { existsSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Pool, type PoolConfig } from "pg";
import { PostgresServer } from "../../../examples/support/postgres-server.js";

/** Makes pools on one server. */
export interface TestServer {
  readonly name: string;
  url(): Promise<string>;
  pool(options?: PoolConfig): Promise<Pool>;
}

function testServer(name: string, bin: string | undefined, fsync: boolean): TestServer {
  const run = process.env["CQRX_RUN"]!;
  const url = async (): Promise<string> => {
    const server = await PostgresServer.start({
      ...(bin === undefined ? {} : { bin }),
      fsync,
      ownerPid: parseInt(run, 10), // the process of Jest, whose end ends the server
      folder: join(tmpdir(), `cqrx-postgres-${name}-${run}`),
    });
    return server.url;
  };
  return {
    name,
    url,
    async pool(options) {
      const pool = new Pool({ connectionString: await url(), max: 20, ...options });
      pool.on("error", () => undefined); // specs cut connections
      return pool;
    },
  };
}

/** PostgreSQL 18 of npm, one for the whole run of Jest. Does not wait for the disk, because specs do not cut its power. */
export const embedded = testServer("embedded", undefined, false);

/** The oldest PostgreSQL that is promised, 15, as Debian packages it; waits for the disk at each commit. */
export const debian = testServer("debian", debianBin(), true);

export function debianBin(): string {
  const root = "/usr/lib/postgresql";
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(a) - Number(b)) : [];
  return join(root, versions[0] ?? "15", "bin");
}

let schemas = 0;

/** Returns a name that no other suite uses. */
export function newSchema(): string {
  return `s${process.pid}_${Date.now().toString(36)}_${++schemas}`;
}
