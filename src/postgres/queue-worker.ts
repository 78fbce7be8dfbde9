import type { Observable } from "rxjs";
import type { CommandBus } from "../buses/command-bus.js";
import { checkOptions, milliseconds } from "../core/checks.js";
import type { Fault } from "../core/delivery/outcome.js";
import { abortError } from "../core/delivery/abort.js";
import { BusClosedError } from "../core/errors.js";
import type { Envelope } from "../core/messages/envelope.js";
import { backoffMs } from "../core/util/backoff.js";
import { startTimer } from "../core/util/timers.js";
import { Claims, type Claim, type ClaimedCommand } from "./claims.js";
import type { Database } from "./database.js";
import { LeaseLostError } from "./errors.js";
import { Faults } from "./faults.js";
import type { RetryOptions } from "./feed.js";
import { Heartbeat } from "./heartbeat.js";
import type { NamedTypes } from "./named-types.js";
import { Poller } from "./poller.js";
import { MOST_ROWS } from "./sql.js";
import type { Worker, WorkerCloseOptions, WorkOptions } from "./worker.js";

interface Running {
  readonly command: ClaimedCommand;
  readonly abort: AbortController;
}

/** A command whose handler has succeeded without a statement, so that its end needs no transaction of its own. */
interface Succeeded {
  readonly command: ClaimedCommand;
  /** Takes whether the command still belonged to this process. */
  readonly ended: (own: boolean) => void;
}

/** The worker of a queue. */
export class QueueWorker implements Worker {
  readonly #commandBus: CommandBus;
  readonly #types: NamedTypes;
  readonly #db: Database;
  readonly #claims: Claims;
  readonly #concurrency: number;
  readonly #pollMs: number;
  readonly #leaseMs: number;
  readonly #retry: Required<RetryOptions>;
  readonly #faults = new Faults("worker");
  readonly #running = new Map<number, Running>();
  /** Those of `#running` that the next round deletes. */
  #succeeded: Succeeded[] = [];
  readonly #poller: Poller;
  readonly #lastRound: Promise<void>;
  readonly #forgetWakeUps: () => void;
  readonly #heartbeat: Heartbeat;
  /** A command whose last attempt never ended waits for the others, or runs alone. */
  #suspect: "none" | "waits" | "runs" = "none";
  #unreachable = false;
  #closed: Promise<void> | undefined;
  #whenIdle: () => void = () => undefined;

