import { checkOption, invalidOption, withMethods } from "../core/checks.js";
import { fromJson } from "../core/messages/json-reader.js";
import { toJson } from "../core/messages/json-writer.js";
import type { Database } from "./database.js";
import { shortKey } from "./short-key.js";
import { intervalMs } from "./sql.js";

/** Options of {@link PostgresStore.set}. */
export interface PostgresStoreSetOptions {
  /** Milliseconds that the entry is kept; for ever without it. */
  readonly ttl?: number;
}

/** A store for the middleware `idempotency` and `caching`, in the table `entries`. */
export interface PostgresStore {
  get(key: unknown): Promise<unknown>;
  set(key: unknown, value: unknown, options?: PostgresStoreSetOptions): Promise<void>;
  delete(key: unknown): Promise<void>;
}

/**
 * Returns a store for `idempotency` and `caching` that all processes share and that survives them.
 *
 * Guarantees: part of the ambient transaction if there is one. Values are kept as JSON, with dates, Maps, Sets
 * and bigints; a value that JSON cannot keep is refused.
 *
 * @example
 * idempotency({ key: (_, { envelope }) => envelope.meta.headers["idempotency-key"], store: postgresStore(db) });
 */
export function postgresStore(db: Database): PostgresStore {
  checkOption("postgresStore()", "db", db, withMethods("a Database", "query", "transaction"));
  const table = `${db.schema}.entries`;
  return {
    async get(key) {
      const { rows } = await db.query(
        `select value::text from ${table} where key = $1 and (expires_at is null or expires_at > now())`,
        [keyOf(key)],
      );
      const [row] = rows as { value: string }[];
      return row === undefined ? undefined : (fromJson(JSON.parse(row.value), "entry") as Entry).value;
    },
    async set(key, value, { ttl } = {}) {
      await db.query(
        `insert into ${table} (key, value, expires_at) values ($1, $2::text::json, now() + $3::float8 * interval '1 ms')
on conflict (key) do update set value = excluded.value, stored_at = now(), expires_at = excluded.expires_at`,
        [
          keyOf(key),
          JSON.stringify(toJson({ value } satisfies Entry, "entry")),
          ttl === undefined ? null : intervalMs(ttl),
        ],
      );
    },
    async delete(key) {
      await db.query(`delete from ${table} where key = $1`, [keyOf(key)]);
    },
  };
}

/** An object around the value, because only objects are written. */
interface Entry {
  readonly value: unknown;
}

/** Two keys that are not texts might be written alike. */
function keyOf(key: unknown): string {
  if (typeof key !== "string")
    throw invalidOption("postgresStore()", "key", "a function that returns a text", key);
  return shortKey(key);
}
