// Kills, freezes and cuts off the processes that work, crashes the server, and then checks the ledger.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { buildSync } from "esbuild";
import pg from "pg";
import { CommandBus, Envelope } from "cqrx";
import { CommandQueue, Database, transactional } from "cqrx/postgres";
import { PostgresServer } from "../../../examples/support/postgres-server.js";
import { randomFrom } from "../random.js";
import { Transfer, type WorkerConfig } from "./messages.js";

const COMMANDS = 1_000;
const PROCESSES = 2;
const CONCURRENCY = 4;
const KILLS = 12;

type Disturbance = "kill" | "freeze" | "cut" | "crash";
const PLAN: readonly Disturbance[] = [
  ...Array.from({ length: KILLS }, () => "kill" as const),
  ...Array.from({ length: 3 }, () => "freeze" as const),
  ...Array.from({ length: 6 }, () => "cut" as const),
  "crash",
];

const folder = mkdtempSync(join(tmpdir(), "cqrx-chaos-"));
const program = join(folder, "worker.cjs");
let server: PostgresServer | undefined;

/** Runs one seed; all of its choices come from the seed. */
export async function run(seed: number): Promise<string> {
  const random = randomFrom(seed);
  server ??= await startServer();
  const { url } = server;
  const schema = `chaos_${seed}_${process.pid}`;
  const outside = join(folder, `outside-${seed}.txt`);
  writeFileSync(outside, "");
  const pool = new pg.Pool({ connectionString: url, max: 6 });
  pool.on("error", () => undefined);
  const db = new Database(pool, { schema });
  await db.migrate();
  await db.query(`create table ${schema}.ledger (index int, side text)`);
  await db.query(`create table ${schema}.projected (index int)`);

  const config: WorkerConfig = { url, schema, outside };
  const processes = Array.from({ length: PROCESSES }, () => startWorker(config));
  try {
    const enqueued = enqueueAll(db, random);
    const count = async (text: string): Promise<number> => {
      const rows = await insist(() => db.query(`select count(*)::int as count from ${schema}.${text}`));
      return (rows.rows[0] as { count: number }).count;
    };
    const done = (): Promise<number> => count("ledger where side = 'to'");
    for (const [at, disturbance] of planned(random)) {
      while ((await done()) < at) await pause(10);
      await disturb(disturbance, Math.floor(random() * PROCESSES), processes, config, db);
    }
    await enqueued;
    while ((await count("commands where failed_at is null")) > 0) await pause(20);
    while ((await count("projected")) < COMMANDS) await pause(20);
    // A holder that was frozen may still try to commit.
    await pause(500);
    return await check(db, schema, outside);
  } finally {
    for (const child of processes) await endWorker(child);
    await insist(() => db.query(`drop schema ${schema} cascade`));
    await pool.end();
  }
}

export async function end(): Promise<void> {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
}

async function startServer(): Promise<PostgresServer> {
  buildSync({
    entryPoints: [join(process.cwd(), "spec/chaos/postgres/worker.ts")],
    outfile: program,
    bundle: true,
    platform: "node",
    external: ["pg-native"],
    tsconfig: join(process.cwd(), "tsconfig.json"),
  });
  const bin = "/usr/lib/postgresql/15/bin";
  return PostgresServer.start({ fsync: true, ...(existsSync(bin) ? { bin } : {}) });
}

/** The disturbances and after how many commands each comes. */
function planned(random: () => number): (readonly [number, Disturbance])[] {
  return PLAN.map((disturbance) => [Math.floor(random() * COMMANDS * 0.95), disturbance] as const).sort(
    ([one], [other]) => one - other,
  );
}

async function disturb(
  disturbance: Disturbance,
  index: number,
  processes: ChildProcess[],
  config: WorkerConfig,
  db: Database,
): Promise<void> {
  const child = processes[index]!;
  switch (disturbance) {
    case "kill":
      await endWorker(child);
      processes[index] = startWorker(config);
      return;
    case "freeze":
      child.kill("SIGSTOP");
      await pause(2_500); // longer than the lease
      child.kill("SIGCONT");
      return;
    case "cut":
      await insist(() =>
        db.query(
          "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and random() < 0.5",
          [`chaos ${config.schema}`],
        ),
      );
      return;
    case "crash":
      await server!.crash();
      return;
  }
}