  constructor(commandBus: CommandBus, options: WorkOptions, types: NamedTypes, db: Database) {
    const { concurrency = 10, leaseMs = 30_000, pollMs = 200, retry = {} } = options;
    const { count = 5, delayMs = 1_000, maxDelayMs = 60_000 } = retry;
    this.#commandBus = commandBus;
    this.#types = types;
    this.#db = db;
    this.#claims = new Claims(db, types, leaseMs);
    this.#concurrency = Math.max(1, Math.min(concurrency, db.poolSize - 2, MOST_ROWS));
    this.#pollMs = pollMs;
    this.#leaseMs = leaseMs;
    this.#retry = { count, delayMs, maxDelayMs };
    this.#heartbeat = new Heartbeat(leaseMs / 3, () => this.#beat());
    this.#poller = new Poller(
      () => this.#round(),
      (error) => this.#roundFailed(error),
    );
    this.#lastRound = this.#poller.ended.then(() => {
      for (const { command, ended } of this.#succeeded.splice(0)) void this.#endAlone(command).then(ended);
    });
    this.#forgetWakeUps = db.wakeUps.add("commands", this.#poller.wake);
  }

  get faults$(): Observable<Fault> {
    return this.#faults.stream;
  }

  describe(): ReturnType<Worker["describe"]> {
    return {
      types: this.#types.names,
      concurrency: this.#concurrency,
      running: [...this.#running.values()].map(({ command }) => command.name),
    };
  }

  close(options: WorkerCloseOptions = {}): Promise<void> {
    checkOptions<WorkerCloseOptions>("close()", options, { timeoutMs: milliseconds });
    return (this.#closed ??= this.#close(options.timeoutMs ?? 10_000));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(timeoutMs: number): Promise<void> {
    this.#forgetWakeUps();
    this.#poller.stop();
    await this.#lastRound;
    const stopTimer = startTimer(
      timeoutMs,
      () => {
        for (const { abort } of this.#running.values()) abort.abort(abortError("The worker was closed."));
      },
      { keepAlive: true },
    );
    while (this.#running.size > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    stopTimer();
    this.#heartbeat.stop();
    this.#faults.complete();
  }

  /** Runs one statement if no command is due, and no statement while all places are taken. */
  async #round(): Promise<number> {
    const succeeded = this.#succeeded;
    // The end of a command wakes the poller.
    const room = this.#suspect === "none" ? this.#concurrency - this.#running.size + succeeded.length : 0;
    if (room > 0 || succeeded.length > 0) {
      this.#succeeded = [];
      const { commands, suspects } = await this.#claim(room, succeeded);
      this.#unreachable = false;
      for (const command of commands) this.#start(command);
      if (suspects && this.#suspect === "none") this.#suspect = "waits";
    }
    if (this.#suspect === "waits" && this.#running.size === 0) return await this.#claimSuspect();
    // Another claim was faster, and those that have succeeded still wait for their end.
    return this.#succeeded.length > 0 ? 0 : this.#pollMs;
  }

  /** Ends commands and takes others in their place. Those that could not be ended wait for the next round. */
  async #claim(room: number, succeeded: readonly Succeeded[]): Promise<Claim> {
    let deleted: ReadonlySet<number> | undefined;
    try {
      const claim = await this.#claims.claim(
        room,
        succeeded.map(({ command }) => command),
      );
      ({ deleted } = claim);
      return claim;
    } finally {
      if (deleted === undefined) this.#succeeded.push(...succeeded);
      else for (const { command, ended } of succeeded) ended(deleted.has(command.id));
    }
  }

  /**
   * Takes a command whose last attempt never ended, once nothing else runs here: if that attempt ended its
   * process, the next one may, too, and must not count as an attempt of others.
   */
  async #claimSuspect(): Promise<number> {
    this.#suspect = "none";
    const command = await this.#claims.claimSuspect();
    if (command === undefined) return this.#pollMs;
    if (command.attempt > this.#retry.count + 1) {
      const error = new Error(
        "Its last attempt never ended: the process was stopped, or the handler blocked it.",
      );
      await this.#giveUp(command, error, this.#decoded(command));
      return 0;
    }
    this.#suspect = "runs";
    this.#start(command);
    return this.#pollMs;
  }

  #decoded(command: ClaimedCommand): Envelope | undefined {
    try {
      return this.#types.read(command.name, command.envelope);
    } catch {
      return undefined;
    }
  }

  #start(command: ClaimedCommand): void {
    const running = { command, abort: new AbortController() };
    this.#running.set(command.id, running);
    this.#heartbeat.start();
    void this.#run(running).then((replaced) => {
      this.#running.delete(command.id);
      if (this.#running.size === 0) {
        if (this.#suspect === "runs") this.#suspect = "none";
        this.#heartbeat.stop();
        this.#whenIdle();
      }
      if (!replaced || this.#suspect !== "none") this.#poller.wake();
    });
  }

  /** Resolves, always, when the command has ended: with true if the round that ended it has looked for another. */
  async #run({ command, abort }: Running): Promise<boolean> {
    let envelope: Envelope;
    try {
      envelope = this.#types.read(command.name, command.envelope);
    } catch (error) {
      await this.#persist(() => this.#giveUp(command, error));
      return false;
    }
    let begun = false;
    try {
      await this.#db.begin(async (sql) => {
        await this.#commandBus.dispatch(envelope, {
          signal: abort.signal,
          attempt: command.attempt,
        });
        ({ begun } = sql);
        if (begun && !(await this.#claims.finish(sql, [command])).has(command.id))
          throw new LeaseLostError(command.name);
      });
    } catch (error) {
      await this.#persist(() => this.#failed(command, error, envelope));
      return false;
    }
    if (begun) return false;
    // The next command of a key waits for the end of this one. After the last round, none ends it.
    const alone = command.keyed || this.#poller.closing;
    if (!(alone ? await this.#endAlone(command) : await this.#endByRound(command)))
      this.#faults.report(new LeaseLostError(command.name), envelope);
    return !alone;
  }

  /** Ends a command whose handler wrote nothing through `db`. Returns false if another process has taken it over. */
  async #endAlone(command: ClaimedCommand): Promise<boolean> {
    let own = true;
    await this.#persist(async () => {
      own = (await this.#claims.finish(this.#claims.direct, [command])).has(command.id);
    });
    return own;
  }

  /** Ends a command together with others, in the statement that looks for the next ones. */
  #endByRound(command: ClaimedCommand): Promise<boolean> {
    return new Promise((ended) => {
      this.#succeeded.push({ command, ended });
      this.#poller.wake();
    });
  }

  async #failed(command: ClaimedCommand, error: unknown, envelope: Envelope): Promise<void> {
    if (error instanceof LeaseLostError) return this.#faults.report(error, envelope);
    const isClosing =
      this.#closed !== undefined && this.#running.get(command.id)?.abort.signal.aborted === true;
    if (error instanceof BusClosedError || isClosing) {
      await this.#claims.giveBack(command);
      if (error instanceof BusClosedError && this.#closed === undefined) {
        this.#faults.report(error, envelope);
        this.#poller.stop();
      }
      return;
    }
    const { count, delayMs, maxDelayMs } = this.#retry;
    if (command.attempt > count) await this.#giveUp(command, error, envelope);
    else await this.#claims.retryLater(command, error, backoffMs(command.attempt, delayMs, maxDelayMs));
  }

  async #giveUp(command: ClaimedCommand, error: unknown, envelope?: Envelope): Promise<void> {
    if (await this.#claims.giveUp(command, error)) this.#faults.report(error, envelope);
  }

  /**
   * Writes the end of an attempt; tries again while the database cannot be reached. After the lease it does not
   * matter any more, because the command counts as one whose attempt never ended.
   */
  async #persist(write: () => Promise<void>): Promise<void> {
    const tries = Math.ceil(this.#leaseMs / this.#pollMs);
    for (let attempt = 1; ; attempt++) {
      try {
        return await write();
      } catch (error) {
        this.#roundFailed(error);
        if (attempt >= tries) return;
        await new Promise<void>((resolve) => startTimer(this.#pollMs, resolve, { keepAlive: true }));
      }
    }
  }

  /** Extends the leases of all commands that run. Never rejects. */
  async #beat(): Promise<void> {
    const asked = [...this.#running.values()];
    try {
      const kept = await this.#claims.extend(asked.map(({ command }) => command));
      for (const running of asked)
        if (!kept.has(running.command.id) && this.#running.get(running.command.id) === running)
          running.abort.abort(new LeaseLostError(running.command.name));
    } catch (error) {
      this.#roundFailed(error);
    }
  }

  #roundFailed(error: unknown): number {
    if (!this.#unreachable) this.#faults.report(error);
    this.#unreachable = true;
    return this.#pollMs;
  }
}
