import type { Database } from "./database.js";
import type { NamedTypes } from "./named-types.js";
import type { Sql } from "./sql.js";
import { errorText } from "./stored-message.js";

/** A command whose attempt belongs to this process. */
export interface ClaimedCommand {
  readonly id: number;
  readonly name: string;
  readonly envelope: string;
  /** The number of the attempt, from 1. The command belongs to this process as long as the row has this number. */
  readonly attempt: number;
}

const COLUMNS = "c.id::float8 as id, c.name, c.envelope::text as envelope, c.attempt";
const LATER = "now() + $1::float8 * interval '1 ms'";

/** Key violations and deadlocks of two claims at the same time; the next poll claims again. */
const LOST_RACE = /^(23505|40P01|40001)$/;

/**
 * The statements of a worker about the table `commands`. A lease is a time in the future at which the command is
 * due again.
 */
export class Claims {
  readonly #db: Database;
  readonly #table: string;
  readonly #types: NamedTypes;
  readonly #leaseMs: number;
  /** Runs a statement by itself. */
  readonly direct: Sql;

  constructor(db: Database, types: NamedTypes, leaseMs: number) {
    this.#db = db;
    this.#table = `${db.schema}.commands`;
    this.#types = types;
    this.#leaseMs = leaseMs;
    this.direct = { query: (text, values) => db.outside(() => db.query(text, values)) };
  }

  /**
   * Claims due commands, and tells whether a command waits whose last attempt never ended.
   *
   * Of a key, one that has begun keeps all others waiting, and an earlier one that is due the later ones. Two
   * claims that see different rows could still begin two of a key; the unique index `commands_begun` lets one of
   * them fail.
   */
  async claim(limit: number): Promise<{ readonly commands: ClaimedCommand[]; readonly suspects: boolean }> {
    const table = this.#table;
    const rows = await this.#unlessLost(
      `with named as (select json_array_elements_text($2::text::json) as name),
due as (
  select id from ${table} d
  where failed_at is null and due_at <= now() and not running and name in (select name from named)
  and (key is null or not exists (
    select from ${table} o where o.key = d.key and o.failed_at is null and o.id <> d.id
    and (o.attempt > 0 or (o.id < d.id and o.due_at <= now()))
  ))
  order by due_at, id limit $3 for update skip locked
),
claimed as (
  update ${table} c set attempt = attempt + 1, running = true, due_at = ${LATER} from due where c.id = due.id
  returning ${COLUMNS}
)
select claimed.*, exists (
  select from ${table} where failed_at is null and due_at <= now() and running and name in (select name from named)
) as suspects from (select) as one left join claimed on true order by id`,
      [this.#leaseMs, this.#types.json, limit],
    );
    const found = rows as (Partial<ClaimedCommand> & { suspects: boolean })[];
    return {
      commands: found.filter(({ id }) => typeof id === "number") as unknown as ClaimedCommand[],
      suspects: found[0]?.suspects ?? false,
    };
  }

  /** Claims one command whose last attempt never ended. */
  async claimSuspect(): Promise<ClaimedCommand | undefined> {
    const table = this.#table;
    const rows = await this.#unlessLost(
      `update ${table} c set attempt = attempt + 1, due_at = ${LATER} from (
  select id from ${table} where failed_at is null and due_at <= now() and running
  and name in (select json_array_elements_text($2::text::json)) order by due_at, id limit 1 for update skip locked
) due where c.id = due.id returning ${COLUMNS}`,
      [this.#leaseMs, this.#types.json],
    );
    return rows[0] as ClaimedCommand | undefined;
  }

  async #unlessLost(text: string, values: unknown[]): Promise<readonly unknown[]> {
    try {
      return (await this.#db.query(text, values)).rows;
    } catch (error) {
      if (LOST_RACE.test(String((error as { code?: unknown } | null)?.code))) return [];
      throw error;
    }
  }

  /**
   * Deletes a command that has succeeded. Returns false, and the caller rolls back, if it belongs to another
   * process by now.
   */
  async finish(sql: Sql, { id, attempt }: ClaimedCommand): Promise<boolean> {
    const { rows } = await sql.query(
      `delete from ${this.#table} where id = $1 and attempt = $2 and running returning 1`,
      [id, attempt],
    );
    return rows.length > 0;
  }

  /** Returns the ids of the commands that still belong to this process. */
  async extend(commands: readonly ClaimedCommand[]): Promise<ReadonlySet<number>> {
    if (commands.length === 0) return new Set();
    const { rows } = await this.#db.query(
      `update ${this.#table} c set due_at = ${LATER} from json_to_recordset($2::text::json) as mine (id bigint, attempt int)
where c.id = mine.id and c.attempt = mine.attempt and c.running returning c.id::float8 as id`,
      [this.#leaseMs, JSON.stringify(commands.map(({ id, attempt }) => ({ id, attempt })))],
    );
    return new Set((rows as { id: number }[]).map(({ id }) => id));
  }

  async retryLater(command: ClaimedCommand, error: unknown, delayMs: number): Promise<boolean> {
    return await this.#end(
      command,
      `running = false, error = $4, due_at = ${LATER}`,
      delayMs,
      errorText(error),
    );
  }

  /** Makes a command a dead letter. */
  async giveUp(command: ClaimedCommand, error: unknown): Promise<boolean> {
    return await this.#end(command, `running = false, error = $4, failed_at = ${LATER}`, 0, errorText(error));
  }

  /** Takes the attempt back, which says nothing about the command. */
  async giveBack(command: ClaimedCommand): Promise<boolean> {
    return await this.#end(
      command,
      `running = false, attempt = attempt - 1, error = $4, due_at = ${LATER}`,
      0,
      null,
    );
  }

  async #end(
    { id, attempt }: ClaimedCommand,
    set: string,
    ms: number,
    error: string | null,
  ): Promise<boolean> {
    const { rows } = await this.#db.query(
      `update ${this.#table} set ${set} where id = $2 and attempt = $3 and running returning 1`,
      [ms, id, attempt, error],
    );
    return rows.length > 0;
  }
}
