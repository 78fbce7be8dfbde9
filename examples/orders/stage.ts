// Where the orders play: over processes with a NATS server, or in one process. Either can fail on demand.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { memoryInbox, MemoryBroker, memoryTransport } from "cqrx/transport";
import { NatsServer, versionText } from "../support/nats-server.js";
import { connect, type Network } from "./process.js";
import { startShipping } from "./shipping.js";
import { startWorker } from "./worker.js";

export type Print = (line: string) => void;

export interface Stage {
  /** The network of the gateway. */
  readonly network: Network;
  killWorker(): Promise<void>;
  killServer(): Promise<void>;
  close(): Promise<void>;
}

const PROGRAMS = { "worker A": "worker.ts", "worker B": "worker.ts", shipping: "shipping.ts" } as const;
type Name = keyof typeof PROGRAMS;

/** Starts a server and the processes, and starts each again that ends. */
export async function startProcesses(folder: string, print: Print): Promise<Stage> {
  let closing = false;
  const server = await new NatsServer().start();
  const children = new Map<Name, ChildProcess>();

  async function run(name: Name): Promise<void> {
    const child = fork(join(import.meta.dirname, PROGRAMS[name]), [server.url, folder]);
    children.set(name, child);
    child.on("exit", (code, signal) => {
      if (closing) return;
      print(`✗ ${name} (pid ${child.pid}) ended by ${signal ?? `code ${code}`}; it is started again`);
      void run(name);
    });
    const [ready] = (await Promise.race([once(child, "message"), once(child, "exit")])) as unknown[];
    if (ready === "ready") print(`✓ ${name} runs as pid ${child.pid}`);
  }

  async function restartServer(): Promise<void> {
    const { process: running } = server;
    const [code, signal] = (await once(running, "exit")) as [number | null, string | null];
    if (closing) return;
    print(
      `✗ the server (pid ${running.pid}) ended by ${signal ?? `code ${code}`}; it is started again in a second`,
    );
    await pause(1_000);
    if (closing) return;
    await server.start();
    print(`✓ the server runs as pid ${server.pid}`);
    void restartServer();
  }

  const version = versionText.replace(": v", " ");
  print(`Three kinds of processes and ${version}, pid ${server.pid}. Kill any of them, too: kill -9 <pid>`);
  void restartServer();
  await Promise.all((Object.keys(PROGRAMS) as Name[]).map(run));
  return {
    network: await connect(server.url),
    async killWorker() {
      children.get("worker A")?.kill("SIGKILL");
    },
    async killServer() {
      server.process.kill("SIGKILL");
    },
    async close() {
      closing = true;
      const running = [...children.values()].filter(
        ({ exitCode, signalCode }) => (exitCode ?? signalCode) === null,
      );
      await Promise.all(running.map((child) => (child.kill(), once(child, "exit"))));
      await server.remove();
    },
  };
}

/** The same without a server: one broker is the network, and what it holds ends with this process. */
export async function startInOneProcess(folder: string, print: Print): Promise<Stage> {
  print("nats-server is not installed: everything runs in this one process, on the memory transport.");
  print(
    "To see processes killed: apt-get install --no-install-recommends nats-server, or brew install nats-server",
  );
  const broker = new MemoryBroker();
  const inbox = memoryInbox();
  const join = async (): Promise<Network> => ({ transport: await memoryTransport({ broker }), inbox });
  const workerA = await join();
  const links = [
    await startWorker(workerA, folder),
    await startWorker(await join(), folder),
    await startShipping(await join(), folder),
  ];
  return {
    network: await join(),
    async killWorker() {
      print("✗ worker A is cut off from the others for two seconds");
      broker.partition(workerA.transport);
      await pause(2_000);
      broker.heal(workerA.transport);
      print("✓ worker A is back");
    },
    async killServer() {
      print("✗ the broker crashes, and is started again in a second");
      broker.crash();
      await pause(1_000);
      broker.restart();
      print("✓ the broker is back");
    },
    async close() {
      await Promise.all(links.map((link) => link.close()));
    },
  };
}
