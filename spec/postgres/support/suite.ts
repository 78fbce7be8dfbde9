import { afterAll, beforeAll } from "@jest/globals";
import type { Pool } from "pg";
import { Database, type PgClient, type PgPool, type Sql } from "cqrx/postgres";
import { newSchema, type TestServer } from "./servers.js";

/** A database of its own for a suite: a schema on a shared server. */
export interface Suite {
  readonly db: Database;
  readonly pool: Pool;
  readonly schema: string;
  /** Another process, as far as the database can tell. */
  another(): Database;
}

export function suiteOn(server: TestServer): Suite {
  const schema = newSchema();
  let pool: Pool;
  let db: Database;
  beforeAll(async () => {
    pool = await server.pool();
    db = new Database(pool, { schema });
    await db.migrate();
    await pool.query(`create table ${schema}.notes (text text not null)`);
  });
  afterAll(async () => {
    await pool.query(`drop schema ${schema} cascade`);
    await pool.end();
  });
  return {
    schema,
    get db() {
      return db;
    },
    get pool() {
      return pool;
    },
    another: () => new Database(pool, { schema }),
  };
}

/** Waits for a condition; the time limit of the test is the only limit. */
export async function until<T>(condition: () => T | Promise<T>): Promise<T & {}> {
  for (;;) {
    const value = await condition();
    if (value) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A promise to be settled from outside. */
export interface Gate {
  readonly passed: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  let open: () => void = () => undefined;
  const passed = new Promise<void>((resolve) => (open = resolve));
  return { passed, open };
}

/** Counts the statements that go through a pool. */
export class CountingPool implements PgPool {
  readonly statements: string[] = [];
  readonly #pool: PgPool;

  constructor(pool: PgPool) {
    this.#pool = pool;
  }

  async connect(): Promise<PgClient> {
    const client = await this.#pool.connect();
    return {
      query: (text, values) => {
        this.statements.push(text);
        return client.query(text, values);
      },
      release: (destroy) => client.release(destroy),
      on: (event, listener) => client.on?.(event, listener),
      off: (event, listener) => client.off?.(event, listener),
    };
  }
}

/** Holds statements back until a promise fulfils, as a process does that is frozen before it sends them. */
export class PausingPool implements PgPool {
  readonly #pool: PgPool;
  readonly #until: (text: string) => Promise<void> | undefined;
  /** How many statements are held back. */
  paused = 0;

  constructor(pool: PgPool, until: (text: string) => Promise<void> | undefined) {
    this.#pool = pool;
    this.#until = until;
  }

  async connect(): Promise<PgClient> {
    const client = await this.#pool.connect();
    return {
      query: async (text, values) => {
        const passed = this.#until(text);
        if (passed !== undefined) {
          this.paused++;
          await passed;
          this.paused--;
        }
        return client.query(text, values);
      },
      release: (destroy) => client.release(destroy),
      on: (event, listener) => client.on?.(event, listener),
      off: (event, listener) => client.off?.(event, listener),
    };
  }
}

/** Waits until no more statements come; a process that wakes itself never gets there. */
export async function untilAsleep({ statements }: CountingPool, other: Sql): Promise<number> {
  for (;;) {
    const before = statements.length;
    for (let index = 0; index < 20; index++) await other.query("select 1");
    if (statements.length === before) return before;
  }
}

export async function notes(sql: Sql, schema: string): Promise<string[]> {
  const { rows } = await sql.query(`select text from ${schema}.notes order by text`);
  return (rows as { text: string }[]).map(({ text }) => text);
}
