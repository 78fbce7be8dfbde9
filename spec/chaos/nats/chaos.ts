import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { jetstreamManager, type JetStreamManager } from "@nats-io/jetstream";
import { buildSync } from "esbuild";
import { CommandBus, Envelope, HandlerNotFoundError } from "cqrx";
import { natsTransport, type NatsTransport } from "cqrx/nats";
import { Link, NotSentError, OutcomeUnknownError } from "cqrx/transport";
import { randomFrom } from "../random.js";
import { balance, effectsIn, type Rules, type Sent } from "./ledger.js";
import { CalledWork, CONNECTION, GROUP, StoredWork, type WorkerConfig } from "./messages.js";
import type { Network } from "./network.js";

const COMMANDS = 1_000;
export const WORKERS = 3;
/** The number of the process that sends, behind those of the workers. */
const CALLER = WORKERS;
const SENDERS = 20;
/** After this time a command that has not ended, or a message that was not handled, is a broken promise. */
const PATIENCE_MS = 60_000;

type Fault = "kill" | "stop" | "crash" | "cut" | "swallow";

export interface Mode {
  readonly title: string;
  readonly inbox: boolean;
  readonly ackWaitMs: number;
  readonly leaseMs: number;
  /** The longest time that a crashed server is away, or a connection is swallowed. */
  readonly awayMs: number;
  readonly rules: Rules;
  readonly plan: Readonly<Partial<Record<Fault, number>>>;
}

const folder = mkdtempSync(join(tmpdir(), "cqrx-chaos-"));
const program = join(folder, "worker.cjs");

