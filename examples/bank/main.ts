// A bank whose ledger adds up, whatever is killed. Run: npm run example bank
// Starts PostgreSQL from npm, or uses a database at DATABASE_URL; ends by itself. Sends what the outbox holds over NATS, if
// NATS_URL names a server (nats://localhost:4222).
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createRequire } from "node:module";
import { setTimeout as pause } from "node:timers/promises";
import { EventBus } from "cqrx";
import { sendEvents } from "cqrx/http";
import { natsTransport } from "cqrx/nats";
import { Link } from "cqrx/transport";
import { PostgresServer } from "../support/postgres-server.js";
import { GetBalance, openBank, tell, type Bank } from "./bank.js";
import { OpenAccount, RequestTransfer, TransferEnded } from "./messages.js";

const ACCOUNTS = ["ada", "bob", "cyd", "dan"];

const server =
  process.env["DATABASE_URL"] === undefined ? await PostgresServer.start({ fsync: true }) : undefined;
const url = process.env["DATABASE_URL"] ?? `${server!.url}`;
const schema = "bank";
const natsUrl = process.env["NATS_URL"];
const bank = await openBank(withSchema(url), console.log, natsUrl);
const branch = natsUrl === undefined ? undefined : await openBranch(natsUrl);
const run = Date.now().toString(36);
try {
  console.log("Act 1: four accounts with 100 each, 40 transfers, and a balance that is live over HTTP");
  const named = (account: string): string => `${account}-${run}`;
  for (const account of ACCOUNTS) await bank.commandBus.dispatch(new OpenAccount(named(account), 100));
  const live = await watch(bank, named("ada"));
  await transfer("a", 40, named);
  await settled("a");
  console.log(`  GET /balance/ada/live sent ${live.stop()} values`);
  await ledger(named);

  console.log("Act 2: 100 transfers; a worker process is killed in the middle, twice");
  let worker = startWorker();
  await transfer("b", 100, named);
  for (let kills = 0; kills < 2; kills++) {
    const before = await ended("b");
    while ((await ended("b")) < Math.min(100, before + 15)) await pause(20);
    worker.kill("SIGKILL");
    await once(worker, "exit");
    console.log(`  killed a worker after ${await ended("b")} transfers`);
    worker = startWorker();
  }
  await settled("b");
  worker.kill("SIGKILL");
  await ledger(named);
} finally {
  await bank.close();
  await branch?.close();
  await server?.stop();
}

async function transfer(act: string, count: number, named: (account: string) => string): Promise<void> {
  for (let index = 0; index < count; index++) {
    const [from, to] = [ACCOUNTS[index % 4]!, ACCOUNTS[(index + 1 + (index % 3)) % 4]!];
    await bank.queue.enqueue(
      new RequestTransfer(`${act}${index}-${run}`, named(from), named(to), 5 + (index % 7) * 9),
    );
  }
}

async function ended(act: string): Promise<number> {
  const { rows } = await bank.db.query(
    `select count(*)::int as n from transfers where transfer like $1 and state in ('completed', 'refused', 'timed out')`,
    [`${act}%-${run}`],
  );
  return (rows[0] as { n: number }).n;
}

async function settled(act: string): Promise<void> {
  const wanted = act === "a" ? 40 : 100;
  while ((await ended(act)) < wanted) await pause(20);
}

/** The sum of all balances must be what was paid in, and each balance what the events of the account add up to. */
async function ledger(named: (account: string) => string): Promise<void> {
  for (;;) {
    const { rows } = await bank.db.query(
      `select b.account, b.amount, sum((e.envelope->'payload'->>'amount')::int)::int as booked
from balances b join ${schema}.events e on e.stream = b.account where b.account like $1 group by 1, 2 order by 1`,
      [`%-${run}`],
    );
    const list = rows as { account: string; amount: number; booked: number }[];
    // The projection may be a moment behind the last event.
    if (list.length < ACCOUNTS.length || list.some(({ amount, booked }) => amount !== booked)) {
      await pause(20);
      continue;
    }
    const sum = list.reduce((total, { amount }) => total + amount, 0);
    console.log(
      `  ledger: ${list.map(({ account, amount }) => `${account.split("-")[0]} ${amount}`).join(", ")}; sum ${sum}`,
    );
    if (sum !== 400 || list.some(({ amount }) => amount < 0) || list.length !== ACCOUNTS.map(named).length)
      throw new Error("The ledger does not add up.");
    return;
  }
}

/** Another application, which hears of ended transfers over NATS. */
async function openBranch(servers: string): Promise<Link> {
  const link = new Link(await natsTransport({ servers, prefix: "bank" }));
  const eventBus = new EventBus({ name: "branch" });
  eventBus.register(
    TransferEnded,
    tell((line) => console.log(`${line}, the branch was told over NATS`)),
  );
  await link.serve(eventBus, [TransferEnded], { group: "branch" });
  return link;
}

/** Serves the live balance, and reads it as a browser would. */
async function watch({ queryBus }: Bank, account: string): Promise<{ stop(): number }> {
  const http = createServer((request, response) => {
    const [, id] = /^\/balance\/([^/]+)\/live$/.exec(request.url ?? "") ?? [];
    if (id === undefined) response.writeHead(404).end();
    else sendEvents(queryBus.watch(new GetBalance(id)), request, response);
  }).listen(0, "127.0.0.1");
  await once(http, "listening");
  const abort = new AbortController();
  const { port } = http.address() as AddressInfo;
  const { body } = await fetch(`http://127.0.0.1:${port}/balance/${account}/live`, { signal: abort.signal });
  let values = 0;
  const read = async (): Promise<void> => {
    for await (const text of body!.pipeThrough(new TextDecoderStream()))
      values += text.split("data: ").length - 1;
  };
  read().catch(() => undefined);
  return {
    stop() {
      abort.abort();
      http.close();
      http.closeAllConnections();
      return values;
    },
  };
}

function startWorker(): ChildProcess {
  const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const program = ["--import", tsx, join(import.meta.dirname, "worker.ts")];
  return spawn(process.execPath, [...program, withSchema(url), ...(natsUrl === undefined ? [] : [natsUrl])], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
  });
}

/** The tables of the bank are in its schema, too. */
function withSchema(address: string): string {
  return `${address}${address.includes("?") ? "&" : "?"}options=-c%20search_path%3D${schema}`;
}
