// One of the processes that are killed: runs commands and events until it is ended.
import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { CommandBus, Envelope, EventBus, type HandlerContext } from "cqrx";
import { natsInbox, natsTransport, type NatsTransport } from "cqrx/nats";
import { Link } from "cqrx/transport";
import {
  CalledWork,
  CONCURRENCY,
  CONNECTION,
  GROUP,
  StoredWork,
  Worked,
  type WorkerConfig,
} from "./messages.js";

const config = JSON.parse(process.argv[2]!) as WorkerConfig;
const { servers, replicas, ackWaitMs, leaseMs } = config;

/** One write of a short line to the end of a file is whole, even when the process is killed. */
const effect = (kind: string, index: number, attempt: number): void =>
  appendFileSync(config.ledger, `${kind} ${index} ${attempt} ${process.pid}\n`);

const commandBus = new CommandBus();
const events = new EventBus();
const work =
  (kind: string) =>
  async ({ index, workMs }: StoredWork, context: HandlerContext): Promise<void> => {
    await pause(workMs);
    effect(kind, index, context.attempt);
    // The event of a second attempt has the id of the first one's, so that it is stored once.
    const { id } = context.envelope.meta;
    await events.publish(Envelope.of(new Worked(index), { id: `${id}-worked` }), { causedBy: context });
  };
commandBus.register(StoredWork, work("stored"));
commandBus.register(CalledWork, work("called"));

const incoming = new EventBus();
incoming.register(Worked, ({ index }, { attempt }) => effect("event", index, attempt));

// Faults of the connection are expected here.
for (const { faults$ } of [commandBus, events, incoming]) faults$.subscribe();

async function open(): Promise<Link> {
  let transport: NatsTransport | undefined;
  try {
    transport = await natsTransport({ servers, replicas, connectTimeoutMs: 1_000, ...CONNECTION });
    const link = new Link(transport, { heartbeatMs: 300 });
    const options = {
      group: GROUP,
      concurrency: CONCURRENCY,
      ackWaitMs,
      leaseMs,
      backoffMs: [20, 100, 500],
      start: "all",
      ...(config.inbox ? { inbox: await natsInbox(transport, { replicas }) } : {}),
    } as const;
    const routed = link.route(events, [Worked]);
    try {
      await link.serve(incoming, [Worked], options);
      await link.serve(commandBus, [StoredWork, CalledWork], options);
      return link;
    } catch (error) {
      routed.unsubscribe();
      throw error;
    }
  } catch (error) {
    await transport?.close();
    throw error;
  }
}

async function main(): Promise<void> {
  for (;;) {
    try {
      const link = await open();
      process.on("SIGTERM", () => void link.close({ timeoutMs: 5_000 }));
      process.send!("ready");
      // Nothing but the link keeps this process alive.
      process.channel!.unref();
      return;
    } catch {
      // The server may be down just now.
      await pause(50);
    }
  }
}

// Asked of a worker that does not end.
process.on("SIGUSR2", () =>
  console.error(`Worker ${process.pid} is kept alive by ${process.getActiveResourcesInfo().join(", ")}.`),
);
process.on("disconnect", () => process.exit());
void main();
