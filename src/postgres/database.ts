import { AsyncLocalStorage } from "node:async_hooks";
import { aFunction, check, checkOption, checkOptions, milliseconds, withMethods } from "../core/checks.js";
import type { Envelope } from "../core/messages/envelope.js";
import { Connection, guardClients } from "./connection.js";
import { TransactionEndedError } from "./errors.js";
import { firstStatements, migrations } from "./migrations.js";
import { intervalMs, type PgPool, type Sql, type SqlResult } from "./sql.js";
import { CallersTransaction, OwnTransaction, type Transaction } from "./transaction.js";
import { WakeUps } from "./wake-ups.js";

export interface DatabaseOptions {
  /** The schema of the tables: small letters, digits and `_`. @defaultValue "cqrx" */
  readonly schema?: string;
}

/** Options of {@link Database.prune}. Each names the age in milliseconds from which rows are deleted. */
export interface PruneOptions {
  /** Keys of `transactional({ once })`; a message that comes again after its key was deleted runs again. */
  readonly inboxMs?: number;
  /** Entries of `postgresStore`, by the time that they were written. Expired ones are deleted in any case. */
  readonly entriesMs?: number;
}

/** How many rows {@link Database.prune} deleted. */
export interface PruneReport {
  readonly inbox: number;
  readonly entries: number;
}

/** Completes "the option schema must be …"; the name is written into statements as it is. */
const aSchema = check(
  "a name of small letters, digits and _, which does not start with a digit",
  (value) => typeof value === "string" && /^[a-z_][a-z0-9_]{0,62}$/.test(value),
);

const MIGRATION_LOCK = "hashtextextended('cqrx.migrate', 0)";

/**
 * The database of the application, with an ambient transaction: within `transaction`, every statement that goes through
 * this object is part of it, however deep the call.
 *
 * Guarantees: a connection that is cut never ends the process. Work that outlives its transaction, such as a
 * promise that was not awaited, cannot write: its statement is rejected with `TransactionEndedError`.
 *
 * From the first transaction on, an `AsyncLocalStorage` is in use, so that a bare `await` costs about 3.7 times
 * as much on Node 20, unless the application has one in use already.
 *
 * @example
 * const db = new Database(new pg.Pool({ connectionString: process.env.DATABASE_URL }));
 * await db.migrate();
 * await db.transaction(async (sql) => {
 *   await sql.query("update accounts set balance = balance - $1 where id = $2", [10, "a"]);
 *   await queue.enqueue(new SendReceipt("a", 10)); // the same commit
 * });
 */
export class Database implements Sql {
  /** The schema of the tables. */
  readonly schema: string;
  /** @internal Wakes what polls in this process. */
  readonly wakeUps = new WakeUps();
  /** @internal Called with each message that this process has stored, after its commit. */
  readonly onStored = new Set<(envelope: Envelope) => void>();
  readonly #pool: PgPool;
  #ambient: AsyncLocalStorage<Transaction | undefined> | undefined;

  /**
   * @param pool - a `pg.Pool`, or an object with its `connect()`; the application ends it
   * @throws InvalidOptionsError
   */
  constructor(pool: PgPool, options: DatabaseOptions = {}) {
    checkOption("new Database()", "pool", pool, withMethods("a pg.Pool", "connect"));
    checkOptions<DatabaseOptions>("new Database()", options, { schema: aSchema });
    this.#pool = pool;
    guardClients(pool);
    this.schema = options.schema ?? "cqrx";
  }

  /** @internal How many connections the pool makes at most, if it says so. */
  get poolSize(): number {
    const { options } = this.#pool as { readonly options?: { readonly max?: unknown } };
    return typeof options?.max === "number" ? options.max : Infinity;
  }

  /**
   * Makes the tables, or brings them up to date.
   *
   * Guarantees: runs only what is missing, in one transaction; several processes may call it at once. Nothing
   * else calls it.
   */
  async migrate(): Promise<void> {
    const { schema } = this;
    await this.outside(() =>
      this.transaction(async (sql) => {
        await sql.query(`select pg_advisory_xact_lock(${MIGRATION_LOCK})`);
        await sql.query(firstStatements(schema));
        const { rows } = await sql.query(
          `select coalesce(max(version), 0) as version from ${schema}.migrations`,
        );
        const { version: found } = rows[0] as { version: number };
        for (const [index, statements] of migrations(schema).entries()) {
          if (index < found) continue;
          await sql.query(statements);
          await sql.query(`insert into ${schema}.migrations (version) values ($1)`, [index + 1]);
        }
      }),
    );
  }

