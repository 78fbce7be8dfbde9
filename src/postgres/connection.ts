import type { PgClient, PgPool, Sql, SqlResult } from "./sql.js";

const guarded = new WeakSet<PgPool>();

/**
 * Gives each new client of a pool a listener for good, because `pg` has moments without one: a client that is cut
 * in the packet that completes its connection, and one that the pool closes by itself. `error` without a listener
 * ends the process.
 */
export function guardClients(pool: PgPool): void {
  if (guarded.has(pool)) return;
  guarded.add(pool);
  pool.on?.("connect", (client) => void client.on?.("error", () => undefined));
  // An idle client that is cut; the pool has dropped it already.
  pool.on?.("error", () => undefined);
}

/** A connection that is held for some statements. */
export class Connection implements Sql {
  readonly #client: PgClient;
  #broken = false;
  // A client that is cut emits `error`, which ends the process without a listener; the pool listens to idle
  // clients only.
  readonly #onError = (): void => void (this.#broken = true);

  private constructor(client: PgClient) {
    this.#client = client;
    client.on?.("error", this.#onError);
  }

  static async open(pool: PgPool): Promise<Connection> {
    return new Connection(await pool.connect());
  }

  /** True if statements fail because of the connection and not because of what they say. */
  get broken(): boolean {
    return this.#broken;
  }

  async query(text: string, values?: unknown[]): Promise<SqlResult> {
    try {
      return await this.#client.query(text, values);
    } catch (error) {
      if (isConnectionError(error)) this.#broken = true;
      throw error;
    }
  }

  /** Gives the connection back; a broken one, or one in an unknown state, is closed. */
  release(destroy = false): void {
    this.#client.off?.("error", this.#onError);
    this.#client.release(destroy || this.#broken);
  }
}

/**
 * Returns true for the end of a connection, and for a server that shuts down or starts. Such an error says
 * nothing about the message that was handled meanwhile.
 */
export function isConnectionError(error: unknown): boolean {
  const { code, message } = (error ?? {}) as { readonly code?: unknown; readonly message?: unknown };
  return (
    (typeof code === "string" &&
      /^(08...|57P0[1-5]|53300|ECONN(REFUSED|RESET|ABORTED)|EPIPE|ETIMEDOUT)$/.test(code)) ||
    (typeof message === "string" &&
      /^(Connection terminated|Client (has encountered|was closed))/.test(message))
  );
}
