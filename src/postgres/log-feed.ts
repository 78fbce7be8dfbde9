import { defer, startWith, type Observable } from "rxjs";
import type { EventBus } from "../buses/event-bus.js";
import { Broadcast } from "../core/util/broadcast.js";
import { checkOptions, positiveMilliseconds, wholeNumber } from "../core/checks.js";
import type { Fault } from "../core/delivery/outcome.js";
import { BusClosedError, EventHandlersFailedError } from "../core/errors.js";
import type { Envelope } from "../core/messages/envelope.js";
import { backoffMs } from "../core/util/backoff.js";
import { reportUnhandled } from "../core/util/report-unhandled.js";
import type { Database } from "./database.js";
import { CatchUp } from "./catch-up.js";
import { Checkpoint } from "./checkpoint.js";
import { isConnectionError } from "./connection.js";
import { Faults } from "./faults.js";
import type {
  CaughtUpOptions,
  Feed,
  FeedOptions,
  FeedState,
  RetryOptions,
  SkippedEvent,
  SkippedOptions,
} from "./feed.js";
import type { EventRow, Log } from "./log.js";
import type { NamedTypes } from "./named-types.js";
import { Poller } from "./poller.js";
import { MOST_ROWS } from "./sql.js";
import { errorText, storedJson, type Appended } from "./stored-message.js";

/** The store that a feed reads. */
export interface FeedSource {
  readonly db: Database;
  readonly log: Log;
  readonly types: NamedTypes;
}

/** The end of a batch that another process, a failing event, or `close` cut short. */
type BatchEnd = { readonly committed: number } | "standby";

/** An event that failed, alone or at the end of a batch. */
interface Failure {
  readonly row: EventRow;
  readonly envelope: Envelope | undefined;
  readonly error: unknown;
  /** How many events of the batch were handled before it. */
  readonly before: number;
}

/** The feed of a log. */
export class LogFeed implements Feed {
  readonly #name: string;
  readonly #eventBus: EventBus;
  readonly #options: Required<Omit<FeedOptions, "types" | "retry">>;
  readonly #retry: Required<RetryOptions>;
  readonly #db: Database;
  readonly #log: Log;
  readonly #types: NamedTypes;
  readonly #checkpoint: Checkpoint;
  readonly #faults: Faults;
  readonly #committed: Broadcast<number>;
  readonly #states: Broadcast<FeedState>;
  readonly #poller: Poller;
  readonly #forgetWakeUps: () => void;
  readonly state$: Observable<FeedState> & { readonly value: FeedState };
  #state: FeedState = "running";
  /** Undefined until the first look, which reports no commit. */
  #position: number | undefined;
  /**
   * How many events the next batch takes at most: fewer than `batchSize` after a failure, to commit those before it.
   */
  #limit: number;
  #failing: { readonly position: number; attempts: number } | undefined;
  #unreachable = false;

  constructor(name: string, eventBus: EventBus, options: FeedOptions, { db, log, types }: FeedSource) {
    const { pollMs = 200, poison = "stop", retry = {} } = options;
    const batchSize = Math.min(options.batchSize ?? 100, MOST_ROWS);
    const { count = 10, delayMs = 100, maxDelayMs = 10_000 } = retry;
    this.#name = name;
    this.#eventBus = eventBus;
    this.#options = { batchSize, pollMs, poison };
    this.#retry = { count, delayMs, maxDelayMs };
    this.#db = db;
    this.#log = log;
    this.#types = types;
    this.#checkpoint = new Checkpoint(name, db);
    this.#limit = batchSize;
    this.#faults = new Faults(`feed ${name}`);
    const report = (error: unknown): void => reportUnhandled(`feed ${name}`, error);
    this.#committed = new Broadcast<number>(report);
    this.#states = new Broadcast<FeedState>(report);
    const state = (): FeedState => this.#state;
    this.state$ = Object.defineProperty(
      defer(() => this.#states.stream.pipe(startWith(state()))),
      "value",
      { get: state },
    ) as LogFeed["state$"];
    this.#poller = new Poller(
      () => this.#round(),
      (error) => this.#roundFailed(error),
    );
    this.#forgetWakeUps = db.wakeUps.add("events", this.#poller.wake);
  }