  /**
   * Runs a statement: in the ambient transaction if there is one, otherwise by itself.
   *
   * @throws TransactionEndedError if the transaction of the calling work has ended
   */
  async query(text: string, values?: unknown[]): Promise<SqlResult> {
    const current = this.current();
    if (current !== undefined) return current.query(text, values);
    const connection = await Connection.open(this.#pool);
    try {
      return await connection.query(text, values);
    } finally {
      connection.release();
    }
  }

  /**
   * Runs `run` in a transaction, and commits when it fulfils. Inside another transaction it joins that one.
   *
   * Guarantees: rolls back if `run` rejects, and rejects with its error. If work that joined fails, the whole
   * transaction is rolled back, even if the error was caught. The transaction of the database begins with the
   * first statement; without one, no connection is used.
   *
   * @throws TransactionEndedError if the transaction of the calling work has ended, or if a statement failed and
   * its error was caught
   */
  async transaction<T>(run: (sql: Sql) => T | PromiseLike<T>): Promise<T> {
    checkOption("transaction()", "run", run, { ...aFunction, required: true });
    const current = this.current();
    return current === undefined ? this.begin(run) : current.join(() => run(current));
  }

  /** @internal Runs `run` in a new transaction, whatever the calling work belongs to. */
  async begin<T>(run: (sql: OwnTransaction) => T | PromiseLike<T>): Promise<T> {
    const transaction = new OwnTransaction(this.#pool);
    let result: T;
    try {
      result = await this.#within(transaction, () => run(transaction));
    } catch (error) {
      await transaction.rollback();
      throw error;
    }
    await transaction.commit();
    return result;
  }

  /**
   * Runs `run` inside a transaction of the caller, which the caller commits or rolls back.
   *
   * @param sql - the client that the transaction was begun on, or one line around the transaction of an ORM
   * @example
   * await kysely.transaction().execute((trx) =>
   *   db.using({ query: (text, values = []) => trx.executeQuery(CompiledQuery.raw(text, values)) }, async () => {
   *     await queue.enqueue(new SendReceipt("a", 10));
   *   }),
   * );
   */
  async using<T>(sql: Sql, run: () => T | PromiseLike<T>): Promise<T> {
    checkOption("using()", "sql", sql, withMethods("an object with query(text, values)", "query"));
    checkOption("using()", "run", run, { ...aFunction, required: true });
    const transaction = new CallersTransaction(sql);
    try {
      const result = await this.#within(transaction, run);
      await transaction.leave();
      return result;
    } catch (error) {
      // Ended in any case, so that work that outlives it cannot write.
      await transaction.leave().catch(() => undefined);
      throw error;
    }
  }

  /**
   * Deletes old rows of tables that would grow for ever. Call it once a day, or never; nothing else calls it.
   *
   * @throws InvalidOptionsError
   */
  async prune(options: PruneOptions): Promise<PruneReport> {
    checkOptions<PruneOptions>("prune()", options, { inboxMs: milliseconds, entriesMs: milliseconds });
    const count = async (condition: string, ms: number | undefined): Promise<number> => {
      const { rows } = await this.query(
        `with deleted as (delete from ${this.schema}.${condition} returning 1)
select count(*)::int as count from deleted`,
        ms === undefined ? [] : [intervalMs(ms)],
      );
      return (rows[0] as { count: number }).count;
    };
    const age = "now() - $1::float8 * interval '1 ms'";
    const { inboxMs, entriesMs } = options;
    return {
      inbox: inboxMs === undefined ? 0 : await count(`inbox where seen_at <= ${age}`, inboxMs),
      entries: await count(
        `entries where expires_at <= now()${entriesMs === undefined ? "" : ` or stored_at <= ${age}`}`,
        entriesMs,
      ),
    };
  }

  /** @internal The transaction of the calling work. @throws TransactionEndedError if it has ended */
  current(): Transaction | undefined {
    const current = this.#ambient?.getStore();
    if (current?.ended) throw new TransactionEndedError();
    return current;
  }

  /** @internal True if the calling work belongs to a transaction that has ended. */
  get outlived(): boolean {
    return this.#ambient?.getStore()?.ended ?? false;
  }

  /** @internal Runs `run` outside of the ambient transaction. */
  outside<T>(run: () => T): T {
    return this.#ambient === undefined ? run() : this.#ambient.run(undefined, run);
  }

  /** @internal Runs `run` after the commit, or at once without a transaction. */
  afterCommit(run: () => void): void {
    const current = this.current();
    if (current === undefined) run();
    else current.afterCommit.add(run);
  }

  /** @internal Tells of messages that were stored, and wakes what waits for them. */
  stored(envelopes: readonly Envelope[], wake?: () => void): void {
    if (wake !== undefined) this.afterCommit(wake);
    if (this.onStored.size === 0) return;
    this.afterCommit(() => {
      for (const envelope of envelopes) for (const stored of this.onStored) stored(envelope);
    });
  }

  async #within<T>(transaction: Transaction, run: () => T | PromiseLike<T>): Promise<T> {
    this.#ambient ??= new AsyncLocalStorage();
    return this.#ambient.run(transaction, async () => run());
  }
}
