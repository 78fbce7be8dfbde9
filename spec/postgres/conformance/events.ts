import { describe, expect, it } from "@jest/globals";
import { CommandBus, Envelope, InvalidMessageError, InvalidOptionsError } from "cqrx";
import { ConcurrencyError, EventStore, type StoredEvent } from "cqrx/postgres";
import { lastValueFrom, map, take, toArray, type Observable } from "rxjs";
import type { TestServer } from "../support/servers.js";
import { CountingPool, gate, suiteOn, until } from "../support/suite.js";
import { Database } from "cqrx/postgres";

class Deposited {
  constructor(readonly amount: number) {}
}
class BigDeposited extends Deposited {}
class Remarked {
  static readonly messageName = "accounts.remarked";
  static readonly version: number = 2;
  constructor(readonly remark: string) {}
  static upcast(payload: { text: string }): object {
    return { remark: payload.text };
  }
}

const all = <T>(values$: Observable<T>): Promise<T[]> =>
  lastValueFrom(values$.pipe(toArray()), { defaultValue: [] });

export function eventsConformance(server: TestServer): void {
  const suite = suiteOn(server);
  const types = [Deposited, Remarked];
  const store = (): EventStore => new EventStore(suite.db, { types });
  const streamOf = async (events: EventStore, stream: string): Promise<(readonly [number, unknown])[]> =>
    all(events.read(stream).pipe(map(({ version, envelope }) => [version!, envelope.payload] as const)));
  const head = async (): Promise<number> => {
    const { rows } = await suite.pool.query(
      `select position::int as head from ${suite.schema}.checkpoints where name = '$log'`,
    );
    return rows[0].head as number;
  };
  /** Places all that is committed, and returns what was placed after a position. */
  const logAfter = async (after: number, count: number): Promise<StoredEvent[]> =>
    count === 0 ? [] : all(store().log$({ after, pollMs: 5 }).pipe(take(count)));
  const insertNote = `insert into ${suite.schema}.notes values ('x')`;

  describe("EventStore", () => {
    it("refuses wrong options, and two classes of one name", () => {
      const twin = class Deposited {};
      expect(() => new EventStore(suite.db, { types: [Deposited, twin] })).toThrow(
        "two classes are named Deposited",
      );
      expect(() => new EventStore(suite.db, { types: [] })).toThrow("types is empty");
      expect(() => new EventStore({} as never, { types })).toThrow(InvalidOptionsError);
      expect(() => store().read("")).toThrow("stream must be");
      expect(() => store().log$({ pollMs: 0 })).toThrow("pollMs must be");
    });

    it("refuses an event of a class that is not listed, a subclass of a listed one too, and writes nothing", async () => {
      const events = store();
      await expect(events.append("refused", [new Deposited(1), new BigDeposited(2)])).rejects.toThrow(
        "BigDeposited is not listed in the types of EventStore",
      );
      await expect(events.publish(new BigDeposited(1))).rejects.toThrow(InvalidMessageError);
      expect(await streamOf(events, "refused")).toEqual([]);
    });

    it("appends to a stream, and reads and loads it", async () => {
      const events = store();
      const { version, envelopes } = await events.append("s1", new Deposited(1), {
        expectedVersion: 0,
        headers: { a: "b" },
      });
      expect(version).toBe(1);
      const more = await events.append("s1", [new Deposited(2), new Deposited(3)], {
        causedBy: envelopes[0]!,
      });
      expect(more).toMatchObject({ stream: "s1", version: 3 });
      expect(more.envelopes[0]!.meta.causationId).toBe(envelopes[0]!.meta.id);
      expect(await streamOf(events, "s1")).toEqual([
        [1, new Deposited(1)],
        [2, new Deposited(2)],
        [3, new Deposited(3)],
      ]);
      expect(await all(events.read("s1", { after: 1 }))).toHaveLength(2);
      const sum = (state: number, { amount }: Deposited): number => state + amount;
      expect(await events.load("s1", sum, 0)).toEqual({ state: 6, version: 3 });
      expect(await events.load("none", sum, 0)).toEqual({ state: 0, version: 0 });
      expect(await events.append("s1", [])).toMatchObject({ version: 3, envelopes: [] });
    });

    it("appends only at the expected version", async () => {
      const events = store();
      await events.append("s2", new Deposited(1));
      const wrong = events.append("s2", [new Deposited(2), new Deposited(3)], { expectedVersion: 0 });
      await expect(wrong).rejects.toThrow(ConcurrencyError);
      await expect(wrong).rejects.toMatchObject({
        code: "CONCURRENCY",
        stream: "s2",
        expectedVersion: 0,
        actualVersion: 1,
      });
      await expect(events.append("s2", new Deposited(2), { expectedVersion: 5 })).rejects.toMatchObject({
        actualVersion: 1,
      });
      expect((await events.append("s2", new Deposited(2), { expectedVersion: 1 })).version).toBe(2);
    });

    it("lets one of many win that expect the same version, and all of those that expect none", async () => {
      const events = store();
      const raced = await Promise.allSettled(
        Array.from({ length: 10 }, (_, index) =>
          events.append("race", [new Deposited(index), new Deposited(index)], { expectedVersion: 0 }),
        ),
      );
      const lost = raced.filter((result) => result.status === "rejected");
      expect(lost).toHaveLength(9);
      for (const { reason } of lost) expect(reason).toBeInstanceOf(ConcurrencyError);
      await Promise.all(
        Array.from({ length: 10 }, (_, index) =>
          events.append("race", [new Deposited(index), new Deposited(index)]),
        ),
      );
      const versions = (await streamOf(events, "race")).map(([version]) => version);
      expect(versions).toEqual(Array.from({ length: 22 }, (_, index) => index + 1));
    });

    it("lets a transaction go on after a ConcurrencyError: load, decide again, append again", async () => {
      const events = store();
      await suite.db.transaction(async () => {
        await events.append("s3", new Deposited(1));
        await expect(events.append("s3", new Deposited(2), { expectedVersion: 0 })).rejects.toThrow(
          ConcurrencyError,
        );
        await events.append("s3", new Deposited(2), { expectedVersion: 1 });
      });
      expect(await streamOf(events, "s3")).toHaveLength(2);
    });

    it("writes nothing of a transaction that is rolled back", async () => {
      const events = store();
      const rolledBack = suite.db.transaction(async () => {
        await events.append("s4", new Deposited(1));
        expect(await streamOf(events, "s4")).toHaveLength(1);
        throw new Error("no");
      });
      await expect(rolledBack).rejects.toThrow("no");
      expect(await streamOf(events, "s4")).toEqual([]);
    });

    it("keeps NUL, lone surrogates and values that JSON does not have", async () => {
      const events = store();
      const remark = "a\0b\ud800c\u2028";
      await events.append("s5", [new Remarked(remark), new Deposited(NaN)]);
      expect(await streamOf(events, "s5")).toEqual([
        [1, new Remarked(remark)],
        [2, new Deposited(NaN)],
      ]);
    });

    it("lifts events of an older version", async () => {
      const old = { meta: { name: "accounts.remarked", version: 1 }, payload: { text: "old" } };
      await suite.pool.query(
        `insert into ${suite.schema}.events (stream, version, message_id, name, envelope) values ('old', 1, 'old-1', 'accounts.remarked', $1)`,
        [JSON.stringify(old)],
      );
      expect(await streamOf(store(), "old")).toEqual([[1, new Remarked("old")]]);
    });

    it("names a stored class that is not listed", async () => {
      await store().append("s6", new Remarked("x"));
      const without = new EventStore(suite.db, { types: [Deposited] });
      await expect(without.load("s6", (state) => state, 0)).rejects.toThrow(
        "accounts.remarked is stored and not listed",
      );
      await expect(all(without.read("s6"))).rejects.toThrow("list its class");
    });

    it("reads streams of more than a page", async () => {
      const events = store();
      await events.append(
        "long",
        Array.from({ length: 2_500 }, (_, index) => new Deposited(index + 1)),
      );
      expect((await events.load("long", (sum: number, { amount }: Deposited) => sum + amount, 0)).state).toBe(
        3_126_250,
      );
      expect(await all(events.read("long"))).toHaveLength(2_500);
      expect((await all(events.read("long").pipe(take(1))))[0]).toMatchObject({ version: 1 });
    });

    it("publishes an event once by its id, in the transaction of a command", async () => {
      const events = store();
      const envelope = Envelope.of(new Deposited(1), { id: "published-once" });
      await events.publish(envelope);
      await events.publish([envelope, envelope]);
      const { rows } = await suite.pool.query(
        `select stream, version from ${suite.schema}.events where message_id = 'published-once'`,
      );
      expect(rows).toEqual([{ stream: null, version: null }]);
      const commandBus = new CommandBus();
      commandBus.register(Remarked, (_, context) => events.publish(new Deposited(1), { causedBy: context }));
      await commandBus.dispatch(new Remarked("x"));
    });
  });

  describe("the log", () => {
    it("emits what was committed, in order without holes, and goes on", async () => {
      const events = store();
      await events.publish(new Deposited(0));
      const from = (await logAfter(0, 1), await head());
      const seen: StoredEvent[] = [];
      const subscription = events.log$({ after: from }).subscribe((event) => seen.push(event));
      await events.append("live", [new Deposited(1), new Remarked("r")]);
      await until(() => seen.length === 2);
      await events.publish(new Deposited(3));
      await until(() => seen.length === 3);
      subscription.unsubscribe();
      expect(seen.map(({ position }) => position)).toEqual([from + 1, from + 2, from + 3]);
      expect(seen.map(({ stream }) => stream)).toEqual(["live", "live", undefined]);
      expect(seen[1]!.envelope.payload).toEqual(new Remarked("r"));
    });

    it("shows a transaction that commits late after those that committed before it", async () => {
      const events = store();
      const from = await head();
      const { passed, open } = gate();
      let inserted = false;
      const late = suite.another();
      const slow = late.transaction(async () => {
        await new EventStore(late, { types }).append("late", new Deposited(1));
        inserted = true;
        await passed;
      });
      await until(() => inserted);
      await events.append("early", new Deposited(2));
      expect((await logAfter(from, 1)).map(({ stream }) => stream)).toEqual(["early"]);
      open();
      await slow;
      expect((await logAfter(from, 2)).map(({ stream, position }) => [stream, position! - from])).toEqual([
        ["early", 1],
        ["late", 2],
      ]);
    });

    it("is not held up by a long transaction of others, in another database either", async () => {
      const from = await head();
      const client = await suite.pool.connect();
      await client.query("begin");
      await client.query(insertNote);
      const other = await server.pool({ database: "template1", max: 1 });
      const foreign = await other.connect();
      await foreign.query("begin");
      await foreign.query("select pg_current_xact_id()");
      await store().append("free", new Deposited(1));
      expect((await logAfter(from, 1)).map(({ stream }) => stream)).toEqual(["free"]);
      for (const held of [client, foreign]) {
        await held.query("rollback");
        held.release();
      }
      await other.end();
    });

    it("keeps the order of a stream when an older transaction appends after a newer one", async () => {
      const from = await head();
      const older = await suite.pool.connect();
      await older.query("begin");
      await older.query("select pg_current_xact_id()");
      await store().append("aged", new Deposited(1));
      await suite.db.using(older, () => store().append("aged", new Deposited(2)));
      await older.query("commit");
      older.release();
      expect((await logAfter(from, 2)).map(({ version }) => version)).toEqual([1, 2]);
    });

    it("has no holes where transactions were rolled back", async () => {
      const from = await head();
      for (let index = 0; index < 4; index++) {
        await store().append("holes", new Deposited(index));
        await suite.db
          .transaction(async () => {
            await store().append("holes", new Deposited(-1));
            throw new Error("back");
          })
          .catch(() => undefined);
      }
      expect((await logAfter(from, 4)).map(({ position }) => position! - from)).toEqual([1, 2, 3, 4]);
    });

    it("is read in order by a reader that follows 50 writers, beside another that places", async () => {
      const from = await head();
      const seen: StoredEvent[] = [];
      const readers = [store(), new EventStore(suite.another(), { types })].map((events, index) =>
        events.log$({ after: from, pollMs: 5 }).subscribe((event) => void (index === 0 && seen.push(event))),
      );
      await Promise.all(
        Array.from({ length: 50 }, async (_, writer) => {
          const events = store();
          for (let index = 0; index < 4; index++)
            await events.append(`w${writer % 10}`, [new Deposited(writer), new Deposited(index)]);
        }),
      );
      await until(() => seen.length >= 400);
      for (const reader of readers) reader.unsubscribe();
      expect(seen.map(({ position }) => position! - from)).toEqual(
        Array.from({ length: 400 }, (_, index) => index + 1),
      );
      for (let stream = 0; stream < 10; stream++) {
        const versions = seen.filter((event) => event.stream === `w${stream}`).map(({ version }) => version);
        expect(versions).toEqual(Array.from({ length: 40 }, (_, index) => index + 1));
      }
    });

    it("runs one statement per poll while nothing happens", async () => {
      const counting = new CountingPool(suite.pool);
      const events = new EventStore(new Database(counting, { schema: suite.schema }), { types });
      const position = await head();
      const subscription = events.log$({ after: position, pollMs: 1 }).subscribe();
      await until(() => counting.statements.length >= 20);
      subscription.unsubscribe();
      expect(new Set(counting.statements).size).toBe(1);
    });
  });
}
