import type { Database } from "./database.js";
import type { NamedTypes } from "./named-types.js";
import { intervalMs, type Sql } from "./sql.js";
import { errorText } from "./stored-message.js";

/** A command whose attempt belongs to this process. */
export interface ClaimedCommand {
  readonly id: number;
  readonly name: string;
  readonly envelope: string;
  /** True if it has a key, so that others may wait for its end. */
  readonly keyed: boolean;
  /** The number of the attempt, from 1. The command belongs to this process as long as the row has this number. */
  readonly attempt: number;
}

/** The result of one claim. */
export interface Claim {
  readonly commands: readonly ClaimedCommand[];
  /** True if a command waits whose last attempt never ended. */
  readonly suspects: boolean;
  /** The ids of the commands that were deleted; undefined if another claim was faster, and nothing was done. */
  readonly deleted: ReadonlySet<number> | undefined;
}

const COLUMNS =
  "c.id::float8 as id, c.name, c.envelope::text as envelope, c.key is not null as keyed, c.attempt";
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
    this.#leaseMs = intervalMs(leaseMs);
    this.direct = { query: (text, values) => db.outside(() => db.query(text, values)) };
  }

  /**
   * Deletes commands that have succeeded, claims due ones, and tells whether a command waits whose last attempt
   * never ended: one statement, because the way to the server and the commit take longer than the work.
   *
   * A command that has begun keeps all others of its key waiting, and one that is due keeps the later ones waiting.
   * Two claims that see different rows could still begin two commands of a key; the unique index `commands_begun`
   * lets one of them fail. Commands that have a key are not deleted here, because the claim would not see it.
   */
  async claim(limit: number, succeeded: readonly ClaimedCommand[]): Promise<Claim> {
    const table = this.#table;
    const values: unknown[] = [this.#leaseMs, this.#types.array, limit];
    // Leave out the part for an empty list, because the server plans each statement anew.
    const deleted =
      succeeded.length === 0
        ? ""
        : `deleted as (${this.#deletion(succeeded, (value) => `$${values.push(value)}`)} returning c.id),`;
    const rows = await this.#unlessLost(
      `with ${deleted}
due as (
  select id from ${table} d
  where failed_at is null and due_at <= now() and not running and name = any($2::text::text[])
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
  select from ${table} where failed_at is null and due_at <= now() and running and name = any($2::text::text[])
) as suspects, ${deleted === "" ? "null" : "(select string_agg(id::text, ',') from deleted)"} as deleted
from (select) as one left join claimed on true order by id`,
      values,
    );
    const found = rows as
      (Partial<ClaimedCommand> & { suspects: boolean; deleted: string | null })[] | undefined;
    return {
      commands: (found ?? []).filter(({ id }) => typeof id === "number") as unknown as ClaimedCommand[],
      suspects: found?.[0]?.suspects ?? false,
      deleted: found && new Set(found[0]!.deleted?.split(",").map(Number)),
    };
  }

  /** Claims one command whose last attempt never ended. */
  async claimSuspect(): Promise<ClaimedCommand | undefined> {
    const table = this.#table;
    const rows = await this.#unlessLost(
      `update ${table} c set attempt = attempt + 1, due_at = ${LATER} from (
  select id from ${table} where failed_at is null and due_at <= now() and running
  and name = any($2::text::text[]) order by due_at, id limit 1 for update skip locked
) due where c.id = due.id returning ${COLUMNS}`,
      [this.#leaseMs, this.#types.array],
    );
    return rows?.[0] as ClaimedCommand | undefined;
  }

  /** Returns undefined, and has changed nothing, if another claim was faster. */
  async #unlessLost(text: string, values: unknown[]): Promise<readonly unknown[] | undefined> {
    try {
      return (await this.#db.query(text, values)).rows;
    } catch (error) {
      if (LOST_RACE.test(String((error as { code?: unknown } | null)?.code))) return undefined;
      throw error;
    }
  }

  /**
   * Deletes commands that have succeeded, and returns the ids of those that were deleted. The caller rolls back the
   * effect of any other, because it belongs to another process by now.
   */
  async finish(sql: Sql, commands: readonly ClaimedCommand[]): Promise<ReadonlySet<number>> {
    const values: unknown[] = [];
    const deletion = this.#deletion(commands, (value) => `$${values.push(value)}`);
    const { rows } = await sql.query(`${deletion} returning c.id::float8 as id`, values);
    return new Set((rows as { id: number }[]).map(({ id }) => id));
  }

  #deletion(commands: readonly ClaimedCommand[], parameter: (value: unknown) => string): string {
    const [only, ...others] = commands;
    if (others.length === 0)
      return `delete from ${this.#table} c
where id = ${parameter(only!.id)} and attempt = ${parameter(only!.attempt)} and running`;
    const list = (numbers: readonly number[]): string => `${parameter(`{${numbers.join(",")}}`)}::text`;
    return `delete from ${this.#table} c using unnest(${list(commands.map(({ id }) => id))}::bigint[], ${list(
      commands.map(({ attempt }) => attempt),
    )}::int[]) as mine (id, attempt) where c.id = mine.id and c.attempt = mine.attempt and c.running`;
  }

  /** Returns the ids of the commands that still belong to this process. */
  async extend(commands: readonly ClaimedCommand[]): Promise<ReadonlySet<number>> {
    if (commands.length === 0) return new Set();
    const { rows } = await this.#db.query(
      `update ${this.#table} c set due_at = ${LATER}
from json_to_recordset($2::text::json) as mine (id bigint, attempt int)
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
