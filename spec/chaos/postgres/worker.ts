// One of the processes that are killed: runs commands and projects events until it is ended.
import { appendFileSync } from "node:fs";
import pg from "pg";
import { CommandBus, EventBus } from "cqrx";
import { CommandQueue, Database, EventStore } from "cqrx/postgres";
import { Transfer, Transferred, type WorkerConfig } from "./messages.js";

const { url, schema, outside } = JSON.parse(process.argv[2]!) as WorkerConfig;
const pool = new pg.Pool({ connectionString: url, max: 10, application_name: `chaos ${schema}` });
pool.on("error", () => undefined);
const db = new Database(pool, { schema });
const events = new EventStore(db, { types: [Transferred] });

const commandBus = new CommandBus();
commandBus.register(Transfer, async ({ index }, context) => {
  await db.query(`insert into ${schema}.ledger (index, side) values ($1, 'from')`, [index]);
  appendFileSync(outside, `${index} ${context.envelope.meta.id}\n`);
  await db.query(`insert into ${schema}.ledger (index, side) values ($1, 'to')`, [index]);
  await events.publish(new Transferred(index), { causedBy: context });
});
const eventBus = new EventBus();
eventBus.register(Transferred, async ({ index }) => {
  await db.query(`insert into ${schema}.projected (index) values ($1)`, [index]);
});

const worker = new CommandQueue(db).work(commandBus, {
  types: [Transfer],
  concurrency: 4,
  leaseMs: 1_500,
  pollMs: 50,
  retry: { count: 100, delayMs: 20, maxDelayMs: 500 },
});
const feed = events.feed("projected", eventBus, { pollMs: 50 });
// Leases that are lost and a database that is down are expected here.
for (const { faults$ } of [worker, feed, commandBus]) faults$.subscribe({ error: () => undefined });
// So that none is left behind when the run itself is stopped.
process.once("disconnect", () => process.exit());
