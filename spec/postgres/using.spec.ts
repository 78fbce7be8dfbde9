import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { CommandQueue, EventStore, type Sql } from "cqrx/postgres";
import { CompiledQuery, Kysely, PostgresDialect } from "kysely";
import type { Pool } from "pg";
import postgres from "postgres";
import { lastValueFrom, toArray } from "rxjs";
import { DataSource } from "typeorm";
import { prismaClient, prismaSql } from "./support/prisma.js";
import { embedded } from "./support/servers.js";
import { suiteOn } from "./support/suite.js";

// Its types do not compile without the packages of all other databases.
interface DrizzleTransaction {
  execute(query: unknown): ReturnType<Sql["query"]>;
}
interface Drizzle {
  drizzle(pool: Pool): { transaction<T>(work: (tx: DrizzleTransaction) => Promise<T>): Promise<T> };
  sql: ((texts: TemplateStringsArray, ...values: unknown[]) => unknown) & {
    raw(text: string): unknown;
    join(parts: unknown[]): unknown;
  };
}
const drizzleModules = ["drizzle-orm", "drizzle-orm/node-postgres"];

class Paid {
  constructor(readonly amount: number) {}
}
class SendReceipt {
  constructor(readonly amount: number) {}
}

const suite = suiteOn(embedded);

/** Runs work in a transaction of a library, with the one line that makes it an {@link Sql}. */
type InTransaction = (work: (sql: Sql) => Promise<void>) => Promise<void>;

interface Library {
  readonly transaction: InTransaction;
  close(): Promise<unknown>;
}

const libraries: Record<string, (url: string) => Promise<Library>> = {
  pg: async () => {
    const client = await suite.pool.connect();
    return {
      async transaction(work) {
        await client.query("begin");
        try {
          await work(client);
          await client.query("commit");
        } catch (error) {
          await client.query("rollback");
          throw error;
        }
      },
      close: async () => client.release(),
    };
  },
  kysely: async () => {
    const kysely = new Kysely<object>({ dialect: new PostgresDialect({ pool: await embedded.pool() }) });
    return {
      transaction: (work) =>
        kysely
          .transaction()
          .execute((trx) =>
            work({ query: (text, values = []) => trx.executeQuery(CompiledQuery.raw(text, values)) }),
          ),
      close: () => kysely.destroy(),
    };
  },
  drizzle: async () => {
    const pool = await embedded.pool();
    const modules = await Promise.all(
      drizzleModules.map((name) => import(name) as Promise<Partial<Drizzle>>),
    );
    const { drizzle, sql: drizzleSql } = Object.assign({}, ...modules) as Drizzle;
    const orm = drizzle(pool);
    return {
      transaction: (work) =>
        orm.transaction((tx) =>
          work({
            query: (text, values = []) =>
              tx.execute(
                drizzleSql.join(
                  text
                    .split(/\$(\d+)/)
                    .map((part, index) =>
                      index % 2 === 0 ? drizzleSql.raw(part) : drizzleSql`${values[Number(part) - 1]}`,
                    ),
                ),
              ),
          }),
        ),
      close: () => pool.end(),
    };
  },
  postgres: async (url) => {
    const sql = postgres(url, { max: 2, onnotice: () => undefined });
    return {
      transaction: async (work) => {
        await sql.begin((tx) =>
          work({ query: async (text, values = []) => ({ rows: await tx.unsafe(text, values as string[]) }) }),
        );
      },
      close: () => sql.end(),
    };
  },
  prisma: async (url) => {
    const prisma = prismaClient(url);
    return {
      transaction: (work) => prisma.$transaction((tx) => work(prismaSql(tx))),
      close: () => prisma.$disconnect(),
    };
  },
  typeorm: async (url) => {
    const source = await new DataSource({ type: "postgres", url }).initialize();
    return {
      transaction: (work) =>
        source.transaction((manager) =>
          work({
            query: async (text, values) => ({
              rows: (await manager.queryRunner!.query(text, values, true)).records,
            }),
          }),
        ),
      close: () => source.destroy(),
    };
  },
};

describe.each(Object.keys(libraries))("using() with %s", (name) => {
  let library: Library;
  beforeAll(async () => {
    library = await libraries[name]!(await embedded.url());
  });
  afterAll(() => library.close());

  const work = async (stream: string): Promise<void> => {
    const { db } = suite;
    const events = new EventStore(db, { types: [Paid] });
    const queue = new CommandQueue(db);
    const { version } = await events.append(stream, [new Paid(1), new Paid(2)], { expectedVersion: 0 });
    await events.append(stream, new Paid(3), { expectedVersion: version! });
    await events.publish(new Paid(4), { headers: { stream } });
    const { meta } = await queue.enqueue(new SendReceipt(1), { key: stream });
    const later = await queue.enqueue(new SendReceipt(2), { delayMs: 60_000 });
    expect(await queue.cancel(meta.id)).toBe(true);
    expect(await queue.cancel(meta.id)).toBe(false);
    await db.query(`insert into ${suite.schema}.notes values ($1)`, [later.meta.id]);
    const read = await lastValueFrom(events.read(stream).pipe(toArray()), { defaultValue: [] });
    expect(read.map(({ version, envelope }) => [version, envelope.payload])).toEqual([
      [1, new Paid(1)],
      [2, new Paid(2)],
      [3, new Paid(3)],
    ]);
  };
  const rowsOf = async (stream: string): Promise<number[]> => {
    const count = async (text: string): Promise<number> =>
      (
        await suite.pool.query<{ count: number }>(
          `select count(*)::int as count from ${suite.schema}.${text}`,
          [stream],
        )
      ).rows[0]!.count;
    return [
      await count("events where stream = $1 or envelope->'meta'->'headers'->>'stream' = $1"),
      await count(
        "notes n join " + suite.schema + ".commands c on c.message_id = n.text where $1::text is not null",
      ),
    ];
  };

  it("commits our writes with the transaction, and rolls them back with it", async () => {
    const [, before] = await rowsOf("");
    await library.transaction((sql) => suite.db.using(sql, () => work(`${name} kept`)));
    expect(await rowsOf(`${name} kept`)).toEqual([4, before! + 1]);
    const error = new Error("back");
    const back = library.transaction(async (sql) => {
      await suite.db.using(sql, () => work(`${name} lost`));
      throw error;
    });
    await expect(back).rejects.toBe(error);
    expect(await rowsOf(`${name} lost`)).toEqual([0, before! + 1]);
  });
});