  get committed$(): Observable<number> {
    return this.#committed.stream;
  }

  get faults$(): Observable<Fault> {
    return this.#faults.stream;
  }

  caughtUp(appended: Appended, options: CaughtUpOptions = {}): Promise<void> {
    checkOptions<CaughtUpOptions>("caughtUp()", options, { timeoutMs: positiveMilliseconds });
    const { timeoutMs = 5_000 } = options;
    return new CatchUp(this.#name, appended, this.#db, this).within(timeoutMs, this.#options.pollMs);
  }

  async skipped(options: SkippedOptions = {}): Promise<readonly SkippedEvent[]> {
    checkOptions<SkippedOptions>("skipped()", options, { limit: wholeNumber(1) });
    const { schema } = this.#db;
    const { rows } = await this.#db.query(
      `select s.position::float8 as position, e.envelope::text as envelope, s.error,
(extract(epoch from s.skipped_at) * 1000)::float8 as skipped_ms
from ${schema}.skipped s join ${schema}.events e using (position)
where s.feed = $1 and e.position is not null order by s.position limit $2`,
      [this.#name, Math.min(options.limit ?? 100, MOST_ROWS)],
    );
    return (rows as { position: number; envelope: string; error: string; skipped_ms: number }[]).map(
      (row) => ({
        position: row.position,
        envelope: storedJson(row.envelope),
        error: row.error,
        skippedAt: new Date(row.skipped_ms),
      }),
    );
  }

  retry(position: number): Promise<boolean> {
    return this.#db.transaction(async (sql) => {
      const { schema } = this.#db;
      const { rows } = await sql.query(
        `with found as (delete from ${schema}.skipped where feed = $1 and position = $2 returning position)
select e.name, e.envelope::text as envelope
from ${schema}.events e join found using (position) where e.position is not null`,
        [this.#name, position],
      );
      const [row] = rows as EventRow[];
      if (row === undefined) return false;
      await this.#publish(this.#types.read(row.name, row.envelope), 1);
      return true;
    });
  }

  describe(): ReturnType<Feed["describe"]> {
    const position = this.#position;
    return {
      name: this.#name,
      state: this.#state,
      ...(position !== undefined && { position }),
      types: this.#types.names,
    };
  }

  async close(): Promise<void> {
    this.#stop();
    await this.#poller.ended;
    this.#states.complete();
    this.#committed.complete();
    this.#faults.complete();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #stop(): void {
    this.#forgetWakeUps();
    this.#poller.stop();
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#states.next("stopped");
  }

  /** One statement if there is nothing to do. */
  async #round(): Promise<number> {
    await this.#checkpoint.make();
    const { pollMs } = this.#options;
    let { unplaced, head, position } = await this.#checkpoint.look();
    if (unplaced) {
      await this.#log.placeSome();
      ({ unplaced, head, position } = await this.#checkpoint.look());
    }
    this.#unreachable = false;
    this.#moveTo(position);
    if (position >= head) return unplaced ? 0 : pollMs;
    // Without another look while it is known that there is more.
    for (;;) {
      const waitMs = await this.#batch(head);
      if (waitMs > 0 || this.#position! >= head || this.#poller.closing) return waitMs;
    }
  }

  #moveTo(position: number): void {
    const moved = this.#position !== undefined && position > this.#position;
    this.#position = position;
    if (moved) this.#committed.next(position);
  }

