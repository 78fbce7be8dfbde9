import { Observable } from "rxjs";
import type { EventBus } from "../buses/event-bus.js";
import {
  anArray,
  anObject,
  check,
  checkOption,
  checkOptions,
  positiveMilliseconds,
  required,
  wholeNumber,
  withMethods,
} from "../core/checks.js";
import type { Envelope } from "../core/messages/envelope.js";
import { isEnvelope } from "../core/messages/envelope.js";
import type { MessageType } from "../core/messages/message.js";
import type { Database } from "./database.js";
import { ConcurrencyError } from "./errors.js";
import type { Feed, FeedOptions } from "./feed.js";
import { given, rowOf } from "./event-rows.js";
import { FOLDED_PAGE, Log, PAGE, storedEvent, type StoredEvent } from "./log.js";
import { NamedTypes } from "./named-types.js";
import { openFeed } from "./open-feed.js";
import { Poller } from "./poller.js";
import { toEnvelope, type Appended, type StoreMessageOptions } from "./stored-message.js";

export interface EventStoreOptions {
  /** The classes of all events that are written or read. They are stored by their names. */
  readonly types: readonly MessageType[];
}

export interface AppendOptions extends StoreMessageOptions {
  /** The version that the stream has; 0 if it is new. Without it the events follow those that are there. */
  readonly expectedVersion?: number;
}

export interface ReadOptions {
  /** The version after which to read. @defaultValue 0 */
  readonly after?: number;
}

export interface LogOptions {
  /** The position after which to read. @defaultValue 0 */
  readonly after?: number;
  /** How often to look for events of other processes, in milliseconds. @defaultValue 200 */
  readonly pollMs?: number;
}

const aStream = check(
  "a text of 1 to 500 characters",
  (value) => typeof value === "string" && value !== "" && value.length <= 500,
);
const STORE_RULES = { causedBy: anObject, headers: anObject };

/**
 * An append-only log of events in streams, and the feeds that take it to event buses.
 *
 * Guarantees: within the ambient transaction if there is one, so that events and the rest of its work are one
 * commit. Each event gets a position shortly after its commit: 1, 2, 3, ... without holes, in the order of each
 * stream. No writer waits for that, and no long transaction hides the events of others.
 *
 * @example
 * const events = new EventStore(db, { types: [Deposited, Withdrawn] });
 * const { state, version } = await events.load("account-1", apply, { balance: 0 });
 * await events.append("account-1", new Deposited(10), { expectedVersion: version });
 */
export class EventStore {
  readonly #db: Database;
  readonly #types: NamedTypes;
  readonly #log: Log;

  /** @throws InvalidOptionsError, also for two classes of one name */
  constructor(db: Database, options: EventStoreOptions) {
    checkOption("new EventStore()", "db", db, required(withMethods("a Database", "query", "transaction")));
    checkOptions<EventStoreOptions>("new EventStore()", options, { types: required(anArray) });
    this.#db = db;
    this.#types = new NamedTypes("EventStore", options.types);
    this.#log = new Log(db);
  }

