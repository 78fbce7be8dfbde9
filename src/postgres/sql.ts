/**
 * The longest time that a statement is given, in milliseconds, because intervals and dates of PostgreSQL end: 3,168
 * years.
 */
const LONGEST_MS = 1e14;

/** Shortens a time that PostgreSQL would refuse, such as `Infinity`. */
export const intervalMs = (ms: number): number => Math.min(ms, LONGEST_MS);

/** The most rows that a statement asks for, because a limit of PostgreSQL is never `Infinity`. */
export const MOST_ROWS = 1_000_000;

/** The rows of a statement, as the driver read them. */
export interface SqlResult {
  readonly rows: readonly unknown[];
}

/** Runs statements: a client of `pg`, or a transaction of an ORM behind one line. Parameters are `$1`, `$2`, ... */
export interface Sql {
  query(text: string, values?: unknown[]): Promise<SqlResult>;
}

/** A connection that is held until `release`, as `pg` makes it. */
export interface PgClient extends Sql {
  /** @param destroy - closes the connection, because its state is not known */
  release(destroy?: boolean): void;
  on?(event: "error", listener: (error: Error) => void): unknown;
  off?(event: "error", listener: (error: Error) => void): unknown;
}

/** A pool of connections, such as a `pg.Pool`. */
export interface PgPool {
  connect(): Promise<PgClient>;
  on?(event: "connect" | "error", listener: (about: PgClient) => void): unknown;
}
