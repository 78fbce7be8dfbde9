import type { InspectedError, InspectedKind, InspectedMessage, InspectedState } from "./protocol.js";
import type { Family } from "./sampling.js";

/** The part of a record that is known at acceptance. */
export type Accepted = Pick<
  KeptMessage,
  "order" | "kind" | "name" | "bus" | "id" | "correlationId" | "causationId" | "time" | "payload" | "headers"
>;
type Ended = Pick<InspectedMessage, "state" | "durationMs" | "attempts" | "result" | "error">;

/** A record in the ring. Holds texts and numbers only, never an object of the application. */
export class KeptMessage {
  readonly order: number;
  readonly kind: InspectedKind;
  readonly name: string;
  readonly bus: string;
  readonly id: string;
  readonly correlationId: string;
  readonly causationId: string | undefined;
  readonly time: number;
  readonly payload: string | undefined;
  readonly headers: string | undefined;
  /** The version of the recorder when the record was made. */
  readonly acceptedAt: number;
  /** The family that it counts for; a failure that was kept although its family was not has none. */
  readonly family: Family | undefined;
  state: InspectedState = "open";
  durationMs: number | undefined = undefined;
  attempts = 1;
  result: string | undefined = undefined;
  error: InspectedError | undefined = undefined;
  bytes: number;
  /** The version of the recorder when the record was settled. */
  settledAt = 0;

  // One object for all, because the garbage collector copies each one that stays.
  constructor(accepted: Accepted, acceptedAt: number, family: Family | undefined) {
    this.order = accepted.order;
    this.kind = accepted.kind;
    this.name = accepted.name;
    this.bus = accepted.bus;
    this.id = accepted.id;
    this.correlationId = accepted.correlationId;
    this.causationId = accepted.causationId;
    this.time = accepted.time;
    this.payload = accepted.payload;
    this.headers = accepted.headers;
    this.acceptedAt = acceptedAt;
    this.family = family;
    // Two bytes for each character of an id, because looking at them costs more than they take.
    const ids = this.id.length + this.correlationId.length + (this.causationId?.length ?? 0);
    this.bytes = RECORD_BYTES + 2 * ids + bytesOf(this.payload) + bytesOf(this.headers);
  }

  settle(
    at: number,
    state: Exclude<InspectedState, "open">,
    durationMs: number | undefined,
    attempts: number,
    result: string | undefined,
    error: InspectedError | undefined,
  ): void {
    this.settledAt = at;
    this.state = state;
    this.durationMs = durationMs;
    this.attempts = attempts;
    this.result = result;
    this.error = error;
    this.bytes += bytesOf(result);
    if (error !== undefined)
      this.bytes += bytesOf(error.name) + bytesOf(error.message) + bytesOf(error.stack);
  }

  toPlain(): InspectedMessage {
    const { order, kind, name, bus, id, correlationId, causationId, time, payload, headers } = this;
    return {
      ...{ order, kind, name, bus, id, correlationId, time },
      ...(causationId !== undefined && { causationId }),
      ...(payload !== undefined && { payload }),
      ...(headers !== undefined && { headers }),
      ...this.end(),
    };
  }

  /** Returns how the message ended, as far as it has. */
  end(): Ended {
    const { state, durationMs, attempts, result, error } = this;
    return {
      state,
      ...(durationMs !== undefined && { durationMs }),
      attempts,
      ...(result !== undefined && { result }),
      ...(error !== undefined && { error }),
    };
  }
}

/** The bytes of a record beside its texts. */
const RECORD_BYTES = 200;

/**
 * A string with a character above U+00FF takes two bytes for each. Searching it also makes the engine join the pieces
 * that it was made of, which would be kept alive otherwise.
 */
function bytesOf(text: string | undefined): number {
  if (text === undefined) return 0;
  // eslint-disable-next-line no-control-regex -- the range of one byte
  return /[^\x00-\xff]/.test(text) ? 2 * text.length : text.length;
}

/** The kept messages, oldest first, bounded in count and in bytes. */
export class Ring {
  bytes = 0;
  readonly #capacity: number;
  readonly #maxBytes: number;
  readonly #left: (record: KeptMessage) => void;
  #records: KeptMessage[] = [];
  /** Index of the oldest record; those before it have left. */
  #first = 0;

  /** @param left - called for each record that leaves */
  constructor(capacity: number, maxBytes: number, left: (record: KeptMessage) => void) {
    this.#capacity = capacity;
    this.#maxBytes = maxBytes;
    this.#left = left;
  }

  get size(): number {
    return this.#records.length - this.#first;
  }

  /** The order of the oldest record, or of the next one if there are none. */
  oldest(next: number): number {
    return this.#records[this.#first]?.order ?? next;
  }

  add(record: KeptMessage): void {
    this.#records.push(record);
    this.bytes += record.bytes;
    this.#shrink();
  }

  /** Counts the text that a record gained. */
  grew(record: KeptMessage, bytes: number): void {
    // A record that has left is no longer counted.
    if (record.order < this.oldest(Infinity)) return;
    this.bytes += bytes;
    this.#shrink();
  }

  toArray(): readonly KeptMessage[] {
    return this.#records.slice(this.#first);
  }

  #shrink(): void {
    while (this.size > 0 && (this.size > this.#capacity || this.bytes > this.#maxBytes)) {
      const record = this.#records[this.#first]!;
      this.#records[this.#first++] = undefined!;
      this.bytes -= record.bytes;
      this.#left(record);
    }
    if (this.#first < 1_024 || this.#first < this.#records.length / 2) return;
    this.#records = this.#records.slice(this.#first);
    this.#first = 0;
  }
}