  /**
   * Appends events to a stream: all of them, or none.
   *
   * @throws ConcurrencyError if the stream is not at `expectedVersion`. Nothing was written; inside a
   * transaction, the rest of it can go on.
   * @throws InvalidMessageError for an event whose exact class is not listed in `types`
   */
  async append(
    stream: string,
    events: object | readonly object[],
    options: AppendOptions = {},
  ): Promise<Appended> {
    checkOption("append()", "stream", stream, required(aStream));
    checkOptions<AppendOptions>("append()", options, { ...STORE_RULES, expectedVersion: wholeNumber(0) });
    const envelopes = this.#envelopes(events, options);
    const { expectedVersion } = options;
    if (envelopes.length === 0) return { envelopes, stream, version: await this.#versionOf(stream) };
    for (;;) {
      const first = await this.#insert(stream, envelopes, expectedVersion);
      if (first !== undefined) {
        this.#db.stored(envelopes, this.#db.wakeUps.events);
        return { envelopes, stream, version: first + envelopes.length - 1 };
      }
      if (expectedVersion === undefined) continue;
      const found = await this.#versionOf(stream);
      throw new ConcurrencyError(stream, expectedVersion, found === expectedVersion ? undefined : found);
    }
  }

  /**
   * Inserts the events in one statement, and returns the version of the first; undefined if the stream has
   * another version. The first takes the version that follows, or waits for the transaction that has taken it;
   * the others are inserted only if the first was, so that no part of them is ever written alone.
   */
  async #insert(
    stream: string,
    [first, ...others]: readonly Envelope[],
    expectedVersion: number | undefined,
  ): Promise<number | undefined> {
    const table = `${this.#db.schema}.events`;
    const columns = "(stream, version, message_id, name, envelope)";
    const values: unknown[] = [stream];
    const parameter = (value: unknown): string => `$${values.push(value)}`;
    const row = rowOf(first!, parameter);
    let version = `coalesce((select version from ${table} where stream = $1 order by version desc limit 1), 0)`;
    let condition = "";
    if (expectedVersion !== undefined) {
      version = `${parameter(expectedVersion)}::int`;
      // A stream with a later version has the next one, which is a conflict.
      if (expectedVersion > 0)
        condition = `where exists (select from ${table} where stream = $1 and version = ${version})`;
    }
    const insertFirst = `insert into ${table} ${columns} select $1, ${version} + 1, ${row} ${condition}
on conflict (stream, version) where stream is not null do nothing returning version`;
    const { rows } = await this.#db.query(
      others.length === 0
        ? insertFirst
        : `with first as (${insertFirst}),
others as (
  insert into ${table} ${columns}
  select $1, first.version + given.n, given.id, given.name, given.envelope
  from first, ${given(others, parameter)} order by given.n
)
select version from first`,
      values,
    );
    return (rows[0] as { version: number } | undefined)?.version;
  }

  /**
   * Stores events without a stream, to be published by feeds: the outbox of the application. An event that is
   * stored already, by the id of its envelope, is not stored again.
   *
   * @throws InvalidMessageError for an event whose exact class is not listed in `types`
   */
  async publish(events: object | readonly object[], options: StoreMessageOptions = {}): Promise<Appended> {
    checkOptions<StoreMessageOptions>("publish()", options, STORE_RULES);
    const envelopes = this.#envelopes(events, options);
    if (envelopes.length === 0) return { envelopes };
    const values: unknown[] = [];
    const parameter = (value: unknown): string => `$${values.push(value)}`;
    const [only, ...others] = envelopes;
    const rows =
      others.length === 0
        ? `values (${rowOf(only!, parameter)})`
        : `select given.id, given.name, given.envelope from ${given(envelopes, parameter)} order by given.n`;
    await this.#db.query(
      `insert into ${this.#db.schema}.events (message_id, name, envelope) ${rows} on conflict (message_id) do nothing`,
      values,
    );
    this.#db.stored(envelopes, this.#db.wakeUps.events);
    return { envelopes };
  }

  /**
   * Reads a stream from its beginning and completes at its end. Cold; reads in pages of 1,000, in the ambient
   * transaction of the subscriber.
   *
   * Errors with InvalidMessageError for an event that cannot be read, or whose class is not listed.
   */
  read(stream: string, options: ReadOptions = {}): Observable<StoredEvent> {
    checkOption("read()", "stream", stream, required(aStream));
    checkOptions<ReadOptions>("read()", options, { after: wholeNumber(0) });
    return new Observable((subscriber) => {
      const read = async (): Promise<void> => {
        for (let after = options.after ?? 0; ;) {
          const rows = await this.#log.stream(stream, after);
          for (const row of rows) {
            if (subscriber.closed) return;
            subscriber.next(storedEvent(row, this.#types));
          }
          if (rows.length < PAGE) break;
          after = rows.at(-1)!.version!;
        }
        subscriber.complete();
      };
      read().catch((error: unknown) => subscriber.error(error));
    });
  }

  /**
   * Returns the state that the events of a stream lead to, and its version.
   *
   * @param apply - returns the next state; a state that it changes in place is fine if `initial` is made for this call
   * @throws InvalidMessageError for an event that cannot be read, or whose class is not listed
   */
  async load<S, E extends object = object>(
    stream: string,
    apply: (state: S, event: E) => S,
    initial: S,
  ): Promise<{ readonly state: S; readonly version: number }> {
    checkOption("load()", "stream", stream, required(aStream));
    let state = initial;
    let version = 0;
    for (let rows; (rows = await this.#log.history(stream, version)).length > 0;) {
      for (const row of rows) {
        state = apply(state, this.#types.readPayload(row.name, row.envelope) as E);
        version = row.version!;
      }
      if (rows.length < FOLDED_PAGE) break;
    }
    return { state, version };
  }

  /**
   * Emits all events of the listed types in the order of their positions, and goes on with new ones. Cold; keeps no
   * checkpoint, and emits inside no transaction.
   *
   * Errors with InvalidMessageError for an event that cannot be read; waits while the database cannot be reached.
   */
  log$(options: LogOptions = {}): Observable<StoredEvent> {
    checkOptions<LogOptions>("log$()", options, { after: wholeNumber(0), pollMs: positiveMilliseconds });
    const { after = 0, pollMs = 200 } = options;
    return new Observable((subscriber) =>
      this.#db.outside(() => {
        let position = after;
        const round = async (): Promise<number> => {
          const head = await this.#log.place();
          if (position >= head) return pollMs;
          const rows = await this.#log.page(this.#types, position, head, PAGE);
          for (const row of rows) {
            if (subscriber.closed) return 0;
            try {
              subscriber.next(storedEvent(row, this.#types));
            } catch (error) {
              subscriber.error(error);
              return 0;
            }
            position = row.position!;
          }
          if (rows.length < PAGE) position = head;
          return 0;
        };
        const poller = new Poller(round, () => pollMs);
        subscriber.add(this.#db.wakeUps.add("events", poller.wake));
        subscriber.add(() => poller.stop());
      }),
    );
  }

  /**
   * Publishes the log on an event bus, in order and once each, and keeps how far it got under `name`. The handlers of
   * an event run in a transaction with the checkpoint: what a projection writes through `db` is written once.
   *
   * Guarantees: one process at a time runs the feed; another that has it open takes over when that one ends or dies.
   * What leaves the database may happen again after a failure, under the same message id. An event that keeps failing
   * stops the feed, which shows on `state$` and `faults$`, or is skipped and kept with `poison: "skip"`.
   *
   * A new name starts at the first event of the log. `feed.close()` ends it.
   *
   * @throws InvalidOptionsError
   * @example
   * eventBus.register(Deposited, ({ account, amount }) =>
   *   db.query("update balances set amount = amount + $1 where account = $2", [amount, account]),
   * );
   * const balances = events.feed("balances", eventBus);
   */
  feed(name: string, eventBus: EventBus, options: FeedOptions = {}): Feed {
    return openFeed(name, eventBus, options, { db: this.#db, log: this.#log, types: this.#types });
  }

  #envelopes(events: object | readonly object[], options: StoreMessageOptions): readonly Envelope[] {
    const list: readonly object[] = Array.isArray(events) ? events : [events];
    const { causedBy, headers } = options;
    return list.map((event) => {
      this.#types.check(isEnvelope(event) ? event.payload : event);
      return toEnvelope(event, { causedBy, headers });
    });
  }

  async #versionOf(stream: string): Promise<number> {
    const { rows } = await this.#db.query(
      `select coalesce(max(version), 0) as version from ${this.#db.schema}.events where stream = $1`,
      [stream],
    );
    return (rows[0] as { version: number }).version;
  }
}
