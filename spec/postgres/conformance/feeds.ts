import { afterEach, describe, expect, it } from "@jest/globals";
import { around, EventBus, InvalidOptionsError, type Fault } from "cqrx";
import {
  CommandQueue,
  Database,
  EventStore,
  NotCaughtUpError,
  type Feed,
  type FeedOptions,
} from "cqrx/postgres";
import type { TestServer } from "../support/servers.js";
import { CountingPool, gate, notes, PausingPool, suiteOn, until, untilAsleep } from "../support/suite.js";

class Noted {
  constructor(readonly text: string) {}
}
class Ignored {
  constructor(readonly index: number) {}
}

let names = 0;

export function feedsConformance(server: TestServer): void {
  const suite = suiteOn(server);
  const types = [Noted, Ignored];
  const feeds: Feed[] = [];
  afterEach(async () => {
    for (const feed of feeds.splice(0)) await feed.close();
  });

  interface Open {
    readonly feed: Feed;
    readonly handled: string[];
    readonly faults: Fault[];
    readonly name: string;
  }

  /** A feed whose projection writes each event as a note, in a process of its own. */
  function open({
    name = `feed ${++names}`,
    db = suite.another(),
    handle,
    ...options
  }: FeedOptions & {
    name?: string;
    db?: Database;
    handle?: (event: Noted, attempt: number) => unknown;
  } = {}): Open {
    const eventBus = new EventBus();
    const handled: string[] = [];
    const faults: Fault[] = [];
    eventBus.register(Noted, async (event, { attempt }) => {
      handled.push(event.text);
      await db.query(`insert into ${suite.schema}.notes (text) values ($1)`, [`${name}: ${event.text}`]);
      await handle?.(event, attempt);
    });
    const feed = new EventStore(db, { types }).feed(name, eventBus, { pollMs: 20, ...options });
    feed.faults$.subscribe((fault) => faults.push(fault));
    feeds.push(feed);
    return { feed, handled, faults, name };
  }
  /** Waits longer than the default, because a loaded machine takes more than 5 seconds. */
  const caughtUp = (feed: Feed, appended: Parameters<Feed["caughtUp"]>[0]): Promise<void> =>
    feed.caughtUp(appended, { timeoutMs: 100_000 });
  const events = (): EventStore => new EventStore(suite.db, { types });
  const written = async (name: string): Promise<string[]> =>
    (await notes(suite.pool, suite.schema))
      .filter((text) => text.startsWith(`${name}: `))
      .map((text) => text.slice(name.length + 2));
  const checkpoint = async (name: string): Promise<number> => {
    const { rows } = await suite.pool.query<{ position: string }>(
      `select position from ${suite.schema}.checkpoints where name = $1`,
      [name],
    );
    return Number(rows[0]?.position ?? -1);
  };
  /** Starts at the end of the log. */
  const at = async (name: string): Promise<string> => {
    await suite.pool.query(
      `insert into ${suite.schema}.checkpoints select $1, position from ${suite.schema}.checkpoints where name = '$log'`,
      [name],
    );
    return name;
  };
  const fresh = async (): Promise<string> => {
    const { feed } = open({ name: "placing", types: [Ignored] });
    const appended = await events().publish(new Ignored(0));
    await caughtUp(feed, appended);
    return at(`feed ${++names}`);
  };

  describe("a feed", () => {
    it("refuses wrong arguments by name", () => {
      const eventBus = new EventBus();
      expect(() => events().feed("$log", eventBus)).toThrow("name must be");
      expect(() => events().feed("x", {} as never)).toThrow("eventBus must be an EventBus");
      expect(() => events().feed("x", eventBus, { poison: "drop" as never })).toThrow(InvalidOptionsError);
      expect(() => events().feed("x", eventBus, { retry: { times: 1 } as never })).toThrow("retry.times");
      class Unknown {}
      expect(() => events().feed("x", eventBus, { types: [Unknown] })).toThrow("Unknown is not listed");
    });

    it("publishes the log on a bus in order, with the checkpoint in the commit of the projection", async () => {
      const name = await fresh();
      const { feed, handled } = open({ name });
      const committed: number[] = [];
      feed.committed$.subscribe((position) => committed.push(position));
      await events().append("s", [new Noted("1"), new Noted("2")]);
      const appended = await events().publish(new Noted("3"));
      await caughtUp(feed, appended);
      expect(handled).toEqual(["1", "2", "3"]);
      expect(await written(name)).toEqual(["1", "2", "3"]);
      await until(async () => committed.at(-1) === (await checkpoint(name)));
      expect(committed).toEqual([...committed].sort((a, b) => a - b));
    });

    it("takes a batch size that has no end", async () => {
      const { handled, faults } = open({ batchSize: Infinity });
      await new EventStore(suite.another(), { types }).publish(new Noted("endless batch"));
      await until(() => handled.includes("endless batch"));
      expect(faults).toEqual([]);
    });

    it("goes on where it was, under its name", async () => {
      const name = await fresh();
      const first = open({ name });
      await caughtUp(first.feed, await events().publish(new Noted("1")));
      await first.feed.close();
      expect(first.feed.state$.value).toBe("stopped");
      const appended = await events().publish(new Noted("2"));
      const second = open({ name });
      await caughtUp(second.feed, appended);
      expect(second.handled).toEqual(["2"]);
    });

    it("keeps the good events before one that fails, tries that one alone, and goes on when it succeeds", async () => {
      const name = await fresh();
      const attempts: number[] = [];
      const { feed, faults } = open({
        name,
        retry: { delayMs: 1 },
        handle: ({ text }, attempt) => {
          if (text !== "3") return;
          attempts.push(attempt);
          if (attempts.length < 4) throw new Error("not yet");
        },
      });
      const appended = await events().publish(["1", "2", "3", "4"].map((text) => new Noted(text)));
      await caughtUp(feed, appended);
      expect(await written(name)).toEqual(["1", "2", "3", "4"]);
      expect(attempts).toEqual([1, 1, 2, 3]);
      expect(faults).toMatchObject([
        { kind: "durable", source: `feed ${name}`, error: { message: "not yet" } },
      ]);
      expect(feed.state$.value).toBe("running");
    });

    it("stops visibly at an event that keeps failing, and keeps what was before it", async () => {
      const name = await fresh();
      const states: string[] = [];
      const { feed, faults } = open({
        name,
        retry: { count: 1, delayMs: 1 },
        handle: ({ text }) => {
          if (text === "bad") throw new Error("poison");
        },
      });
      feed.state$.subscribe((state) => states.push(state));
      const appended = await events().publish([new Noted("good"), new Noted("bad"), new Noted("after")]);
      await until(() => feed.state$.value === "stopped");
      expect(states).toEqual(["running", "stopped"]);
      expect(await written(name)).toEqual(["good"]);
      expect(faults.map(({ error }) => (error as Error).message)).toEqual(["poison", "poison"]);
      await expect(feed.caughtUp(appended)).rejects.toThrow("has stopped");
      const mended = open({ name });
      await caughtUp(mended.feed, appended);
      expect(await written(name)).toEqual(["after", "bad", "good"]);
    });

    it("skips an event that keeps failing if told to, keeps it, and publishes it again on request", async () => {
      const name = await fresh();
      let fails = true;
      const { feed, faults } = open({
        name,
        poison: "skip",
        retry: { count: 0 },
        handle: ({ text }) => {
          if (text === "bad" && fails) throw new Error("poison");
        },
      });
      const appended = await events().publish([new Noted("1"), new Noted("bad"), new Noted("2")]);
      await caughtUp(feed, appended);
      expect(await written(name)).toEqual(["1", "2"]);
      expect(faults).toHaveLength(1);
      const [skipped, ...others] = await feed.skipped();
      expect(others).toEqual([]);
      expect(skipped).toMatchObject({ error: "Error: poison", envelope: { payload: { text: "bad" } } });
      expect(skipped!.skippedAt).toBeInstanceOf(Date);
      await expect(feed.retry(skipped!.position)).rejects.toThrow("poison");
      fails = false;
      expect(await feed.retry(skipped!.position)).toBe(true);
      expect(await feed.retry(skipped!.position)).toBe(false);
      expect(await written(name)).toEqual(["1", "2", "bad"]);
      expect(await feed.skipped()).toEqual([]);
    });

    it("gives an event up at once that cannot be read", async () => {
      const name = await fresh();
      const { feed, faults } = open({ name, poison: "skip" });
      await suite.pool.query(
        `insert into ${suite.schema}.events (message_id, name, envelope) values ('broken', 'Noted', '{"meta":{"name":"Noted","version":9},"payload":{}}')`,
      );
      await caughtUp(feed, await events().publish(new Noted("canary")));
      expect(await written(name)).toEqual(["canary"]);
      expect(faults).toMatchObject([{ error: { code: "INVALID_MESSAGE" } }]);
    });

    it("finds the event whose handler caught the error of a statement", async () => {
      const name = await fresh();
      const db = suite.another();
      const { feed, faults } = open({
        name,
        db,
        poison: "skip",
        retry: { count: 0 },
        handle: ({ text }) => (text === "bad" ? db.query("select 1 / 0").catch(() => undefined) : undefined),
      });
      const appended = await events().publish(["1", "bad", "2", "3"].map((text) => new Noted(text)));
      await caughtUp(feed, appended);
      expect(await written(name)).toEqual(["1", "2", "3"]);
      expect(faults).toMatchObject([
        { error: { code: "TRANSACTION_ENDED", cause: { message: "division by zero" } } },
      ]);
    });

    it("is run by one process at a time; another takes over when that one ends", async () => {
      const name = await fresh();
      const { passed, open: release } = gate();
      const first = open({ name, handle: () => passed });
      const appended = await events().publish(new Noted("1"));
      await until(() => first.handled.length === 1);
      const second = open({ name });
      const waiting = caughtUp(second.feed, appended);
      // The standby looks while the other holds the checkpoint.
      const more = await events().publish(new Noted("2"));
      expect(second.handled).toEqual([]);
      release();
      await waiting;
      await first.feed.close();
      await caughtUp(second.feed, more);
      await caughtUp(second.feed, await events().publish(new Noted("3")));
      expect([...first.handled, ...second.handled]).toEqual(["1", "2", "3"]);
      expect(await written(name)).toEqual(["1", "2", "3"]);
    });

    it("is taken over when the connection of the process that runs it is cut, whose work is rolled back", async () => {
      const name = await fresh();
      const { passed, open: release } = gate();
      const pool = await server.pool({ application_name: `cut ${suite.schema}` });
      const first = open({ name, db: new Database(pool, { schema: suite.schema }), handle: () => passed });
      const appended = await events().publish([new Noted("1"), new Noted("2")]);
      await until(() => first.handled.length === 1);
      await suite.pool.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1",
        [`cut ${suite.schema}`],
      );
      const second = open({ name });
      await caughtUp(second.feed, appended);
      release();
      await caughtUp(first.feed, await events().publish(new Noted("3")));
      expect(await written(name)).toEqual(["1", "2", "3"]);
      expect(first.feed.state$.value).toBe("running");
      await first.feed.close();
      await pool.end();
    });

    it("never takes its checkpoint back, if it was frozen between looking and locking", async () => {
      const name = await fresh();
      const { passed, open: thaw } = gate();
      const pausing = new PausingPool(suite.pool, (text) =>
        text.includes("skip locked") ? passed : undefined,
      );
      const first = await events().publish(new Noted("1"));
      const frozen = open({ name, db: new Database(pausing, { schema: suite.schema }) });
      await until(() => pausing.paused > 0);
      const other = open({ name });
      await caughtUp(other.feed, first);
      await caughtUp(other.feed, await events().publish([new Noted("2"), new Noted("3")]));
      const before = await checkpoint(name);
      await other.feed.close();
      thaw();
      await until(() => pausing.paused === 0);
      const canary = await events().publish(new Noted("4"));
      await caughtUp(frozen.feed, canary);
      expect(await checkpoint(name)).toBeGreaterThan(before);
      expect(frozen.handled).toEqual(["4"]);
      expect(await written(name)).toEqual(["1", "2", "3", "4"]);
    });

    it("waits for events in caughtUp, in time, in whichever process, and not in the transaction that appends", async () => {
      const name = await fresh();
      const appended = await events().publish(new Noted("1"));
      const eventBus = new EventBus({ middleware: [around(() => new Promise(() => undefined))] });
      const stuck = new EventStore(suite.another(), { types }).feed(name, eventBus, { pollMs: 5 });
      const faults: Fault[] = [];
      stuck.faults$.subscribe((fault) => faults.push(fault));
      const late = stuck.caughtUp(appended, { timeoutMs: 1 });
      await expect(late).rejects.toThrow(NotCaughtUpError);
      await expect(late).rejects.toMatchObject({ code: "NOT_CAUGHT_UP", feed: name });
      await suite.db.transaction(async () => {
        const { feed } = open({ db: suite.db });
        await expect(feed.caughtUp(await events().publish(new Noted("2")))).rejects.toThrow(
          "after the commit",
        );
      });
      await eventBus.close({ timeoutMs: 0 });
      await until(() => stuck.state$.value === "stopped");
      expect(faults).toMatchObject([{ error: { code: "BUS_CLOSED" } }]);
      await stuck.close();
    });

    it("passes over events of other types by its checkpoint, and does not read them again", async () => {
      const name = await fresh();
      const counting = new CountingPool(suite.pool);
      const { feed } = open({
        name,
        types: [Noted],
        pollMs: 1,
        db: new Database(counting, { schema: suite.schema }),
      });
      await caughtUp(feed, await events().publish(new Noted("before")));
      // Fewer on the server that each `npm test` uses.
      const count = server.name === "debian" ? 1_000_000 : 3_000;
      const { rows } = await suite.pool.query<{ head: string }>(
        `with placed as (
  insert into ${suite.schema}.events (position, message_id, name, envelope)
  select c.position + i, 'foreign ' || i, 'Foreign', '{}' from ${suite.schema}.checkpoints c, generate_series(1, ${count}) i
  where c.name = '$log'
)
update ${suite.schema}.checkpoints set position = position + ${count} where name = '$log' returning position as head`,
      );
      await until(async () => (await checkpoint(name)) === Number(rows[0]!.head));
      counting.statements.length = 0;
      await until(() => counting.statements.length >= 20);
      expect(counting.statements.filter((text) => text.includes("lateral"))).toEqual([]);
    });

    it("reads a batch by the index, however many events wait behind it", async () => {
      const name = await fresh();
      const counting = new CountingPool(suite.pool);
      const { feed } = open({ name, db: new Database(counting, { schema: suite.schema }) });
      await caughtUp(feed, await events().publish(Array.from({ length: 300 }, () => new Noted("waits"))));
      const page = counting.statements.find((text) => text.includes("lateral"))!;
      const plan = await suite.db.transaction(async (sql) => {
        // What is left is what cannot be avoided: the sort of the rows of the batch, above the limit.
        await sql.query(
          "set local enable_seqscan = off; set local enable_bitmapscan = off; set local enable_sort = off",
        );
        const { rows } = await sql.query(`explain ${page}`, [1_000_000, "{Noted,Ignored}", 100, name]);
        return (rows as { "QUERY PLAN": string }[]).map((row) => row["QUERY PLAN"]).join("\n");
      });
      expect(plan).toMatch(/Limit.*\n *-> +Index Scan using events_position/);
    });

    it("runs one statement per poll while idle", async () => {
      const name = await fresh();
      const counting = new CountingPool(suite.pool);
      open({ name, pollMs: 1, db: new Database(counting, { schema: suite.schema }) });
      await until(() => counting.statements.length >= 40);
      expect(new Set(counting.statements.slice(20)).size).toBe(1);
    });

    it("does not wake itself by what it commits", async () => {
      const name = await fresh();
      const counting = new CountingPool(suite.pool);
      const db = new Database(counting, { schema: suite.schema });
      const { handled } = open({ name, pollMs: 1_000_000, db });
      await untilAsleep(counting, suite.pool);
      await new EventStore(db, { types }).publish(new Noted("own"));
      await until(() => handled.length === 1);
      await untilAsleep(counting, suite.pool);
    });

    it("is awake at once when this process appends, within a handler of its own too", async () => {
      const name = await fresh();
      const db = suite.another();
      const own = new EventStore(db, { types });
      const { feed, handled } = open({
        name,
        db,
        pollMs: 1_000_000,
        handle: ({ text }) => (text.length < 5 ? own.publish(new Noted(`${text}+`)) : undefined),
      });
      await until(() => checkpoint(name).then((position) => position >= 0));
      await own.publish(new Noted("1"));
      await until(() => handled.length === 5);
      expect(handled).toEqual(["1", "1+", "1++", "1+++", "1++++"]);
      await feed.close();
    });

    it("is a durable saga: commands that its handlers enqueue are in the commit of the checkpoint", async () => {
      const name = await fresh();
      const db = suite.another();
      const queue = new CommandQueue(db);
      let failures = 2;
      const { feed } = open({
        name,
        db,
        retry: { delayMs: 1 },
        handle: async ({ text }) => {
          await queue.enqueue(new Ignored(Number(text)));
          if (failures-- > 0) throw new Error("after the command");
        },
      });
      await caughtUp(feed, await events().publish(new Noted("7")));
      const { rows } = await suite.pool.query(`select name from ${suite.schema}.commands`);
      expect(rows).toEqual([{ name: "Ignored" }]);
    });

    it("survives a database that cannot be reached, reports that once, and counts it against no event", async () => {
      const name = await fresh();
      let broken = false;
      let refused = 0;
      const db = new Database(
        {
          connect: () =>
            broken
              ? (refused++, Promise.reject(Object.assign(new Error("down"), { code: "ECONNREFUSED" })))
              : suite.pool.connect(),
        },
        { schema: suite.schema },
      );
      const { feed, faults, handled } = open({ name, db, pollMs: 1, retry: { count: 0 } });
      await caughtUp(feed, await events().publish(new Noted("1")));
      broken = true;
      await until(() => refused > 20);
      broken = false;
      await caughtUp(feed, await events().publish(new Noted("2")));
      expect(handled).toEqual(["1", "2"]);
      expect(faults).toMatchObject([{ error: { message: "down" } }]);
    });
  });
}
