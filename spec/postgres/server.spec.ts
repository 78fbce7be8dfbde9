import { afterAll, expect, it } from "@jest/globals";
import type { Pool } from "pg";
import { embedded } from "./support/servers.js";

const pools: Pool[] = [];
afterAll(async () => {
  for (const pool of pools) await pool.end();
});

it("starts one server for all who ask", async () => {
  const [one, other] = await Promise.all([embedded.pool(), embedded.pool()]);
  pools.push(one, other);
  const startOf = async (pool: Pool): Promise<unknown> =>
    (await pool.query<{ started: string }>("select pg_postmaster_start_time()::text as started")).rows[0];
  expect(await startOf(one)).toEqual(await startOf(other));
});
