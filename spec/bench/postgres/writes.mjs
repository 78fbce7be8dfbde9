// What is stored on ten connections: each contender writes the same events or commands, one per commit.
import { emmettPostgres, Pool } from "./packages.mjs";
import { deposited, SendReceipt, tenAtATime } from "./messages.mjs";

export async function writes(url, cqrx) {
  const pool = new Pool({ connectionString: url, max: 10 });
  const { Database, EventStore, CommandQueue, Envelope } = cqrx;
  const db = new Database(pool, { schema: "bench_writes" });
  await db.migrate();
  const events = new EventStore(db, { types: [deposited(0).constructor] });
  const queue = new CommandQueue(db);
  await pool.query(
    "create table if not exists bare (id bigint generated always as identity primary key, name text not null, envelope json not null)",
  );
  const emmett = emmettPostgres(url, pool);
  await emmett.schema.migrate();

  // Streams are new in each run.
  let rounds = Date.now();
  // Each of ten writers has a stream, of which it knows the version.
  const streams = () => {
    const round = ++rounds;
    return Array.from({ length: 10 }, (_, lane) => ({ name: `account-${round}-${lane}`, version: 0 }));
  };
  return {
    contenders: {
      "bare INSERT": (count) =>
        tenAtATime(count, (index) => {
          const envelope = Envelope.of(deposited(index));
          return pool.query("insert into bare (name, envelope) values ($1, $2)", [
            envelope.meta.name,
            JSON.stringify(envelope),
          ]);
        }),
      append: (count) => {
        const lanes = streams();
        return tenAtATime(count, async (index, lane) => {
          const stream = lanes[lane];
          const appended = await events.append(stream.name, deposited(index), {
            expectedVersion: stream.version,
          });
          stream.version = appended.version;
        });
      },
      publish: (count) => tenAtATime(count, (index) => events.publish(deposited(index))),
      enqueue: (count) => tenAtATime(count, (index) => queue.enqueue(new SendReceipt(index))),
      "emmett append": (count) => {
        const lanes = streams();
        return tenAtATime(count, async (index, lane) => {
          const stream = lanes[lane];
          const { nextExpectedStreamVersion } = await emmett.appendToStream(
            stream.name,
            [{ type: "deposited", data: { ...deposited(index) } }],
            { expectedStreamVersion: stream.version === 0 ? "STREAM_DOES_NOT_EXIST" : stream.version },
          );
          stream.version = nextExpectedStreamVersion;
        });
      },
    },
    async close() {
      await emmett.close();
      await pool.end();
    },
  };
}
