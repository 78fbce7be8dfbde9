import { CommandBus, EventBus, Query, QueryBus } from "cqrx";
import { natsTransport } from "cqrx/nats";
import { CommandQueue, Database, EventStore, transactional, type Feed } from "cqrx/postgres";
import { Link } from "cqrx/transport";
import pg from "pg";
import {
  Book,
  Booked,
  COMMANDS,
  EVENTS,
  GiveUp,
  OpenAccount,
  Opened,
  RequestTransfer,
  TransferEnded,
  TransferRequested,
} from "./messages.js";

export class GetBalance extends Query<number> {
  constructor(readonly account: string) {
    super();
  }
}

/** One process of the bank: the same code serves requests and works in the background. */
export interface Bank {
  readonly db: Database;
  readonly commandBus: CommandBus;
  readonly queryBus: QueryBus;
  readonly queue: CommandQueue;
  readonly balances: Feed;
  close(): Promise<void>;
}

const TABLES = `
create table if not exists balances (account text primary key, amount int not null);
create table if not exists transfers (transfer text primary key, "from" text, "to" text, amount int, state text, timeout text)`;

/** What a receiver of the relay does with an event: the happy ones are left out. */
export function tell(print: (line: string) => void): (event: TransferEnded) => void {
  return ({ transfer, result }) => void (result === "completed" || print(`  ${transfer} ${result}`));
}

/**
 * @param url - the database
 * @param natsUrl - the NATS server that ended transfers are sent to; without it they are printed here
 */
export async function openBank(url: string, print: (line: string) => void, natsUrl?: string): Promise<Bank> {
  const pool = new pg.Pool({ connectionString: url, max: 10 });
  const db = new Database(pool, { schema: "bank" });
  await db.migrate();
  await db.query(TABLES);
  const queue = new CommandQueue(db);
  const events = new EventStore(db, { types: EVENTS });

  // A command writes one commit: events, state and further commands.
  const commandBus = new CommandBus({ middleware: [transactional(db)] });
  commandBus.register(OpenAccount, async ({ account, balance }, context) => {
    await events.append(account, new Opened(account, balance), { expectedVersion: 0, causedBy: context });
  });
  commandBus.register(RequestTransfer, async ({ transfer, from, to, amount }, context) => {
    await events.append(transfer, new TransferRequested(transfer, from, to, amount), { causedBy: context });
  });
  commandBus.register(Book, async ({ account, amount, transfer }, context) => {
    if (amount < 0) {
      const { state } = await events.load(
        account,
        (sum: number, event: Opened | Booked) => sum + event.amount,
        0,
      );
      // The row lock decides between this step and the timeout.
      const refused = state + amount < 0;
      const { rows } = await db.query(
        "update transfers set state = $2 where transfer = $1 and state = 'requested' returning 1",
        [transfer, refused ? "refused" : "paid"],
      );
      if (rows.length === 0) return; // timed out before
      if (refused)
        return void (await events.append(transfer, new TransferEnded(transfer, "refused"), {
          causedBy: context,
        }));
    }
    await events.append(account, new Booked(account, amount, transfer), { causedBy: context });
  });
  commandBus.register(GiveUp, async ({ transfer }, context) => {
    const { rows } = await db.query(
      "update transfers set state = 'timed out' where transfer = $1 and state = 'requested' returning 1",
      [transfer],
    );
    if (rows.length > 0)
      await events.append(transfer, new TransferEnded(transfer, "timed out"), { causedBy: context });
  });

  // The durable saga: its state, its timeout and its commands are in the commit of its checkpoint.
  const saga = new EventBus({ name: "transfers" });
  saga.register(TransferRequested, async ({ transfer, from, to, amount }, context) => {
    const timeout = await queue.enqueue(new GiveUp(transfer), { delayMs: 30_000, causedBy: context });
    await db.query(`insert into transfers values ($1, $2, $3, $4, 'requested', $5)`, [
      transfer,
      from,
      to,
      amount,
      timeout.meta.id,
    ]);
    await queue.enqueue(new Book(from, -amount, transfer), { causedBy: context });
  });
  saga.register(Booked, async ({ amount, transfer }, context) => {
    if (amount < 0) {
      const { rows } = await db.query(`select "to" from transfers where transfer = $1`, [transfer]);
      await queue.enqueue(new Book((rows[0] as { to: string }).to, -amount, transfer), { causedBy: context });
    } else {
      await db.query("update transfers set state = 'completed' where transfer = $1", [transfer]);
      await events.append(transfer, new TransferEnded(transfer, "completed"), { causedBy: context });
    }
  });
  saga.register(TransferEnded, async ({ transfer }) => {
    const { rows } = await db.query("select timeout from transfers where transfer = $1", [transfer]);
    await queue.cancel((rows[0] as { timeout: string }).timeout);
  });

  // A projection, and a live query on it.
  const projection = new EventBus({ name: "balances" });
  const add = ({ account, amount }: Opened | Booked): Promise<unknown> =>
    db.query(
      "insert into balances values ($1, $2) on conflict (account) do update set amount = balances.amount + excluded.amount",
      [account, amount],
    );
  projection.register(Opened, add);
  projection.register(Booked, add);

  // The relay of the outbox is a feed whose bus sends: over NATS to other processes, else to the terminal.
  const relay = new EventBus({ name: "relay" });
  const link =
    natsUrl === undefined ? undefined : new Link(await natsTransport({ servers: natsUrl, prefix: "bank" }));
  if (link === undefined) relay.register(TransferEnded, tell(print));
  else link.route(relay, [TransferEnded]);

  const balances = events.feed("balances", projection);
  const closeables = [
    balances,
    events.feed("transfers", saga),
    events.feed("relay", relay),
    queue.work(commandBus, { types: COMMANDS, leaseMs: 2_000 }),
  ];
  const queryBus = new QueryBus();
  queryBus.register(
    GetBalance,
    async ({ account }) => {
      const { rows } = await db.query("select amount from balances where account = $1", [account]);
      return (rows[0] as { amount: number } | undefined)?.amount ?? 0;
    },
    { refreshOn: balances.committed$ },
  );
  return {
    db,
    commandBus,
    queryBus,
    queue,
    balances,
    async close() {
      for (const each of closeables) await each.close();
      await link?.close();
      await pool.end();
    },
  };
}
