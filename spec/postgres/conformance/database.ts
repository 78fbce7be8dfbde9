import { describe, expect, it } from "@jest/globals";
import { CommandBus, InvalidOptionsError } from "cqrx";
import { caching, idempotency } from "cqrx/middleware";
import { Database, migrations, postgresStore, TransactionEndedError, transactional } from "cqrx/postgres";
import { QueryBus } from "cqrx";
import { Pool } from "pg";
import type { TestServer } from "../support/servers.js";
import { gate, notes, suiteOn, until } from "../support/suite.js";

class Note {
  static readonly messageName = "notes.note";
  constructor(readonly text: string) {}
}
class GetNotes {
  static readonly messageName = "notes.get";
}

export function databaseConformance(server: TestServer): void {
  const suite = suiteOn(server);
  const write = (text: string): Promise<unknown> =>
    suite.db.query(`insert into ${suite.schema}.notes (text) values ($1)`, [text]);
  const written = (): Promise<string[]> => notes(suite.pool, suite.schema);

  describe("Database", () => {
    it("migrates from many processes at once, again and again", async () => {
      await Promise.all(Array.from({ length: 5 }, () => suite.another().migrate()));
      const { rows } = await suite.pool.query(`select version from ${suite.schema}.migrations`);
      expect(rows).toEqual([{ version: migrations().length }].map(({ version }) => ({ version })));
    });

    it("refuses wrong options by name", async () => {
      expect(() => new Database(suite.pool, { schema: "Sch" })).toThrow(InvalidOptionsError);
      expect(() => new Database(suite.pool, { schema: "a;b" })).toThrow("schema must be");
      expect(() => new Database({} as never)).toThrow("pool must be a pg.Pool");
      expect(() => new Database(suite.pool, { scheme: "x" } as never)).toThrow("unknown option scheme");
      await expect(suite.db.prune({ inboxMs: -1 })).rejects.toThrow("inboxMs must be");
    });

    it("commits a transaction, and rolls back one that rejects, with its error", async () => {
      await suite.db.transaction(() => write("kept"));
      const error = new Error("no");
      const failed = suite.db.transaction(async () => {
        await write("lost");
        throw error;
      });
      await expect(failed).rejects.toBe(error);
      expect(await written()).toContain("kept");
      expect(await written()).not.toContain("lost");
    });

    it("uses no connection for a transaction without a statement", async () => {
      const db = new Database({ connect: () => Promise.reject(new Error("asked for a connection")) });
      await expect(db.transaction(() => 1)).resolves.toBe(1);
    });

    it("joins: work that failed fails the whole transaction, even if its error is caught", async () => {
      const error = new Error("inner");
      const outer = suite.db.transaction(async () => {
        await write("half");
        await suite.db
          .transaction(async () => {
            await write("other half");
            throw error;
          })
          .catch(() => undefined);
      });
      await expect(outer).rejects.toBe(error);
      expect((await written()).filter((text) => text.includes("half"))).toEqual([]);
    });

    it("says which statement failed if its error was caught", async () => {
      const caught = suite.db.transaction(async (sql) => {
        await write("before");
        await sql.query("select 1 / 0").catch(() => undefined);
      });
      await expect(caught).rejects.toThrow(TransactionEndedError);
      await expect(caught).rejects.toMatchObject({ cause: { message: "division by zero" } });
      expect(await written()).not.toContain("before");
    });

    it("runs statements of one transaction one after another, however many are begun at once", async () => {
      await suite.db.transaction(async () => {
        await Promise.all(Array.from({ length: 20 }, (_, index) => write(`together ${index}`)));
      });
      expect((await written()).filter((text) => text.startsWith("together"))).toHaveLength(20);
    });

    it("refuses work that outlives its transaction, and writes nothing of it", async () => {
      const { passed, open } = gate();
      let floating: Promise<unknown> | undefined;
      await suite.db.transaction(async () => {
        await write("in time");
        floating = passed.then(() => write("too late"));
      });
      open();
      await expect(floating).rejects.toThrow(TransactionEndedError);
      expect(await written()).toContain("in time");
      expect(await written()).not.toContain("too late");
      await write("canary");
      expect(await written()).toContain("canary");
    });

    it("refuses a transaction of work that outlives its own", async () => {
      const { passed, open } = gate();
      let floating: Promise<unknown> | undefined;
      await suite.db.transaction(
        () => void (floating = passed.then(() => suite.db.transaction(() => write("later")))),
      );
      open();
      await expect(floating).rejects.toThrow(TransactionEndedError);
    });

    it("survives a connection that is cut within a transaction, and one that is cut in the pool", async () => {
      const pidOf = async (): Promise<number> => {
        const { rows } = await suite.db.query("select pg_backend_pid() as pid");
        return (rows[0] as { pid: number }).pid;
      };
      const cut = suite.db.transaction(async () => {
        await write("cut");
        const pid = await pidOf();
        await suite.pool.query("select pg_terminate_backend($1)", [pid]);
        await until(
          async () =>
            (await suite.pool.query("select from pg_stat_activity where pid = $1", [pid])).rowCount === 0,
        );
        await write("cut, too");
      });
      await expect(cut).rejects.toThrow();
      await suite.pool.query("select pg_terminate_backend($1)", [await pidOf()]).catch(() => undefined);
      await until(() =>
        write("after the cut").then(
          () => true,
          () => false,
        ),
      );
      expect((await written()).filter((text) => text.includes("cut"))).toEqual(["after the cut"]);
    });

    it("survives an idle connection that is cut, in a pool that has no listener of its own", async () => {
      const pool = new Pool({ connectionString: await server.url() });
      const db = new Database(pool, { schema: suite.schema });
      const { rows } = await db.query("select pg_backend_pid() as pid");
      await suite.pool.query("select pg_terminate_backend($1)", [(rows[0] as { pid: number }).pid]);
      await until(() => pool.totalCount === 0);
      expect((await db.query("select 1 as canary")).rows).toEqual([{ canary: 1 }]);
      await pool.end();
    });

    it("runs inside a transaction of the caller, who commits it", async () => {
      const client = await suite.pool.connect();
      await client.query("begin");
      await suite.db.using(client, () => write("the caller's"));
      expect(await written()).not.toContain("the caller's");
      await client.query("commit");
      expect(await written()).toContain("the caller's");
      await client.query("begin");
      await suite.db.using(client, () => write("rolled back by the caller"));
      await client.query("rollback");
      client.release();
      expect(await written()).not.toContain("rolled back by the caller");
    });

    it("passes on to the caller of using() that work inside failed", async () => {
      const inner = suite.db.using(suite.pool, async () => {
        await suite.db.transaction(() => Promise.reject(new Error("inner"))).catch(() => undefined);
      });
      await expect(inner).rejects.toThrow("inner");
    });
  });

  describe("transactional", () => {
    function bus(options: Parameters<typeof transactional>[1] = {}): CommandBus {
      const commandBus = new CommandBus({ middleware: [transactional(suite.db, options)] });
      return commandBus;
    }
    const byId = {
      once: (_: object, { envelope }: { envelope: { meta: { id: string } } }) => envelope.meta.id,
    };

    it("makes a command one commit", async () => {
      const commandBus = bus();
      commandBus.register(Note, async ({ text }) => {
        await write(`${text} 1`);
        if (text === "bad") throw new Error("bad");
        await write(`${text} 2`);
      });
      await commandBus.dispatch(new Note("good"));
      await expect(commandBus.dispatch(new Note("bad"))).rejects.toThrow("bad");
      expect((await written()).filter((text) => /^(good|bad)/.test(text))).toEqual(["good 1", "good 2"]);
    });

    it("rolls back what was aborted meanwhile", async () => {
      const commandBus = bus();
      const abort = new AbortController();
      commandBus.register(Note, async ({ text }) => {
        await write(text);
        abort.abort(new Error("given up"));
      });
      await expect(commandBus.dispatch(new Note("aborted"), { signal: abort.signal })).rejects.toThrow(
        "given up",
      );
      await until(
        async () =>
          (
            await suite.pool.query(
              "select from pg_locks l join pg_class c on c.oid = l.relation where c.relname = 'notes' and c.relnamespace = $1::regnamespace",
              [suite.schema],
            )
          ).rowCount === 0,
      );
      expect(await written()).not.toContain("aborted");
    });

    it("runs a key once over all processes, and lets two at once wait for each other", async () => {
      const { passed, open } = gate();
      let runs = 0;
      const handler = async ({ text }: Note): Promise<void> => {
        runs++;
        await write(text);
        await passed;
      };
      const [one, other] = [
        bus({ once: () => "key" }),
        new CommandBus({ middleware: [transactional(suite.another(), { once: () => "key" })] }),
      ];
      one.register(Note, handler);
      other.register(Note, handler);
      const both = [one.dispatch(new Note("once")), other.dispatch(new Note("once"))];
      await until(() => runs === 1);
      open();
      await Promise.all(both);
      await one.dispatch(new Note("once"));
      expect(runs).toBe(1);
      expect((await written()).filter((text) => text === "once")).toHaveLength(1);
    });

    it("uses no key up for a failure", async () => {
      const commandBus = bus({ once: () => "k".repeat(10_000) });
      let fails = true;
      commandBus.register(Note, async ({ text }) => {
        await write(text);
        if (fails) throw new Error("first");
      });
      await expect(commandBus.dispatch(new Note("again"))).rejects.toThrow("first");
      fails = false;
      await commandBus.dispatch(new Note("again"));
      expect(await written()).toContain("again");
    });

    it("lets a nested dispatch join, and an enqueued command be a unit of its own", async () => {
      const commandBus = bus(byId);
      commandBus.register(Note, async ({ text }, context) => {
        await write(text);
        if (text === "parent") {
          await commandBus.dispatch(new Note("child"), { causedBy: context });
          commandBus.enqueue(new Note("background"), { causedBy: context });
        }
      });
      await commandBus.dispatch(new Note("parent"));
      await commandBus.drain();
      expect(await written()).toEqual(expect.arrayContaining(["parent", "child", "background"]));
    });

    it("forgets keys that are old enough", async () => {
      const commandBus = bus({ once: () => "pruned" });
      let runs = 0;
      commandBus.register(Note, () => void runs++);
      await commandBus.dispatch(new Note("a"));
      await suite.db.prune({ inboxMs: 3_600_000 });
      await commandBus.dispatch(new Note("a"));
      expect(runs).toBe(1);
      expect(await suite.db.prune({ inboxMs: Infinity, entriesMs: Infinity })).toMatchObject({ inbox: 0 });
      expect((await suite.db.prune({ inboxMs: 0 })).inbox).toBeGreaterThan(0);
      await commandBus.dispatch(new Note("a"));
      expect(runs).toBe(2);
    });
  });

  describe("postgresStore", () => {
    it("keeps what idempotency knows, for all processes", async () => {
      let runs = 0;
      const process = (): CommandBus => {
        const commandBus = new CommandBus({
          middleware: [idempotency({ key: () => "note-1", store: postgresStore(suite.another()) })],
        });
        commandBus.register(Note, () => void runs++);
        return commandBus;
      };
      await process().dispatch(new Note("idempotent"));
      await process().dispatch(new Note("idempotent"));
      expect(runs).toBe(1);
      await expect(process().dispatch(new Note("another"))).rejects.toThrow();
    });

    it("keeps what caching knows: values that JSON does not have, NUL and all, until they expire", async () => {
      const value = { at: new Date(0), map: new Map([["a\0", 1n]]), lone: "\ud800" };
      let runs = 0;
      const process = (): QueryBus => {
        const queryBus = new QueryBus({
          middleware: [caching({ store: postgresStore(suite.another()), ttlMs: 3_600_000 })],
        });
        queryBus.register(GetNotes, () => {
          runs++;
          return value;
        });
        return queryBus;
      };
      expect(await process().ask(new GetNotes())).toEqual(value);
      // The answer does not wait for the store.
      await until(
        async () =>
          (await suite.pool.query(`select from ${suite.schema}.entries where value::text like '%$map%'`))
            .rowCount,
      );
      expect(await process().ask(new GetNotes())).toEqual(value);
      expect(runs).toBe(1);
      const store = postgresStore(suite.db);
      await store.set("for ever", 1, { ttl: Infinity });
      expect(await store.get("for ever")).toBe(1);
      await store.delete("for ever");
      await store.set("short", 1, { ttl: 1 });
      await until(async () => (await store.get("short")) === undefined);
      expect((await suite.db.prune({})).entries).toBe(1);
      expect((await suite.db.prune({ entriesMs: 0 })).entries).toBe(2);
      await expect(store.get(7)).rejects.toThrow("key must be");
    });
  });
}
