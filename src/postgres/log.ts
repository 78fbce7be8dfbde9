import type { Envelope } from "../core/messages/envelope.js";
import type { Database } from "./database.js";
import type { NamedTypes } from "./named-types.js";
import type { Sql } from "./sql.js";

/** An event as it is stored. */
export interface StoredEvent<E = object> {
  readonly envelope: Envelope<E>;
  /** The place in the log, from 1 without holes; absent until the event has been placed, shortly after its commit. */
  readonly position?: number;
  readonly stream?: string;
  /** The place in the stream, from 1 without holes. */
  readonly version?: number;
}

/** A row of the table `events`, before its envelope is read. */
export interface EventRow {
  readonly position: number | null;
  readonly stream: string | null;
  readonly version: number | null;
  readonly name: string;
  readonly envelope: string;
}

/** A page of the log that a feed handles now. */
export interface TakenPage {
  /** The checkpoint as it was. Without failure it is never taken back. */
  readonly before: number;
  readonly after: number;
  readonly rows: readonly EventRow[];
}

/** Rows of one page. */
export const PAGE = 1_000;

/** Rows of one page of `load`. It is larger, because a round trip to the server takes as long as many rows. */
export const FOLDED_PAGE = 5_000;

const COLUMNS = "position::float8 as position, stream, version, name, envelope::text as envelope";

/** The statements about the table `events`. */
export class Log {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Reads a page of a stream in the ambient transaction, with the events that it has appended itself. */
  async stream(stream: string, after: number): Promise<EventRow[]> {
    const { rows } = await this.#db.query(
      `select ${COLUMNS} from ${this.#db.schema}.events
where stream = $1 and version > $2 order by version limit ${PAGE}`,
      [stream, after],
    );
    return rows as EventRow[];
  }

  /** Reads a page of a stream as {@link stream} does, with the columns that `load` needs. */
  async history(stream: string, after: number): Promise<Pick<EventRow, "version" | "name" | "envelope">[]> {
    const { rows } = await this.#db.query(
      `select version, name, envelope::text as envelope from ${this.#db.schema}.events
where stream = $1 and version > $2 order by version limit ${FOLDED_PAGE}`,
      [stream, after],
    );
    return rows as EventRow[];
  }

  /** Reads placed events of some types, from behind `after` up to `head`. */
  async page(types: NamedTypes, after: number, head: number, limit: number): Promise<EventRow[]> {
    const { rows } = await this.#db.query(`select ${COLUMNS} from ${this.#page("$4::bigint")} e`, [
      head,
      types.array,
      limit,
      after,
    ]);
    return rows as EventRow[];
  }

  /**
   * Takes a checkpoint to the end of the page behind it, and reads both: the caller rolls back if it cannot handle the
   * page. Returns undefined if another process holds the checkpoint. One statement, because the way to the server
   * takes longer than the work.
   */
  async takePage(
    sql: Sql,
    checkpoint: string,
    types: NamedTypes,
    head: number,
    limit: number,
  ): Promise<TakenPage | undefined> {
    const { schema } = this.#db;
    const { rows } = await sql.query(
      `with mine as (select position from ${schema}.checkpoints where name = $4 for update skip locked),
page as (select e.* from mine cross join lateral ${this.#page("mine.position")} e),
taken as (
  update ${schema}.checkpoints c set position = case when n < $3 then greatest(mine.position, $1) else last end
  from mine, (select count(*) as n, max(position) as last from page) p where c.name = $4 returning c.position
)
select mine.position::float8 as before, taken.position::float8 as after, e.*
from mine cross join taken left join (select ${COLUMNS} from page) e on true order by e.position`,
      [head, types.array, limit, checkpoint],
    );
    const found = rows as (EventRow & { before: number; after: number })[];
    if (found[0] === undefined) return undefined;
    const { before, after } = found[0];
    // A checkpoint without an event behind it is a row of its own.
    return { before, after, rows: found.filter(({ position }) => position !== null) };
  }

  /** Ordered by the column, not by its alias in {@link COLUMNS}, which has another type and no index. */
  #page(after: string): string {
    return `(
  select * from ${this.#db.schema}.events e
  where e.position > ${after} and e.position <= $1 and e.name = any($2::text::text[])
  order by e.position limit $3
)`;
  }

  /**
   * Gives committed events their positions, and returns the last one.
   *
   * Positions are given after the commit, because a number that is given at the insert becomes visible in the order of
   * commits: a reader that has passed 8 would never see 7, if 7 was committed later.
   */
  async place(): Promise<number> {
    for (;;) {
      const { rows } = await this.#db.query(
        `select exists (select from ${this.#db.schema}.events where position is null) as unplaced,
(select position::float8 from ${this.#db.schema}.checkpoints where name = '$log') as head`,
      );
      const { unplaced, head } = rows[0] as { unplaced: boolean; head: number };
      if (!unplaced) return head;
      await this.placeSome();
    }
  }

  /**
   * Places up to 1,000 events. Two statements in one message, and therefore in one transaction that does not depend on
   * this process: if it were stopped while it held the lock, no process could place events. The first waits for the
   * lock, the second sees what was committed until then. Ordered by `id`, which is also the order within a stream,
   * because a version is inserted only after the one before it was committed or in the same transaction.
   */
  async placeSome(): Promise<void> {
    const { schema } = this.#db;
    await this.#db.query(
      `select 1 from ${schema}.checkpoints where name = '$log' for update;
with fresh as (select id from ${schema}.events where position is null order by id limit ${PAGE}),
numbered as (select id, row_number() over (order by id) as n from fresh),
placed as (
  update ${schema}.events e set position = n + (select position from ${schema}.checkpoints where name = '$log')
  from numbered where e.id = numbered.id returning 1
)
update ${schema}.checkpoints set position = position + (select count(*) from placed) where name = '$log'`,
    );
  }
}

/** @throws InvalidMessageError */
export function storedEvent(row: EventRow, types: NamedTypes): StoredEvent {
  return {
    envelope: types.read(row.name, row.envelope),
    ...(row.position === null ? {} : { position: row.position }),
    ...(row.stream === null ? {} : { stream: row.stream }),
    ...(row.version === null ? {} : { version: row.version }),
  };
}
