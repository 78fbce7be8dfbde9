import type { InspectedError, InspectedMessage, InspectedState } from "./protocol.js";

/** The part of a record that is known at acceptance. */
export type Accepted = Omit<InspectedMessage, keyof Ended>;
type Ended = Pick<InspectedMessage, "state" | "durationMs" | "attempts" | "result" | "error">;

/** A record in the ring. Holds texts and numbers only, never an object of the application. */
export class KeptMessage {
  readonly accepted: Accepted;
  /** The version of the recorder when the record was made. */
  readonly acceptedAt: number;
  /** Whether it counts for its family; not for a failure that was kept although its family was not. */
  readonly ofFamily: boolean;
  state: InspectedState = "open";
  durationMs: number | undefined = undefined;
  attempts = 1;
  result: string | undefined = undefined;
  error: InspectedError | undefined = undefined;
  bytes: number;
  /** The version of the recorder when the record was settled. */
  settledAt = 0;

  constructor(accepted: Accepted, acceptedAt: number, ofFamily: boolean) {
    this.accepted = accepted;
    this.acceptedAt = acceptedAt;
    this.ofFamily = ofFamily;
    const { id, correlationId, causationId, payload, headers } = accepted;
    this.bytes = RECORD_BYTES + bytesOf(id, correlationId, causationId, payload, headers);
  }

  get order(): number {
    return this.accepted.order;
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
    this.bytes += bytesOf(result, error?.name, error?.message, error?.stack);
  }

  toPlain(): InspectedMessage {
    return { ...this.accepted, ...this.end() };
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

function bytesOf(...texts: readonly (string | undefined)[]): number {
  let bytes = 0;
  // A string with a character above U+00FF takes two bytes for each.
  for (const text of texts) if (text !== undefined) bytes += isLatin1(text) ? text.length : 2 * text.length;
  return bytes;
}

function isLatin1(text: string): boolean {
  // eslint-disable-next-line no-control-regex -- the range of one byte
  return !/[^\x00-\xff]/.test(text);
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