  async #batch(head: number): Promise<number> {
    let failure: Failure | undefined;
    let rows: readonly EventRow[] = [];
    const limit = this.#limit;
    try {
      const end = await this.#db.begin(async (sql) => {
        // Another process may have gone further than this one saw; its checkpoint is not taken back.
        const page = await this.#log.takePage(sql, this.#name, this.#types, head, limit);
        if (page === undefined) return "standby";
        ({ rows } = page);
        for (const [index, row] of rows.entries()) {
          if (this.#poller.closing) {
            const committed = index === 0 ? page.before : rows[index - 1]!.position!;
            await this.#checkpoint.set(sql, committed);
            return { committed } satisfies BatchEnd;
          }
          failure = await this.#handle(row, index);
          if (failure === undefined) continue;
          const { error } = failure;
          if (sql.disconnected || isConnectionError(error)) {
            failure = undefined;
            rows = [];
          }
          throw error;
        }
        return { committed: page.after } satisfies BatchEnd;
      });
      if (end === "standby") return this.#options.pollMs;
      this.#limit = this.#options.batchSize;
      this.#failing = undefined;
      this.#moveTo(end.committed);
      return 0;
    } catch (error) {
      if (failure !== undefined) return await this.#failed(failure);
      if (rows.length === 0 || isConnectionError(error)) throw error;
      // The commit failed, because a handler caught the error of a statement or of work that joined: find out
      // which one.
      if (rows.length > 1) this.#limit = 1;
      else return await this.#failed({ row: rows[0]!, envelope: this.#decoded(rows[0]!), error, before: 0 });
      return 0;
    }
  }

  async #handle(row: EventRow, before: number): Promise<Failure | undefined> {
    let envelope: Envelope | undefined;
    try {
      envelope = this.#types.read(row.name, row.envelope);
      await this.#publish(
        envelope,
        this.#failing?.position === row.position ? this.#failing.attempts + 1 : 1,
      );
      return undefined;
    } catch (error) {
      return { row, envelope, error, before };
    }
  }

  #decoded(row: EventRow): Envelope | undefined {
    try {
      return this.#types.read(row.name, row.envelope);
    } catch {
      return undefined;
    }
  }

  async #publish(envelope: Envelope, attempt: number): Promise<void> {
    try {
      await this.#eventBus.publish(envelope, { attempt });
    } catch (error) {
      throw error instanceof EventHandlersFailedError && error.errors.length === 1 ? error.errors[0] : error;
    }
  }

  /** Commits the events before the one that failed, then tries that one alone, then gives it up. */
  async #failed(failure: Failure): Promise<number> {
    if (failure.before > 0) {
      this.#limit = failure.before;
      return 0;
    }
    const { row, error, envelope } = failure;
    if (error instanceof BusClosedError) {
      this.#faults.report(error, envelope);
      this.#stop();
      return 0;
    }
    this.#limit = 1;
    const position = row.position!;
    if (this.#failing?.position !== position) this.#failing = { position, attempts: 0 };
    const attempts = ++this.#failing.attempts;
    if (attempts === 1) this.#faults.report(error, envelope);
    const { count, delayMs, maxDelayMs } = this.#retry;
    // Data that cannot be read does not change.
    if (attempts <= count && envelope !== undefined) return backoffMs(attempts, delayMs, maxDelayMs);
    if (attempts > 1) this.#faults.report(error, envelope);
    if (this.#options.poison === "skip") await this.#skip(position, error);
    else this.#stop();
    return 0;
  }

  async #skip(position: number, error: unknown): Promise<void> {
    await this.#db.begin(async (sql) => {
      const locked = await this.#checkpoint.lock(sql);
      // Another process may have taken over meanwhile and handled the event.
      if (locked === undefined || locked >= position) return;
      await sql.query(
        `insert into ${this.#db.schema}.skipped (feed, position, error) values ($1, $2, $3) on conflict do nothing`,
        [this.#name, position, errorText(error)],
      );
      await this.#checkpoint.set(sql, position);
    });
    this.#failing = undefined;
    this.#limit = this.#options.batchSize;
  }

  #roundFailed(error: unknown): number {
    if (!this.#unreachable) this.#faults.report(error);
    this.#unreachable = true;
    return this.#options.pollMs;
  }
}
