// What the worker and the shipping process have in common: a link, and a ledger for what they do to the world.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { natsInbox, natsTransport } from "cqrx/nats";
import { type Inbox, Link, type ServeOptions, type Transport } from "cqrx/transport";

/** Where a process finds the others, and what it remembers of the messages that it has handled. */
export interface Network {
  readonly transport: Transport;
  readonly inbox: Inbox;
}

/** Connects to NATS; waits for a server that is away just now. */
export async function connect(url: string): Promise<Network> {
  for (;;) {
    try {
      const transport = await natsTransport({ servers: url });
      return { transport, inbox: await natsInbox(transport) };
    } catch {
      await pause(100);
    }
  }
}

/** Signs of life every half second, so that a dead process is noticed soon. The same in all processes. */
export const linkTo = ({ transport }: Network): Link => new Link(transport, { heartbeatMs: 500 });

/** What a process leaves undone when it is killed, another one takes up after two seconds. */
export const serving = ({ inbox }: Network): ServeOptions => ({
  concurrency: 8,
  ackWaitMs: 2_000,
  leaseMs: 2_000,
  inbox,
});

/** The world outside, such as a bank: it keeps what was done to it when a process is killed. A line is `<order> <attempt>`. */
export class Ledger {
  readonly #file: string;

  constructor(folder: string, name: "charges" | "parcels") {
    this.#file = join(folder, `${name}.txt`);
  }

  write(orderId: string, attempt: number): void {
    appendFileSync(this.#file, `${orderId} ${attempt}\n`);
  }

  /** The attempts that reached the world, by order. */
  read(): Map<string, number[]> {
    const lines = existsSync(this.#file) ? readFileSync(this.#file, "utf8").trimEnd().split("\n") : [];
    const attempts = new Map<string, number[]>();
    for (const [orderId, attempt] of lines.map((line) => line.split(" ") as [string, string]))
      attempts.set(orderId, [...(attempts.get(orderId) ?? []), Number(attempt)]);
    return attempts;
  }
}

/** Runs a process of its own: `<url of the server> <folder of the ledgers>`. It ends with its parent, or at SIGTERM. */
export async function runProcess(start: (network: Network, folder: string) => Promise<Link>): Promise<void> {
  process.on("disconnect", () => process.exit());
  const [url = "nats://127.0.0.1:4222", folder = "."] = process.argv.slice(2);
  const link = await start(await connect(url), folder);
  process.once("SIGTERM", () => void link.close().then(() => process.exit()));
  process.send?.("ready");
}
