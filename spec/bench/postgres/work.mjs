// Commands that wait in the queue and are run ten at a time by a handler that does nothing.
import { migrateGraphile, PgBoss, Pool, runGraphile } from "./packages.mjs";
import { Logger } from "graphile-worker";
import { SendReceipt } from "./messages.mjs";

const quiet = new Logger(() => () => undefined);

export async function work(url, { CommandBus, CommandQueue, Database }) {
  const pool = new Pool({ connectionString: url, max: 12 });
  const db = new Database(pool, { schema: "bench_work" });
  await db.migrate();
  await migrateGraphile({ pgPool: pool });
  const boss = new PgBoss({ connectionString: url, max: 10, supervise: false, schedule: false });
  await boss.start();

  /** Runs `count` jobs that are stored already, and returns how many a second. */
  const timed = async (count, start) => {
    let done = 0;
    let finish;
    const all = new Promise((resolve) => (finish = resolve));
    const handle = () => void (++done === count && finish());
    const started = performance.now();
    const stop = await start(handle);
    await all;
    const perSecond = (count / (performance.now() - started)) * 1_000;
    await stop();
    return perSecond;
  };

  let queues = 0;
  const boss10 = (batchSize) => async (count) => {
    const name = `queue-${++queues}`;
    await boss.createQueue(name);
    await boss.insert(Array.from({ length: count }, (_, index) => ({ name, data: { index } })));
    return timed(count, async (handle) => {
      for (let worker = 0; worker < 10; worker++)
        await boss.work(name, { batchSize, pollingIntervalSeconds: 0.5 }, async (jobs) =>
          jobs.forEach(handle),
        );
      return () => boss.offWork(name);
    });
  };
  const cqrx = (writes) => async (count) => {
    const queue = new CommandQueue(db);
    await db.transaction(async () => {
      for (let index = 0; index < count; index++) await queue.enqueue(new SendReceipt(index));
    });
    return timed(count, async (handle) => {
      const commandBus = new CommandBus();
      commandBus.register(SendReceipt, async () => {
        if (writes) await db.query("select 1");
        handle();
      });
      const worker = queue.work(commandBus, { types: [SendReceipt], concurrency: 10 });
      return () => worker.close();
    });
  };
  return {
    contenders: {
      cqrx: cqrx(false),
      "cqrx, in a transaction": cqrx(true),
      "graphile-worker": async (count) => {
        await pool.query(
          "select graphile_worker.add_job('receipt', json_build_object('index', i)) from generate_series(1, $1) i",
          [count],
        );
        return timed(count, async (handle) => {
          const runner = await runGraphile({
            pgPool: pool,
            concurrency: 10,
            noHandleSignals: true,
            logger: quiet,
            taskList: { receipt: async () => handle() },
          });
          return () => runner.stop();
        });
      },
      "pg-boss": boss10(1),
      "pg-boss, 50 per poll": boss10(50),
    },
    async close() {
      await boss.stop({ graceful: false });
      await pool.end();
    },
  };
}
