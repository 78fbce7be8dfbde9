import type { CommandBus } from "../buses/command-bus.js";
import {
  anObject,
  check,
  checkOption,
  checkOptions,
  invalidOption,
  milliseconds,
  required,
  wholeNumber,
  withMethods,
} from "../core/checks.js";
import { isEnvelope, type Envelope, type EnvelopeJson } from "../core/messages/envelope.js";
import { typeOf } from "../core/messages/message.js";
import type { Database } from "./database.js";
import { shortKey } from "./short-key.js";
import { intervalMs, MOST_ROWS } from "./sql.js";
import { storedJson, toEnvelope, type StoreMessageOptions } from "./stored-message.js";
import { openWorker } from "./open-worker.js";
import type { Worker, WorkOptions } from "./worker.js";

export interface EnqueueOptions extends StoreMessageOptions {
  /** The command is not run before, in milliseconds from now, by the clock of the database. @defaultValue 0 */
  readonly delayMs?: number;
  /**
   * Commands with the same key run one at a time and in the order in which they were enqueued, over all processes. A
   * delayed one takes its turn when its delay has passed. @defaultValue `static partitionKey(command)` of the class
   */
  readonly key?: string | undefined;
}

/** A command that failed at every attempt, or could not be read. */
export interface DeadLetter {
  readonly id: string;
  readonly name: string;
  readonly attempts: number;
  readonly failedAt: Date;
  /** Name and text of the last error. */
  readonly error: string;
  readonly envelope: EnvelopeJson;
}

export interface DeadLetterOptions {
  /** @defaultValue 100 */
  readonly limit?: number;
}

const aKey = check("a text that is not empty", (value) => typeof value === "string" && value !== "");

/**
 * Commands that survive the process, and the workers that run them on a command bus.
 *
 * Guarantees: a command is enqueued in the ambient transaction if there is one, so that nothing runs of what was
 * rolled back. What its handler writes through `db` and the end of the command are one commit, so that this
 * happens once. What leaves the database happens at least once, under the same message id.
 *
 * @example
 * const queue = new CommandQueue(db);
 * const worker = queue.work(commandBus, { types: [SendReceipt] });
 * await queue.enqueue(new SendReceipt("a", 10), { delayMs: 60_000 });
 */
export class CommandQueue {
  readonly #db: Database;

  constructor(db: Database) {
    checkOption("new CommandQueue()", "db", db, required(withMethods("a Database", "query", "transaction")));
    this.#db = db;
  }

  /**
   * Stores a command, to be run by a worker. One that is stored already, by the id of its envelope, is not stored
   * again.
   *
   * @returns the envelope that the command will be dispatched in
   * @throws InvalidMessageError for a value that is not a command, or that JSON cannot keep
   */
  async enqueue(command: object, options: EnqueueOptions = {}): Promise<Envelope> {
    checkOptions<EnqueueOptions>("enqueue()", options, {
      causedBy: anObject,
      headers: anObject,
      delayMs: milliseconds,
      key: aKey,
    });
    const envelope = toEnvelope(command, options);
    const { delayMs = 0, key = partitionKeyOf(isEnvelope(command) ? command.payload : command) } = options;
    await this.#db.query(
      `insert into ${this.#db.schema}.commands (message_id, name, key, envelope, due_at)
values ($1, $2, $3, $4::text::json, now() + $5::float8 * interval '1 ms') on conflict (message_id) do nothing`,
      [
        envelope.meta.id,
        envelope.meta.name,
        key === undefined ? null : shortKey(key),
        JSON.stringify(envelope),
        intervalMs(delayMs),
      ],
    );
    this.#db.stored([envelope], delayMs === 0 ? this.#db.wakeUps.commands : undefined);
    return envelope;
  }

  /** Takes a command back that no worker has begun. Returns false if one has, or if there is no such command. */
  async cancel(id: string): Promise<boolean> {
    return await this.#changes(
      "delete from commands where message_id = $1 and attempt = 0 and failed_at is null",
      [id],
    );
  }

  /**
   * Runs stored commands of these types on a command bus until the worker is closed.
   *
   * A command runs in a transaction, which begins with its first statement. A handler that fails is tried again,
   * with the number of the attempt in its context, and becomes a dead letter after the last attempt. Attempts are
   * counted when they begin, so that a command that ends its process does not do so for ever: after that, it runs
   * alone, so that it takes no other with it.
   *
   * @throws InvalidOptionsError, also for two classes of one name
   */
  work(commandBus: CommandBus, options: WorkOptions): Worker {
    return openWorker(commandBus, options, this.#db);
  }

  /** Returns the commands that were given up, the latest first. */
  async deadLetters(options: DeadLetterOptions = {}): Promise<readonly DeadLetter[]> {
    checkOptions<DeadLetterOptions>("deadLetters()", options, { limit: wholeNumber(1) });
    const { rows } = await this.#db.query(
      `select message_id as id, name, attempt as attempts, (extract(epoch from failed_at) * 1000)::float8 as failed_ms,
error, envelope::text as envelope from ${this.#db.schema}.commands
where failed_at is not null order by failed_at desc, id desc limit $1`,
      [Math.min(options.limit ?? 100, MOST_ROWS)],
    );
    return (
      rows as (Omit<DeadLetter, "envelope" | "failedAt"> & { failed_ms: number; envelope: string })[]
    ).map(({ failed_ms, envelope, ...row }) => ({
      ...row,
      failedAt: new Date(failed_ms),
      envelope: storedJson(envelope),
    }));
  }

  /** Runs a dead letter again, with all of its attempts. Returns false if it is not one. */
  async replay(id: string): Promise<boolean> {
    const found = await this.#changes(
      `update commands set failed_at = null, error = null, attempt = 0, running = false, due_at = now()
where message_id = $1 and failed_at is not null`,
      [id],
    );
    if (found) this.#db.afterCommit(this.#db.wakeUps.commands);
    return found;
  }

  /** Deletes a dead letter. Returns false if it is not one. */
  async discard(id: string): Promise<boolean> {
    return await this.#changes("delete from commands where message_id = $1 and failed_at is not null", [id]);
  }

  async #changes(statement: string, values: unknown[]): Promise<boolean> {
    const qualified = statement.replace(" commands ", ` ${this.#db.schema}.commands `);
    const { rows } = await this.#db.query(`${qualified} returning 1`, values);
    return rows.length > 0;
  }
}

/** Optional static of a message class. */
interface Partitioned {
  partitionKey?(message: object): unknown;
}

function partitionKeyOf(command: object): string | undefined {
  const key = (typeOf(command) as Partitioned | undefined)?.partitionKey?.(command);
  if (key === undefined || aKey.accepts(key)) return key as string | undefined;
  throw invalidOption("enqueue()", "static partitionKey", "a function that returns a text or undefined", key);
}
