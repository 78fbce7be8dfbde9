import type { Observable } from "rxjs";
import type { Fault } from "../core/delivery/outcome.js";
import type { EnvelopeJson } from "../core/messages/envelope.js";
import type { MessageType } from "../core/messages/message.js";
import type { Appended } from "./stored-message.js";

/** Tells how often a message is tried again, and how long it waits before: doubled from retry to retry. */
export interface RetryOptions {
  /** How often it is tried again after the first attempt. */
  readonly count?: number;
  /** The wait before the first retry, in milliseconds. */
  readonly delayMs?: number;
  /** The longest wait, in milliseconds. */
  readonly maxDelayMs?: number;
}

export interface FeedOptions {
  /**
   * The classes of the events that are published; other events are passed over.
   * @defaultValue the types of the store
   */
  readonly types?: readonly MessageType[];
  /** How many events are handled in one transaction. @defaultValue 100 */
  readonly batchSize?: number;
  /** How often to look for events of other processes, in milliseconds. @defaultValue 200 */
  readonly pollMs?: number;
  /** @defaultValue \{ count: 10, delayMs: 100, maxDelayMs: 10_000 \} */
  readonly retry?: RetryOptions;
  /**
   * The treatment of an event that failed at every attempt: the feed stops at it, or skips and keeps it.
   * @defaultValue "stop"
   */
  readonly poison?: "stop" | "skip";
}

/** `stopped`: at an event that failed at every attempt, or by `close`. */
export type FeedState = "running" | "stopped";

/** An event that a feed skipped. */
export interface SkippedEvent {
  readonly position: number;
  readonly envelope: EnvelopeJson;
  readonly error: string;
  readonly skippedAt: Date;
}

export interface CaughtUpOptions {
  /** @defaultValue 5_000 */
  readonly timeoutMs?: number;
}

export interface SkippedOptions {
  /** @defaultValue 100 */
  readonly limit?: number;
}

/** A running feed. */
export interface Feed extends AsyncDisposable {
  /**
   * The position up to which all events were handled, after each commit; also of another process that runs the feed.
   */
  readonly committed$: Observable<number>;
  /** The state of the feed in this process, now and as it changes. */
  readonly state$: Observable<FeedState> & { readonly value: FeedState };
  /** Events that failed, and a database that cannot be reached; once each until it works again. */
  readonly faults$: Observable<Fault>;
  /**
   * Resolves when the feed has handled these events, in whichever process it runs: to read your own writes.
   *
   * @throws NotCaughtUpError after `timeoutMs`, or if the feed has stopped in this process, or within the
   * transaction that appended the events
   */
  caughtUp(appended: Appended, options?: CaughtUpOptions): Promise<void>;
  /** Returns the events that were skipped, the oldest first. */
  skipped(options?: SkippedOptions): Promise<readonly SkippedEvent[]>;
  /**
   * Publishes a skipped event again, out of order, and forgets it once its handlers have succeeded. Returns false
   * if it was not skipped; rejects if it fails again.
   */
  retry(position: number): Promise<boolean>;
  /** Describes the feed at this moment, for `inspect` and for logs. `position` is absent before the first look. */
  describe(): {
    readonly name: string;
    readonly state: FeedState;
    readonly position?: number;
    readonly types: readonly string[];
  };
  /** Stops after the event that is handled now; what was handled is committed. */
  close(): Promise<void>;
}
