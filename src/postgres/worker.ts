import type { Observable } from "rxjs";
import type { CommandBus } from "../buses/command-bus.js";
import {
  anArray,
  anObject,
  checkOption,
  checkOptions,
  milliseconds,
  positiveMilliseconds,
  required,
  wholeNumber,
  withMethods,
} from "../core/checks.js";
import type { Fault } from "../core/delivery/outcome.js";
import { abortError } from "../core/delivery/abort.js";
import { BusClosedError } from "../core/errors.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageType } from "../core/messages/message.js";
import { backoffMs } from "../core/util/backoff.js";
import { startTimer } from "../core/util/timers.js";
import { Claims, type ClaimedCommand } from "./claims.js";
import type { Database } from "./database.js";
import { LeaseLostError } from "./errors.js";
import { Faults } from "./faults.js";
import type { RetryOptions } from "./feed.js";
import { NamedTypes } from "./named-types.js";
import { Poller } from "./poller.js";

export interface WorkOptions {
  /** The classes of the commands that are run. They are found by their names. */
  readonly types: readonly MessageType[];
  /**
   * How many commands run at a time. Two connections of the pool are left for looking and for extending leases,
   * so that a `pg.Pool` with its 10 connections runs 8. @defaultValue 10
   */
  readonly concurrency?: number;
  /**
   * Time without a sign of life after which another worker takes a command over, in milliseconds. It is extended
   * while the handler runs. @defaultValue 30_000
   */
  readonly leaseMs?: number;
  /** How often to look for commands of other processes and for due ones, in milliseconds. @defaultValue 200 */
  readonly pollMs?: number;
  /** @defaultValue \{ count: 5, delayMs: 1_000, maxDelayMs: 60_000 \} */
  readonly retry?: RetryOptions;
}

export interface WorkerCloseOptions {
  /** Time for commands that run, in milliseconds, before they are aborted and given back. @defaultValue 10_000 */
  readonly timeoutMs?: number;
}

/** A running worker. */
export interface Worker extends AsyncDisposable {
  /** Commands that were given up, leases that were lost, and a database that cannot be reached. */
  readonly faults$: Observable<Fault>;
  /** Takes no further command, and resolves when those that run have ended. */
  close(options?: WorkerCloseOptions): Promise<void>;
}

/** Checks the options of {@link CommandQueue.work} and starts the worker. @throws InvalidOptionsError */
export function openWorker(commandBus: CommandBus, options: WorkOptions, db: Database): Worker {
  checkOption(
    "work()",
    "commandBus",
    commandBus,
    required(withMethods("a CommandBus", "dispatch", "describe")),
  );
  checkOptions<WorkOptions>("work()", options, {
    types: required(anArray),
    concurrency: wholeNumber(1),
    leaseMs: positiveMilliseconds,
    pollMs: positiveMilliseconds,
    retry: anObject,
  });
  checkOptions<RetryOptions>(
    "work()",
    options.retry ?? {},
    { count: wholeNumber(0), delayMs: milliseconds, maxDelayMs: milliseconds },
    "retry.",
  );
  const types = new NamedTypes("work()", options.types);
  return db.outside(() => new QueueWorker(commandBus, options, types, db));
}

interface Running {
  readonly command: ClaimedCommand;
  readonly abort: AbortController;
}

class QueueWorker implements Worker {
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
  readonly #poller: Poller;
  readonly #forgetWakeUps: () => void;
  #stopHeartbeat: (() => void) | undefined;
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
    this.#concurrency = Math.max(1, Math.min(concurrency, db.poolSize - 2));
    this.#pollMs = pollMs;
    this.#leaseMs = leaseMs;
    this.#retry = { count, delayMs, maxDelayMs };
    this.#poller = new Poller(
      () => this.#round(),
      (error) => this.#roundFailed(error),
    );
    this.#forgetWakeUps = db.wakeUps.add("commands", this.#poller.wake);
  }

  get faults$(): Observable<Fault> {
    return this.#faults.stream;
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
    await this.#poller.ended;
    const stopTimer = startTimer(
      timeoutMs,
      () => {
        for (const { abort } of this.#running.values()) abort.abort(abortError("The worker was closed."));
      },
      { keepAlive: true },
    );
    while (this.#running.size > 0) await new Promise<void>((resolve) => (this.#whenIdle = resolve));
    stopTimer();
    this.#stopHeartbeat?.();
    this.#faults.complete();
  }

  /** One statement if there is nothing to do, and none if there is no room. */
  async #round(): Promise<number> {
    // The end of a command wakes the poller.
    const room = this.#suspect === "none" ? this.#concurrency - this.#running.size : 0;
    if (room > 0) {
      const { commands, suspects } = await this.#claims.claim(room);
      this.#unreachable = false;
      for (const command of commands) this.#start(command);
      if (suspects) this.#suspect = "waits";
    }
    if (this.#suspect === "waits" && this.#running.size === 0) return await this.#claimSuspect();
    return this.#pollMs;
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
    this.#startHeartbeat();
    void this.#run(running).finally(() => {
      this.#running.delete(command.id);
      if (this.#running.size === 0) {
        if (this.#suspect === "runs") this.#suspect = "none";
        this.#stopHeartbeat?.();
        this.#whenIdle();
      }
      this.#poller.wake();
    });
  }

  /** Never rejects. */
  async #run({ command, abort }: Running): Promise<void> {
    let envelope: Envelope;
    try {
      envelope = this.#types.read(command.name, command.envelope);
    } catch (error) {
      return await this.#persist(() => this.#giveUp(command, error));
    }
    try {
      await this.#db.begin(async (sql) => {
        await this.#commandBus.dispatch(envelope, {
          signal: abort.signal,
          attempt: command.attempt,
        });
        // A handler that wrote nothing through `db` needs no transaction for one statement.
        const end = sql.begun ? sql : this.#claims.direct;
        if (!(await this.#claims.finish(end, command))) throw new LeaseLostError(command.name);
      });
    } catch (error) {
      await this.#persist(() => this.#failed(command, error, envelope));
    }
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

  #startHeartbeat(): void {
    this.#stopHeartbeat ??= ((): (() => void) => {
      let stop: () => void = () => undefined;
      let stopped = false;
      const next = (): void => {
        stop = startTimer(
          this.#leaseMs / 3,
          () => void this.#beat().then(() => (stopped ? undefined : next())),
        );
      };
      next();
      return () => {
        stopped = true;
        stop();
        this.#stopHeartbeat = undefined;
      };
    })();
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
