import type { Observable } from "rxjs";
import type { CqrsError } from "../core/errors.js";

/** The state of a connection: `degraded` means that it may be half open, `closed` is final. */
export type LinkState = "connected" | "degraded" | "disconnected" | "closed";

/** A message on the wire. A link writes it and reads it; a transport only moves it. */
export interface Frame {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** The properties of an engine. */
export interface TransportFeatures {
  /** The largest frame, headers and body together. */
  readonly maxBytes: number;
  /** Request and reply. Without it, `route` takes `until: "stored"` only. */
  readonly calls: boolean;
  /** Durable messages. */
  readonly stored: boolean;
  /** Events that were stored earlier can be read again. */
  readonly replay: boolean;
  /** True if the engine hands on messages of one key in order. */
  readonly order: "key" | "none";
  /** `retry(delayMs)` waits; without it, the link waits and holds the delivery meanwhile. */
  readonly delayedRetry: boolean;
  /** How long a second `append` of an id is recognised, in milliseconds. */
  readonly dedupeWindowMs: number;
}

/** The position from which a new group, or a replay, reads. A group that exists goes on where it was. */
export type Start = "new" | "all" | Date | { readonly after: string };

/** Something that receives until it is closed. */
export interface Listener {
  /**
   * Stops receiving. Resolves once no further call to the handler will come; what was fetched and not started is
   * given back.
   */
  close(): Promise<void>;
}

/** A call that a process received. */
export interface IncomingCall {
  readonly frame: Frame;
  /** Sends a frame to the caller; nothing may follow the last one. */
  reply(frame: Frame, last: boolean): void;
  onCancel(listener: () => void): void;
  /** Calls the listener with the number of values that the caller takes in addition; 0 is a sign of life. */
  onCredit(listener: (count: number) => void): void;
}

export interface AnswerOptions {
  /** Each call goes to one process of a group. */
  readonly group: string;
  /** Called with the reason for a call that is not handed on, such as one whose reply would go elsewhere. */
  readonly refused?: (reason: string) => void;
}

/** The listener of a call that this process sends. */
export interface CallEvents {
  /** The name of the message type, for errors. */
  readonly type: string;
  /** The frame has left, so that the call may be handled from now on. */
  sent(): void;
  frame(frame: Frame): void;
  /** The call ended without a last frame. */
  error(error: CqrsError): void;
}

/** A call that this process sent. */
export interface OutgoingCall {
  /** Tells the other side to stop, and stops listening. */
  cancel(): void;
  /** Allows `count` more values; 0 is a sign of life. */
  credit(count: number): void;
}

export interface AppendOptions {
  /** A second append of an id within the dedupe window stores nothing. */
  readonly id: string;
  /** The name of the message type, for errors. */
  readonly type: string;
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
}

export interface AppendResult {
  readonly duplicate: boolean;
  readonly position: string;
}

export interface ConsumeOptions {
  readonly kind: "command" | "event";
  /** The addresses of stored messages end in one of these names; messages of other types are passed by. */
  readonly types: readonly string[];
  /** Each message goes to one consumer of a group. The position of a group outlives its consumers. */
  readonly group: string;
  /** How many deliveries may run at once. */
  readonly concurrency: number;
  /**
   * How long a delivery without a sign of life is left to a consumer, in milliseconds. The transport gives the
   * signs while it runs.
   */
  readonly ackWaitMs: number;
  readonly start: Start;
  /** With `"key"`, one delivery at a time for each partition, and a retry holds its partition. */
  readonly order: "none" | "key";
  readonly partitions: number;
}

/** The reasons for which a message goes to the dead letters. */
export type DeadLetterReason = "max-attempts" | "unrecoverable" | "undecodable" | "unknown-type";

/** A stored message that is being handled. It is settled once, by one of its three methods. */
export interface StoredDelivery {
  readonly frame: Frame;
  /** How often the message was delivered to the group, from 1. */
  readonly attempt: number;
  readonly position: string;
  /** Marks the message as handled by the group. */
  ack(): Promise<void>;
  /** Gives the message back, to be delivered again after `delayMs`. */
  retry(delayMs: number): Promise<void>;
  /**
   * Moves the message to the dead letters: stored there first, marked as handled then. Rejects if it could not be
   * stored.
   */
  dead(reason: DeadLetterReason, detail: string): Promise<void>;
}

/** A message that was given up. */
export interface DeadLetter {
  readonly id: string;
  readonly messageId: string;
  readonly messageType: string;
  readonly reason: DeadLetterReason;
  /** The error, without a payload. */
  readonly detail: string;
  readonly attempts: number;
  readonly group: string;
  /** The time of giving up, in milliseconds since the epoch. */
  readonly time: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
  /** How often it was replayed before. */
  readonly replayCount: number;
}

/** The messages that were given up, oldest first. */
export interface DeadLetters {
  list(options?: { readonly limit?: number /* 100 */ }): Promise<readonly DeadLetter[]>;
  /** Stores the message again, for its group only, with attempts counted anew, and removes the letter. */
  replay(id: string): Promise<void>;
  /** Removes the letter. */
  discard(id: string): Promise<void>;
}

/**
 * The seam between a link and an engine. A transport moves frames and knows nothing about buses, classes or
 * envelopes. `transportSuite` of `cqrx/testing` is its specification in code.
 *
 * Addresses: `r.<c or q>.<type>` for calls, `s.<c or e>.<partition>.<type>` for stored messages. A type may hold
 * any character.
 */
export interface Transport {
  readonly name: string;
  readonly features: TransportFeatures;
  /** Emits the present state first. */
  readonly state$: Observable<LinkState>;
  /**
   * Sends a call to one process of those that answer the address: at most once. Waits for a connection first.
   * Without an answering process it errors with `HandlerNotFoundError` at once.
   */
  call(address: string, frame: Frame, events: CallEvents): OutgoingCall;
  /** Answers calls. Resolves when other processes can reach this one. */
  answer(address: string, options: AnswerOptions, handler: (call: IncomingCall) => void): Promise<Listener>;
  /**
   * Stores a message: at least once, and once within the dedupe window.
   *
   * @throws NotSentError if nothing has left this process, OutcomeUnknownError if it may have been stored
   */
  append(address: string, frame: Frame, options: AppendOptions): Promise<AppendResult>;
  /**
   * Consumes stored messages. The promise of the handler is the back-pressure: at most `concurrency` are pending.
   * A rejection leaves the message unsettled.
   */
  consume(
    options: ConsumeOptions,
    handler: (delivery: StoredDelivery) => Promise<void>,
  ): Promise<readonly Listener[]>;
  /** Reads the stored messages of a kind in order, and stays for those to come. Needs `features.replay`. */
  read(
    options: { readonly kind: "command" | "event"; readonly start: Start },
    frame: (frame: Frame, position: string) => void,
  ): Promise<Listener>;
  readonly deadLetters: DeadLetters;
  close(): Promise<void>;
}

/** The header of a stored message with the name of its type, percent-encoded. */
export const TYPE_HEADER = "cqrx-type";
/** The header with the id of the message, percent-encoded. */
export const ID_HEADER = "cqrx-id";
/** The header with the one group that a replayed dead letter is for, percent-encoded. */
export const GROUP_HEADER = "cqrx-group";
/** The header with the number of times that a dead letter was replayed. */
export const REPLAYS_HEADER = "cqrx-replays";

/** Returns the text of a header as a link wrote it: `""` if it is missing, or if no link wrote it. */
export function headerText({ headers }: Frame, name: string): string {
  try {
    return decodeURIComponent(headers[name] ?? "");
  } catch {
    return "";
  }
}
