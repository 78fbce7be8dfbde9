// What is read: a stream into a state, and the log through a feed with one statement per event.
import { Pool } from "./packages.mjs";
import { Deposited, deposited } from "./messages.mjs";

export async function reads(url, { Database, EventBus, EventStore }) {
  const pool = new Pool({ connectionString: url, max: 10 });
  const db = new Database(pool, { schema: "bench_reads" });
  await db.migrate();
  const events = new EventStore(db, { types: [Deposited] });
  await pool.query("create table if not exists balances (account text primary key, amount int not null)");
  const EVENTS = 5_000;
  const long = `long-${Date.now()}`;
  await events.append(
    long,
    Array.from({ length: EVENTS }, (_, index) => deposited(index)),
  );
  const add = (sum, { amount }) => sum + amount;
  const timed = async (count, run) => {
    const started = performance.now();
    for (let index = 0; index < count; index++) await run();
    return (count / (performance.now() - started)) * 1_000;
  };

  let feeds = 0;
  return {
    contenders: {
      "bare select of 5,000 rows": (count) =>
        timed(count, async () => {
          const { rows } = await pool.query(
            "select envelope::text as envelope from bench_reads.events where stream = $1 order by version",
            [long],
          );
          rows.map(({ envelope }) => JSON.parse(envelope)).reduce((sum, { payload }) => add(sum, payload), 0);
        }),
      "load of 5,000 events": (count) => timed(count, () => events.load(long, add, 0)),
    },
    /**
     * Returns how many events a second a feed handles, from their commit on, so that it gives them their positions, too.
     * @param {boolean} writes whether the handler runs a statement for each event, as a projection does
     */
    async feed(writes) {
      const appended = await events.publish(Array.from({ length: EVENTS }, (_, index) => deposited(index)));
      const { rows } = await pool.query("select position from bench_reads.checkpoints where name = '$log'");
      const eventBus = new EventBus();
      let handled = 0;
      eventBus.register(Deposited, async ({ account, amount }) => {
        if (writes)
          await db.query(
            "insert into balances values ($1, $2) on conflict (account) do update set amount = balances.amount + excluded.amount",
            [account, amount],
          );
        handled++;
      });
      const name = `feed-${Date.now()}-${++feeds}`;
      await pool.query("insert into bench_reads.checkpoints values ($1, $2)", [name, rows[0].position]);
      const started = performance.now();
      const feed = events.feed(name, eventBus);
      await feed.caughtUp({ envelopes: appended.envelopes.slice(-1) }, { timeoutMs: 120_000 });
      const perSecond = (handled / (performance.now() - started)) * 1_000;
      await feed.close();
      return perSecond;
    },
    close: () => pool.end(),
  };
}
