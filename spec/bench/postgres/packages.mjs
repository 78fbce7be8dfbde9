// The packages that are compared, as this bench uses them.
import { getPostgreSQLEventStore } from "@event-driven-io/emmett-postgresql";
import { run, runMigrations } from "graphile-worker";
import pg from "pg";
import PgBoss from "pg-boss";

export const { Pool } = pg;
export { PgBoss, run as runGraphile, runMigrations as migrateGraphile };

export function emmettPostgres(url, pool) {
  return getPostgreSQLEventStore(url, { schema: { autoMigration: "None" }, connectionOptions: { pool } });
}