/** Enqueues all commands, each in a transaction of which one in ten is rolled back first. */
async function enqueueAll(db: Database, random: () => number): Promise<void> {
  const queue = new CommandQueue(db);
  for (let index = 0; index < COMMANDS; index++) {
    const envelope = Envelope.of(new Transfer(index));
    if (random() < 0.1)
      await db
        .transaction(async () => {
          await queue.enqueue(new Transfer(index));
          throw new Error("rolled back");
        })
        .catch(() => undefined);
    // Tried again under one id, because a commit that was cut may have happened.
    await insist(() => queue.enqueue(envelope, random() < 0.2 ? { delayMs: random() * 200 } : {}));
  }
}

async function check(db: Database, schema: string, outside: string): Promise<string> {
  const single = async (text: string): Promise<number> => {
    const { rows } = await db.query(text);
    return Number((rows[0] as { n: unknown }).n);
  };
  const lost = await single(
    `select count(*) as n from generate_series(0, ${COMMANDS - 1}) i where not exists (select from ${schema}.ledger where index = i)`,
  );
  const perCommand = `select index, count(*) filter (where side = 'from') as f, count(*) filter (where side = 'to') as t from ${schema}.ledger group by index`;
  const half = await single(`select count(*) as n from (${perCommand}) c where f <> t`);
  const doubled = await single(`select count(*) as n from (${perCommand}) c where f > 1 or t > 1`);
  const projected = await single(`select count(distinct index) as n from ${schema}.projected`);
  const projections = await single(`select count(*) as n from ${schema}.projected`);
  const holes = await single(
    `select count(*) as n from generate_series(1, ${COMMANDS}) i where not exists (select from ${schema}.events where position = i)`,
  );
  const dead = await single(`select count(*) as n from ${schema}.commands`);
  const lines = readFileSync(outside, "utf8").trimEnd().split("\n");
  const ids = new Map<string, Set<string>>();
  for (const [index, id] of lines.map((line) => line.split(" ") as [string, string]))
    ids.set(index, (ids.get(index) ?? new Set()).add(id));
  const duplicates = lines.length - ids.size;
  const foreignIds = [...ids.values()].filter((set) => set.size > 1).length;
  const afterOnce = await deliverOnce(db, lines);
  const summary =
    `lost ${lost}, half-done ${half}, doubled ${doubled}, projected ${projections}/${projected}, holes ${holes}, ` +
    `dead ${dead}; outside: ${ids.size} and ${duplicates} duplicates, ${afterOnce} after once`;
  const held =
    lost === 0 &&
    half === 0 &&
    doubled === 0 &&
    holes === 0 &&
    dead === 0 &&
    projected === COMMANDS &&
    projections === COMMANDS &&
    ids.size === COMMANDS &&
    foreignIds === 0 &&
    duplicates <= KILLS * CONCURRENCY &&
    afterOnce === COMMANDS;
  if (!held) throw new Error(summary);
  return summary;
}

/** Delivers what came out of the database to a receiver that knows ids. */
async function deliverOnce(db: Database, lines: readonly string[]): Promise<number> {
  let received = 0;
  const receiver = new CommandBus({
    middleware: [transactional(db, { once: (_, { envelope }) => envelope.meta.id })],
  });
  receiver.register(Transfer, () => void received++);
  for (const [index, id] of lines.map((line) => line.split(" ")))
    await receiver.dispatch(Envelope.of(new Transfer(Number(index)), { id: id! }));
  return received;
}

function startWorker(config: WorkerConfig): ChildProcess {
  return spawn(process.execPath, [program, JSON.stringify(config)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
}

async function endWorker(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

/** Tries until the database answers. */
async function insist<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch {
      await pause(20);
    }
  }
}
