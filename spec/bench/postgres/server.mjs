import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";

/** Starts Debian's server, which waits for the disk at each commit, and returns its address; it ends with this process. */
export async function startServer() {
  const root = "/usr/lib/postgresql";
  const [version] = existsSync(root) ? readdirSync(root) : [];
  const folder = mkdtempSync(join(tmpdir(), "cqrx-bench-"));
  const options = {
    folder,
    ownerPid: process.pid,
    bin: version === undefined ? "embedded" : join(root, version, "bin"),
    fsync: true,
  };
  const guard = fileURLToPath(new URL("../../../examples/support/postgres-guard.mjs", import.meta.url));
  spawn(process.execPath, [guard, JSON.stringify(options)], { detached: true, stdio: "ignore" }).unref();
  for (;;) {
    const [ready, failure] = ["ready.json", "error.txt"].map((name) => join(folder, name));
    if (existsSync(failure)) throw new Error(readFileSync(failure, "utf8"));
    if (existsSync(ready))
      return `postgres://postgres@127.0.0.1:${JSON.parse(readFileSync(ready, "utf8")).port}/postgres`;
    await pause(20);
  }
}