export function build(): void {
  buildSync({
    entryPoints: [join(process.cwd(), "spec/chaos/nats/worker.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    tsconfig: join(process.cwd(), "tsconfig.json"),
  });
}

export function removeFolder(): void {
  rmSync(folder, { recursive: true, force: true });
}

/** One seed: sends, disturbs, waits until all is quiet, and compares. */
export class Chaos {
  readonly #mode: Mode;
  readonly #network: Network;
  readonly #random: () => number;
  readonly #config: WorkerConfig;
  readonly #workers: ChildProcess[] = [];
  /** How often each worker process was killed or stopped. */
  readonly #faults = new Map<number, number>();
  readonly #sent: Sent[] = [];
  #ended = 0;
  /** What is left of the stored messages. */
  #left = "";

  constructor(seed: number, mode: Mode, network: Network) {
    const ledger = join(folder, `ledger-${seed}.txt`);
    writeFileSync(ledger, "");
    this.#mode = mode;
    this.#network = network;
    this.#random = randomFrom(seed);
    const { inbox, ackWaitMs, leaseMs } = mode;
    this.#config = { servers: [], replicas: network.replicas, ledger, inbox, ackWaitMs, leaseMs };
  }

  async run(): Promise<string> {
    const started = performance.now();
    const { transport, link, commandBus } = await this.#openCaller();
    try {
      await Promise.all(Array.from({ length: WORKERS }, (_, at) => once(this.#startWorker(at), "message")));
      const disturbed = this.#disturb(transport);
      await within(this.#send(commandBus), () => "Commands are pending").catch((error: unknown) => {
        if (this.#sent.every(({ outcome }) => outcome !== undefined)) throw error;
      });
      await disturbed;
      await within(this.#quiet(transport), () => `Not handled: ${this.#left}`);
      const dead = (await link.deadLetters.list()).length;
      await this.#closeWorkers();
      const { text, broken } = balance(this.#sent, this.#config.ledger, this.#faults, dead, this.#mode.rules);
      const seconds = Math.round((performance.now() - started) / 1_000);
      if (broken.length > 0) throw new Error(`${text}\n  ${broken.slice(0, 20).join("\n  ")}`);
      return `${text}; ${seconds} s`;
    } finally {
      for (const worker of this.#workers) await end(worker);
      await link.close({ timeoutMs: 0 });
    }
  }

  async #openCaller(): Promise<{ transport: NatsTransport; link: Link; commandBus: CommandBus }> {
    const transport = await natsTransport({
      servers: this.#network.servers(CALLER),
      replicas: this.#network.replicas,
      ...CONNECTION,
    });
    const link = new Link(transport, { heartbeatMs: 300, timeoutMs: 10_000 });
    const commandBus = new CommandBus();
    link.route(commandBus, [StoredWork], { until: "stored" });
    link.route(commandBus, [CalledWork]);
    return { transport, link, commandBus };
  }

  #startWorker(at: number): ChildProcess {
    const config = { ...this.#config, servers: this.#network.servers(at) };
    const worker = fork(program, [JSON.stringify(config)], {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#workers[at] = worker;
    return worker;
  }

  /** Sends all commands, several at a time; of ten, seven are stored, and one of them is sent twice under its id. */
  async #send(commandBus: CommandBus): Promise<void> {
    const sender = async (): Promise<void> => {
      while (this.#sent.length < COMMANDS) {
        const index = this.#sent.length;
        const kind = this.#random() < 0.7 ? "stored" : "called";
        const sent: Sent = { kind, outcome: undefined };
        this.#sent.push(sent);
        const workMs = 5 + Math.floor(this.#random() * 40);
        const twice = this.#random() < 0.1;
        const command = Envelope.of(
          kind === "stored" ? new StoredWork(index, workMs) : new CalledWork(index, workMs),
        );
        sent.outcome = await outcomeOf(commandBus.dispatch(command));
        if (twice && kind === "stored") {
          const again = await outcomeOf(commandBus.dispatch(command));
          if (again === "acknowledged" || sent.outcome === "not sent") sent.outcome = again;
        }
        this.#ended++;
        await pause(this.#random() * 200);
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, sender));
  }

  async #disturb(transport: NatsTransport): Promise<void> {
    const plan = Object.entries(this.#mode.plan).flatMap(([fault, times]) =>
      Array.from(
        { length: times },
        () => [Math.floor(this.#random() * COMMANDS * 0.9), fault as Fault] as const,
      ),
    );
    const running: Promise<void>[] = [];
    for (const [after, fault] of plan.sort(([one], [other]) => one - other)) {
      while (this.#ended < after) await pause(5);
      const disturbed = this.#fault(fault, transport);
      // Two crashes at once are one; the other faults overlap.
      if (fault === "crash") await disturbed;
      else running.push(disturbed);
    }
    await Promise.all(running);
  }

  async #fault(fault: Fault, transport: NatsTransport): Promise<void> {
    const at = Math.floor(this.#random() * WORKERS);
    const anyProcess = Math.floor(this.#random() * (WORKERS + 1));
    const awayMs = this.#random() * this.#mode.awayMs;
    const worker = this.#workers[at]!;
    const count = (): void => void this.#faults.set(worker.pid!, (this.#faults.get(worker.pid!) ?? 0) + 1);
    switch (fault) {
      case "kill":
        count();
        await end(worker);
        // Another kill of this worker may have started the next one.
        if (this.#workers[at] === worker) this.#startWorker(at);
        return;
      case "stop":
        count();
        worker.kill("SIGSTOP");
        await pause(1_000 + this.#random() * 4_000);
        worker.kill("SIGCONT");
        return;
      case "crash":
        return this.#network.crash(awayMs, transport.connection);
      case "cut":
        return this.#network.cut(anyProcess);
      case "swallow":
        return this.#network.swallow(anyProcess, awayMs);
    }
  }

  /**
   * Resolves when no stored message waits or is in flight. A killed server 2.9 counts commands as in flight for
   * ever that it no longer holds, and holds others that were acknowledged: then each command that it holds has its
   * effect, and the time for another delivery is over.
   */
  async #quiet(transport: NatsTransport): Promise<void> {
    const jsm = await jetstreamManager(transport.connection, { checkAPI: false });
    let handledSince = Infinity;
    for (;;) {
      try {
        const commands = await jsm.consumers.info("cqrx_commands", `${GROUP}_chaos=2Estored`);
        const events = await jsm.consumers.info("cqrx_events", GROUP);
        const waiting = commands.num_pending + events.num_pending + events.num_ack_pending;
        this.#left = `${waiting} messages wait, ${commands.num_ack_pending} commands are in flight`;
        if (waiting === 0 && commands.num_ack_pending === 0) return;
        const handled = waiting === 0 && (await this.#isEachHandled(jsm));
        handledSince = handled ? Math.min(handledSince, performance.now()) : Infinity;
        if (performance.now() - handledSince > 3 * this.#mode.ackWaitMs) return;
      } catch (error) {
        this.#left = String(error); // a leader moves
      }
      await pause(50);
    }
  }

  /** Returns whether each command that the server holds has its effect. */
  async #isEachHandled(jsm: JetStreamManager): Promise<boolean> {
    const effects = effectsIn(this.#config.ledger);
    const { state } = await jsm.streams.info("cqrx_commands");
    let seq = state.first_seq;
    for (let found = 0; found < state.messages; found++) {
      const next = { seq, next_by_subj: ">" }; // the type of the client lacks the second
      const message = await jsm.streams.getMessage("cqrx_commands", next);
      if (message === null) return true;
      const { payload } = message.json<{ payload: { index: number } }>();
      if (!effects.has(`stored ${payload.index}`)) return false;
      seq = message.seq + 1;
    }
    return true;
  }

  /** A worker that is asked to leave ends by itself. */
  async #closeWorkers(): Promise<void> {
    for (const worker of this.#workers) worker.kill("SIGTERM");
    const runs = (worker: ChildProcess): boolean => worker.exitCode === null && worker.signalCode === null;
    const exits = this.#workers.map(async (worker) => {
      if (runs(worker)) await once(worker, "exit");
    });
    await within(Promise.all(exits), () => "Workers did not end").catch(async (error: unknown) => {
      for (const worker of this.#workers) if (runs(worker)) worker.kill("SIGUSR2");
      await pause(1_000);
      throw error;
    });
  }
}

async function outcomeOf(dispatched: Promise<void>): Promise<NonNullable<Sent["outcome"]>> {
  try {
    await dispatched;
    return "acknowledged";
  } catch (error) {
    // Without a process that serves the type, nothing has happened either.
    if (error instanceof NotSentError || error instanceof HandlerNotFoundError) return "not sent";
    if (error instanceof OutcomeUnknownError) return "unknown";
    return `failed: ${String(error)}`;
  }
}

async function within(work: Promise<unknown>, otherwise: () => string): Promise<void> {
  const abort = new AbortController();
  const late = pause(PATIENCE_MS, true, { signal: abort.signal }).catch(() => false);
  const isLate = await Promise.race([work.then(() => false), late]).finally(() => abort.abort());
  if (isLate) throw new Error(`${otherwise()} after ${PATIENCE_MS / 1_000} s.`);
}

async function end(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return;
  const exited = once(worker, "exit");
  worker.kill("SIGKILL");
  await exited;
}
