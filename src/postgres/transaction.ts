import { Connection } from "./connection.js";
import { TransactionEndedError } from "./errors.js";
import type { PgPool, Sql, SqlResult } from "./sql.js";

/** The statements of one unit of work. The transaction of the database begins with the first of them. */
export abstract class Transaction implements Sql {
  /** Runs once each, after the commit. */
  readonly afterCommit = new Set<() => void>();
  #ended = false;
  #failure: { readonly error: unknown } | undefined;
  #last: Promise<unknown> = Promise.resolve();

  get ended(): boolean {
    return this.#ended;
  }

  protected abstract run(text: string, values?: unknown[]): Promise<SqlResult>;

  /**
   * Runs statements one after another, because drivers do not promise to queue them.
   *
   * @throws TransactionEndedError for work that outlived the transaction, whose connection belongs to others by then
   */
  query(text: string, values?: unknown[]): Promise<SqlResult> {
    if (this.#ended) return Promise.reject(new TransactionEndedError());
    const result = this.#last.then(() => this.run(text, values));
    this.#last = result.catch(() => undefined);
    return result;
  }

  /**
   * Runs work that joins this transaction. If it fails, the whole transaction fails, even if the error is caught
   * outside: a half of the work would be committed otherwise.
   */
  async join<T>(work: () => T | PromiseLike<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      this.#failure ??= { error };
      throw error;
    }
  }

  /** Refuses further statements, and waits for those that were begun. */
  protected async end(): Promise<void> {
    this.#ended = true;
    await this.#last;
  }

  protected throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

/** A transaction of its own, on a connection of the pool. */
export class OwnTransaction extends Transaction {
  readonly #pool: PgPool;
  #connection: Connection | undefined;
  #statementError: unknown;
  #connectionError = false;

  constructor(pool: PgPool) {
    super();
    this.#pool = pool;
  }

  /** True if a statement was run. */
  get begun(): boolean {
    return this.#connection !== undefined;
  }

  /** True if statements failed because of the connection. */
  get disconnected(): boolean {
    return this.#connectionError || (this.#connection?.broken ?? false);
  }

  protected async run(text: string, values?: unknown[]): Promise<SqlResult> {
    const connection = (this.#connection ??= await this.#begin());
    try {
      return await connection.query(text, values);
    } catch (error) {
      if (this.#statementError === undefined) this.#statementError = error;
      else if (hasFailed(error)) throw this.#rolledBack();
      throw error;
    }
  }

  async #begin(): Promise<Connection> {
    let connection: Connection | undefined;
    try {
      connection = await Connection.open(this.#pool);
      await connection.query("begin");
      return connection;
    } catch (error) {
      connection?.release(true);
      this.#connectionError = true;
      throw error;
    }
  }

  /** @throws the error of work that joined and failed, or of a statement whose error was caught */
  async commit(): Promise<void> {
    await this.end();
    try {
      this.throwFailure();
    } catch (error) {
      await this.#finish("rollback");
      throw error;
    }
    const result = (await this.#finish("commit")) as { readonly command?: string } | undefined;
    // PostgreSQL answers COMMIT with ROLLBACK, and without an error, if a statement failed.
    if (result?.command === "ROLLBACK") throw this.#rolledBack();
    for (const run of this.afterCommit) run();
  }

  #rolledBack(): TransactionEndedError {
    return new TransactionEndedError(
      "The transaction is rolled back, because one of its statements failed (see cause); let that error through.",
      this.#statementError,
    );
  }

  async rollback(): Promise<void> {
    await this.end();
    // The error that led here matters, not one of the way back: a connection that fails is closed, which rolls
    // back, too.
    await this.#finish("rollback").catch(() => undefined);
  }

  async #finish(statement: "commit" | "rollback"): Promise<SqlResult | undefined> {
    const connection = this.#connection;
    if (connection === undefined) return undefined;
    let destroy = true;
    try {
      const result = await connection.query(statement);
      destroy = false;
      return result;
    } finally {
      if (connection.broken) this.#connectionError = true;
      connection.release(destroy);
    }
  }
}

/** The transaction of a caller, who commits it. */
export class CallersTransaction extends Transaction {
  readonly #sql: Sql;

  constructor(sql: Sql) {
    super();
    this.#sql = sql;
  }

  protected run(text: string, values?: unknown[]): Promise<SqlResult> {
    return this.#sql.query(text, values);
  }

  /** @throws the error of work that joined and failed, so that the caller rolls back */
  async leave(): Promise<void> {
    await this.end();
    this.throwFailure();
  }
}

/** Returns true for the answer to every statement after one that failed. */
function hasFailed(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === "25P02";
}
