import { afterEach, describe, expect, it } from "@jest/globals";
import { CommandBus, Envelope, InvalidOptionsError, type Fault } from "cqrx";
import { CommandQueue, Database, type EnqueueOptions, type Worker, type WorkOptions } from "cqrx/postgres";
import type { TestServer } from "../support/servers.js";
import { CountingPool, gate, notes, suiteOn, until, untilAsleep } from "../support/suite.js";

class Write {
  constructor(
    readonly text: string,
    readonly kind: "good" | "bad" = "good",
  ) {}
}
class Keyed {
  static readonly messageName = "queue.keyed";
  static partitionKey({ key }: Keyed): string {
    return key;
  }
  constructor(
    readonly key: string,
    readonly index: number,
  ) {}
}
class Foreign {
  constructor(readonly text: string) {}
}

export function queueConformance(server: TestServer): void {
  const suite = suiteOn(server);
  const workers: Worker[] = [];
  afterEach(async () => {
    for (const worker of workers.splice(0)) await worker.close();
    await suite.pool.query(`delete from ${suite.schema}.commands`);
  });

  interface Working {
    readonly worker: Worker;
    readonly bus: CommandBus;
    readonly ran: string[];
    readonly faults: Fault[];
  }

  /** A worker whose handler writes a note, in a process of its own. */
  function work({
    db = suite.another(),
    handle,
    ...options
  }: Partial<WorkOptions> & {
    db?: Database;
    handle?: (command: Write, context: { attempt: number; signal: AbortSignal }) => unknown;
  } = {}): Working {
    const bus = new CommandBus();
    const ran: string[] = [];
    const faults: Fault[] = [];
    bus.register(Write, async (command, context) => {
      ran.push(command.text);
      await db.query(`insert into ${suite.schema}.notes (text) values ($1)`, [command.text]);
      await handle?.(command, context);
      if (command.kind === "bad") throw new Error(`bad: ${command.text}`);
    });
    const worker = new CommandQueue(db).work(bus, { types: [Write], pollMs: 20, ...options });
    worker.faults$.subscribe((fault) => faults.push(fault));
    workers.push(worker);
    return { worker, bus, ran, faults };
  }
  const queue = (): CommandQueue => new CommandQueue(suite.db);
  const enqueue = (text: string, options?: EnqueueOptions): Promise<Envelope> =>
    queue().enqueue(new Write(text), options);
  const written = async (prefix: string): Promise<string[]> =>
    (await notes(suite.pool, suite.schema)).filter((text) => text.startsWith(prefix));
  const stored = async (): Promise<number> => {
    const { rows } = await suite.pool.query<{ count: number }>(
      `select count(*)::int as count from ${suite.schema}.commands where failed_at is null`,
    );
    return rows[0]!.count;
  };
  /** Makes a claim look like one whose process has died. */
  const expire = (): Promise<unknown> =>
    suite.pool.query(`update ${suite.schema}.commands set due_at = now() where running`);

  describe("CommandQueue", () => {
    it("refuses wrong arguments by name", async () => {
      expect(() => new CommandQueue({} as never)).toThrow(InvalidOptionsError);
      await expect(enqueue("x", { delayMs: -1 })).rejects.toThrow("delayMs must be");
      await expect(enqueue("x", { key: "" })).rejects.toThrow("key must be");
      await expect(enqueue("x", { at: 1 } as never)).rejects.toThrow("unknown option at");
      expect(() => queue().work(new CommandBus(), {} as never)).toThrow("types must be");
      expect(() => queue().work({} as never, { types: [Write] })).toThrow("commandBus must be");
      expect(() => queue().work(new CommandBus(), { types: [Write], retry: { count: -1 } })).toThrow(
        "retry.count",
      );
      await expect(queue().enqueue("text" as never)).rejects.toThrow("is not an object of a message class");
    });

    it("runs what was enqueued, once, and deletes it with its effect", async () => {
      const { ran } = work();
      const cause = Envelope.of(new Foreign("cause"));
      const envelope = await enqueue("plain", { causedBy: cause, headers: { a: "b" } });
      expect(envelope.meta).toMatchObject({ causationId: cause.meta.id, headers: { a: "b" } });
      await queue().enqueue(envelope);
      await until(async () => (await stored()) === 0);
      expect(ran).toEqual(["plain"]);
      expect(await written("plain")).toEqual(["plain"]);
    });

    it("takes durations and numbers that have no end", async () => {
      const { id } = (await enqueue("endless later", { delayMs: Infinity })).meta;
      // A pool that does not say how many connections it makes.
      const db = new Database({ connect: () => suite.pool.connect() }, { schema: suite.schema });
      const { ran, faults } = work({ db, concurrency: Infinity, leaseMs: Infinity, pollMs: Infinity });
      await new CommandQueue(db).enqueue(new Write("endless"));
      await until(async () => (await stored()) === 1);
      expect([ran, faults, await queue().cancel(id)]).toEqual([["endless"], [], true]);
    });

    it("enqueues nothing in a transaction that is rolled back, and runs nothing before the commit", async () => {
      const { ran } = work();
      await suite.db
        .transaction(async () => {
          await enqueue("rolled back");
          throw new Error("no");
        })
        .catch(() => undefined);
      const { passed, open } = gate();
      const slow = suite.db.transaction(async () => {
        await enqueue("committed late");
        await passed;
      });
      await enqueue("other");
      await until(() => ran.includes("other"));
      expect(ran).toEqual(["other"]);
      open();
      await slow;
      await until(() => ran.length === 2);
      expect(ran).toEqual(["other", "committed late"]);
    });

    it("runs a command later, and takes one back that has not begun", async () => {
      const { ran } = work();
      const far = await enqueue("in an hour", { delayMs: 3_600_000 });
      await enqueue("soon", { delayMs: 1 });
      await until(() => ran.length === 1);
      expect(ran).toEqual(["soon"]);
      expect(await queue().cancel(far.meta.id)).toBe(true);
      expect(await queue().cancel(far.meta.id)).toBe(false);
      const { passed, open } = gate();
      const { ran: held } = work({ types: [Write], handle: () => passed, db: suite.another() });
      await workers[0]!.close();
      const begun = await enqueue("begun");
      await until(() => held.length === 1);
      expect(await queue().cancel(begun.meta.id)).toBe(false);
      open();
    });

    it("tells the handler the attempt, waits between attempts, and rolls back each that failed", async () => {
      const attempts: number[] = [];
      work({
        retry: { delayMs: 1 },
        handle: (_, { attempt }) => {
          attempts.push(attempt);
          if (attempt < 3) throw new Error("not yet");
        },
      });
      await enqueue("retried");
      await until(async () => (await stored()) === 0);
      expect(attempts).toEqual([1, 2, 3]);
      expect(await written("retried")).toEqual(["retried"]);
    });

    it("keeps a command that failed at every attempt, replays it and discards it", async () => {
      const { faults } = work({ retry: { count: 1, delayMs: 1 } });
      const { meta } = await queue().enqueue(new Write("fatal", "bad"));
      const [letter] = await until(async () =>
        (await queue().deadLetters()).length > 0 ? queue().deadLetters() : undefined,
      );
      expect(letter).toMatchObject({
        id: meta.id,
        name: "Write",
        attempts: 2,
        error: "Error: bad: fatal",
        envelope: { payload: { text: "fatal" } },
      });
      expect(letter!.failedAt).toBeInstanceOf(Date);
      expect(faults).toMatchObject([
        {
          kind: "durable",
          source: "worker",
          error: { message: "bad: fatal" },
          envelope: { meta: { id: meta.id } },
        },
      ]);
      expect(await written("fatal")).toEqual([]);
      expect(await queue().replay(meta.id)).toBe(true);
      expect(await queue().replay(meta.id)).toBe(false);
      await until(async () => (await queue().deadLetters({ limit: 1 })).length === 1);
      expect(await queue().discard(meta.id)).toBe(true);
      expect(await queue().discard(meta.id)).toBe(false);
      await enqueue("canary");
      await until(async () => (await stored()) === 0);
    });

    it("makes a dead letter of what cannot be read, at once, and goes on", async () => {
      await suite.pool.query(
        `insert into ${suite.schema}.commands (message_id, name, envelope, due_at) values ('broken', 'Write', '{"meta":{"name":"Write","version":7},"payload":{"text":"a\\u0000"}}', now())`,
      );
      const { ran } = work();
      await enqueue("canary");
      await until(() => ran.includes("canary"));
      const [letter] = await until(async () =>
        (await queue().deadLetters()).length > 0 ? queue().deadLetters() : undefined,
      );
      expect(letter).toMatchObject({ id: "broken", attempts: 1, envelope: { payload: { text: "a\0" } } });
      expect(letter!.error).toContain("InvalidMessageError");
      expect(await queue().discard("broken")).toBe(true);
    });

    it("leaves commands alone whose class it does not have", async () => {
      const { ran } = work();
      await queue().enqueue(new Foreign("theirs"));
      await enqueue("ours");
      await until(async () => (await stored()) === 1);
      expect(ran).toEqual(["ours"]);
      expect(() => queue().work(new CommandBus(), { types: [Write, class Write {}] })).toThrow(
        "two classes are named Write",
      );
    });

    it("runs one process's command once, with several workers", async () => {
      const all = [work(), work(), work()];
      await Promise.all(Array.from({ length: 60 }, (_, index) => enqueue(`many ${index}`)));
      await until(async () => (await stored()) === 0);
      expect(all.flatMap(({ ran }) => ran).sort()).toEqual(
        Array.from({ length: 60 }, (_, index) => `many ${index}`).sort(),
      );
      expect(await written("many")).toHaveLength(60);
    });

    it("runs at most `concurrency` at a time, and leaves connections of the pool free", async () => {
      const { passed, open } = gate();
      const two = work({ concurrency: 2, handle: () => passed });
      await Promise.all(Array.from({ length: 5 }, (_, index) => enqueue(`two ${index}`)));
      await until(() => two.ran.length === 2);
      const small = await server.pool({ max: 3 });
      const one = work({ db: new Database(small, { schema: suite.schema }), handle: () => passed });
      await until(() => one.ran.length === 1);
      open();
      await until(async () => (await stored()) === 0);
      await one.worker.close();
      await small.end();
    });
  });

  describe("keys", () => {
    it("run one at a time and in order, over all processes, and beside other keys", async () => {
      const running = new Map<string, number>();
      const seen: Record<string, number[]> = { a: [], b: [], c: [] };
      let overlaps = 0;
      let most = 0;
      for (let process = 0; process < 3; process++) {
        const bus = new CommandBus();
        const db = suite.another();
        bus.register(Keyed, async ({ key, index }, { attempt }) => {
          const count = (running.get(key) ?? 0) + 1;
          if (count > 1) overlaps++;
          running.set(key, count);
          most = Math.max(
            most,
            [...running.values()].reduce((sum, each) => sum + each, 0),
          );
          await db.query("select pg_sleep(0.002)");
          running.set(key, running.get(key)! - 1);
          if (index === 5 && attempt === 1) throw new Error("again, before the next");
          seen[key]!.push(index);
        });
        workers.push(new CommandQueue(db).work(bus, { types: [Keyed], pollMs: 5, retry: { delayMs: 1 } }));
      }
      for (let index = 0; index < 20; index++)
        for (const key of ["a", "b", "c"]) await queue().enqueue(new Keyed(key, index));
      await until(async () => (await stored()) === 0);
      expect(overlaps).toBe(0);
      expect(most).toBeGreaterThan(1);
      for (const key of ["a", "b", "c"])
        expect(seen[key]).toEqual(Array.from({ length: 20 }, (_, index) => index));
    });

    it("let a delayed command wait without the others", async () => {
      const { ran } = work();
      const { meta } = await enqueue("timeout", { key: "order", delayMs: 3_600_000 });
      await enqueue("now", { key: "order" });
      await until(() => ran.length === 1);
      expect(ran).toEqual(["now"]);
      await queue().cancel(meta.id);
    });

    it("run behind a dead letter", async () => {
      const { ran } = work({ retry: { count: 0 } });
      await queue().enqueue(new Write("first", "bad"), { key: "dead" });
      await enqueue("second", { key: "dead" });
      await until(() => ran.includes("second"));
      expect(ran).toEqual(["first", "second"]);
    });

    it("let one of two claims lose that begin two of a key at once", async () => {
      await enqueue("one", { key: "raced" });
      await enqueue("two", { key: "raced" });
      const begin = (text: string): Promise<unknown> =>
        suite.pool.query(
          `update ${suite.schema}.commands set attempt = 1, running = true where envelope->'payload'->>'text' = $1`,
          [text],
        );
      await begin("two");
      await expect(begin("one")).rejects.toMatchObject({ code: "23505" });
    });
  });

  describe("leases", () => {
    it("are extended while a handler runs", async () => {
      const { passed, open } = gate();
      const { ran } = work({ leaseMs: 300, handle: () => passed });
      await enqueue("long");
      await until(() => ran.length === 1);
      const due = async (): Promise<string> =>
        (await suite.pool.query<{ due: string }>(`select due_at::text as due from ${suite.schema}.commands`))
          .rows[0]!.due;
      const first = await due();
      await until(async () => (await due()) !== first);
      open();
      await until(async () => (await stored()) === 0);
      expect(ran).toEqual(["long"]);
    });

    it("fence: a holder that wakes after its lease commits nothing, and the one that took over does, once", async () => {
      const { passed, open } = gate();
      const frozen = work({ handle: () => passed, leaseMs: 3_600_000 });
      await enqueue("fenced");
      await until(() => frozen.ran.length === 1);
      await expire();
      const other = work();
      await until(async () => (await stored()) === 0);
      expect(other.ran).toEqual(["fenced"]);
      open();
      await until(() => frozen.faults.length === 1);
      expect(frozen.faults).toMatchObject([{ error: { code: "LEASE_LOST", messageType: "Write" } }]);
      expect(await written("fenced")).toEqual(["fenced"]);
    });

    it("abort the handler of a command that another has taken over", async () => {
      let aborted: unknown;
      const frozen = work({
        leaseMs: 200,
        handle: (_, { signal }) =>
          new Promise((_, reject) =>
            signal.addEventListener("abort", () => reject((aborted = signal.reason))),
          ),
      });
      await enqueue("aborted");
      await until(() => frozen.ran.length === 1);
      await suite.pool.query(`update ${suite.schema}.commands set attempt = attempt + 1`);
      await until(() => aborted);
      expect(aborted).toMatchObject({ code: "LEASE_LOST" });
    });

    it("count an attempt that never ended: it runs alone, when nothing else runs in the process", async () => {
      let running = 0;
      let beside = -1;
      const { passed, open } = gate();
      for (const text of ["crashed", "x", "y"]) await enqueue(text);
      await suite.pool.query(
        `update ${suite.schema}.commands set attempt = 1, running = true where envelope->'payload'->>'text' = 'crashed'`,
      );
      const attempts: number[] = [];
      const { ran } = work({
        handle: async ({ text }, { attempt }) => {
          running++;
          if (text === "crashed") {
            beside = running - 1;
            attempts.push(attempt);
            await enqueue("z");
            await suite.pool.query("select 1");
          } else if (text !== "z") await passed;
          running--;
        },
      });
      await until(() => ran.length === 2);
      expect(ran.sort()).toEqual(["x", "y"]);
      open();
      await until(async () => (await stored()) === 0);
      expect(ran).toEqual(["x", "y", "crashed", "z"]);
      expect(beside).toBe(0);
      expect(attempts).toEqual([2]);
    });

    it("give a command up that ended its process at every attempt, and no other", async () => {
      for (const text of ["killer", "innocent"]) await enqueue(text);
      await suite.pool.query(
        `update ${suite.schema}.commands set attempt = 3, running = true where envelope->'payload'->>'text' = 'killer'`,
      );
      const { ran, faults } = work({ retry: { count: 2 } });
      const [letter] = await until(async () =>
        (await queue().deadLetters()).length > 0 ? queue().deadLetters() : undefined,
      );
      expect(letter).toMatchObject({ name: "Write", envelope: { payload: { text: "killer" } } });
      expect(letter!.error).toContain("never ended");
      await until(async () => (await stored()) === 0);
      expect(ran).toEqual(["innocent"]);
      expect(faults).toHaveLength(1);
    });
  });

  describe("a command whose handler writes nothing through db", () => {
    /** A worker whose handler runs no statement. */
    function workOnly(
      handle: (text: string) => unknown,
      { db = suite.another(), ...options }: Partial<WorkOptions> & { db?: Database } = {},
    ): Omit<Working, "bus"> {
      const bus = new CommandBus();
      const ran: string[] = [];
      const faults: Fault[] = [];
      bus.register(Write, async ({ text }) => {
        ran.push(text);
        await handle(text);
      });
      const worker = new CommandQueue(db).work(bus, { types: [Write], pollMs: 20, ...options });
      worker.faults$.subscribe((fault) => faults.push(fault));
      workers.push(worker);
      return { worker, ran, faults };
    }

    it("ends with others, in the statement that looks for more", async () => {
      await suite.db.transaction(async () => {
        for (let index = 0; index < 100; index++) await enqueue(`quiet ${index}`);
      });
      const counting = new CountingPool(suite.pool);
      const { ran } = workOnly(() => undefined, {
        db: new Database(counting, { schema: suite.schema }),
        pollMs: 1_000_000,
      });
      await until(async () => (await stored()) === 0);
      expect(new Set(ran).size).toBe(100);
      expect(ran).toHaveLength(100);
      expect(counting.statements.length).toBeLessThan(50);
    });

    it("is fenced, too: a holder that wakes after its lease says so, and the one that took over ends it", async () => {
      const { passed, open } = gate();
      const frozen = workOnly(() => passed, { leaseMs: 3_600_000 });
      await enqueue("fenced quietly");
      await until(() => frozen.ran.length === 1);
      await expire();
      const other = workOnly(() => undefined);
      await until(async () => (await stored()) === 0);
      expect(other.ran).toEqual(["fenced quietly"]);
      open();
      await until(() => frozen.faults.length === 1);
      expect(frozen.faults).toMatchObject([{ error: { code: "LEASE_LOST", messageType: "Write" } }]);
      expect(other.faults).toEqual([]);
    });

    it("ends although its worker is closed before another round", async () => {
      const { passed, open } = gate();
      const { worker, ran } = workOnly(() => passed, { concurrency: 3 });
      for (const text of ["1", "2", "3", "4"]) await enqueue(text);
      await until(() => ran.length === 3);
      const closed = worker.close();
      open();
      await closed;
      expect(await stored()).toBe(1);
    });

    it("ends once the database can be reached again, and runs once", async () => {
      let down = false;
      let refused = 0;
      const db = new Database(
        {
          connect: () =>
            down
              ? (refused++, Promise.reject(Object.assign(new Error("down"), { code: "ECONNREFUSED" })))
              : suite.pool.connect(),
        },
        { schema: suite.schema },
      );
      const { ran, faults } = workOnly(() => void (down = true), { db, pollMs: 1 });
      await enqueue("through");
      await until(() => refused > 5);
      down = false;
      await until(async () => (await stored()) === 0);
      expect(ran).toEqual(["through"]);
      expect(faults).toMatchObject([{ error: { message: "down" } }]);
    });

    it("lets the next of its key run, in order", async () => {
      const { ran } = workOnly(() => undefined);
      const texts = Array.from({ length: 10 }, (_, index) => `keyed ${index}`);
      for (const text of texts) await enqueue(text, { key: "quiet" });
      await until(async () => (await stored()) === 0);
      expect(ran).toEqual(texts);
    });
  });

  describe("a worker", () => {
    it("finishes what runs when it is closed, and takes nothing more", async () => {
      const { passed, open } = gate();
      const { worker, ran } = work({ concurrency: 1, handle: () => passed });
      await enqueue("running");
      await enqueue("waiting");
      await until(() => ran.length === 1);
      const closed = worker.close();
      open();
      await closed;
      expect(ran).toEqual(["running"]);
      expect(await stored()).toBe(1);
    });

    it("gives back what does not end in time, without counting the attempt", async () => {
      const { worker, ran } = work({
        handle: (_, { signal }) =>
          new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      });
      await enqueue("given back");
      await until(() => ran.length === 1);
      await worker.close({ timeoutMs: 1 });
      const { rows } = await suite.pool.query(`select attempt, running from ${suite.schema}.commands`);
      expect(rows).toEqual([{ attempt: 0, running: false }]);
    });

    it("runs one statement per poll while idle", async () => {
      const counting = new CountingPool(suite.pool);
      work({ db: new Database(counting, { schema: suite.schema }), pollMs: 1 });
      await until(() => counting.statements.length >= 20);
      expect(new Set(counting.statements).size).toBe(1);
    });

    it("does not wake itself by what it commits", async () => {
      const counting = new CountingPool(suite.pool);
      const db = new Database(counting, { schema: suite.schema });
      const { ran } = work({ db, pollMs: 1_000_000 });
      await untilAsleep(counting, suite.pool);
      await new CommandQueue(db).enqueue(new Write("own"));
      await until(() => ran.length === 1);
      await untilAsleep(counting, suite.pool);
    });

    it("is awake at once when this process enqueues, once per commit, and when a command ends", async () => {
      const counting = new CountingPool(suite.pool);
      const db = new Database(counting, { schema: suite.schema });
      const { ran } = work({ db, pollMs: 1_000_000, concurrency: 2 });
      await until(() => counting.statements.length === 1);
      const own = new CommandQueue(db);
      await db.transaction(async () => {
        for (let index = 0; index < 6; index++) await own.enqueue(new Write(`woken ${index}`));
      });
      await until(() => ran.length === 6);
      await until(async () => (await stored()) === 0);
    });

    it("survives connections that are cut: nothing is lost, nothing is written twice", async () => {
      const application_name = `cut ${suite.schema}`;
      const pool = await server.pool({ application_name });
      let cuts = 3;
      const { faults } = work({
        db: new Database(pool, { schema: suite.schema }),
        retry: { delayMs: 1 },
        leaseMs: 2_000,
        handle: async () => {
          if (cuts-- > 0)
            await suite.pool.query(
              "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1",
              [application_name],
            );
        },
      });
      for (let index = 0; index < 10; index++) await enqueue(`cut ${index}`);
      await until(async () => (await stored()) === 0);
      expect(await queue().deadLetters()).toEqual([]);
      expect(await written("cut")).toHaveLength(10);
      expect(faults.every(({ kind }) => kind === "durable")).toBe(true);
      for (const worker of workers.splice(0)) await worker.close();
      await pool.end();
    });

    it("stops visibly when its bus is closed, and gives back what it claimed", async () => {
      const { bus, faults, ran } = work();
      await bus.close();
      await enqueue("for another");
      await until(() => faults.length === 1);
      expect(faults).toMatchObject([{ error: { code: "BUS_CLOSED" } }]);
      expect(ran).toEqual([]);
      await until(async () => {
        const { rows } = await suite.pool.query<{ attempt: number; running: boolean }>(
          `select attempt, running from ${suite.schema}.commands`,
        );
        return rows[0]!.attempt === 0 && !rows[0]!.running;
      });
    });
  });
}
