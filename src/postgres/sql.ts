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
  on?(event: "connect", listener: (client: Pick<PgClient, "on">) => void): unknown;
}
