import type { Database } from "./database.js";
import type { Sql } from "./sql.js";

/** The position of a feed, and the end of the log. */
export interface Place {
  /** True if events wait for their position. */
  readonly unplaced: boolean;
  /** The position of the last event of the log. */
  readonly head: number;
  /** The position up to which the feed has handled the events. */
  readonly position: number;
}

/** The checkpoint of a feed: a row, whose lock is the right to run the feed. */
export class Checkpoint {
  readonly #name: string;
  readonly #db: Database;
  #made = false;

  constructor(name: string, db: Database) {
    this.#name = name;
    this.#db = db;
  }

  /** Makes the row, if there is none. */
  async make(): Promise<void> {
    if (this.#made) return;
    await this.#db.query(
      `insert into ${this.#db.schema}.checkpoints (name, position) values ($1, 0) on conflict do nothing`,
      [this.#name],
    );
    this.#made = true;
  }

  async look(): Promise<Place> {
    const { schema } = this.#db;
    const { rows } = await this.#db.query(
      `select exists (select from ${schema}.events where position is null) as unplaced,
(select position::float8 from ${schema}.checkpoints where name = '$log') as head,
(select position::float8 from ${schema}.checkpoints where name = $1) as position`,
      [this.#name],
    );
    return rows[0] as Place;
  }

  /** Returns the position, and holds it until the end of the transaction; undefined if another process does. */
  async lock(sql: Sql): Promise<number | undefined> {
    const { rows } = await sql.query(
      `select position::float8 as position from ${this.#db.schema}.checkpoints where name = $1 for update skip locked`,
      [this.#name],
    );
    return (rows[0] as { position: number } | undefined)?.position;
  }

  async set(sql: Sql, position: number): Promise<void> {
    await sql.query(`update ${this.#db.schema}.checkpoints set position = $2 where name = $1`, [
      this.#name,
      position,
    ]);
  }
}
