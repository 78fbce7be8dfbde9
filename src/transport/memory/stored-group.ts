import { startTimer } from "../../core/util/timers.js";
import type { Frame } from "../transport.js";
import type { Member } from "./member.js";

/** A stored message. */
export interface Entry {
  readonly position: number;
  readonly address: string;
  readonly type: string;
  readonly partition: number;
  readonly frame: Frame;
  readonly time: number;
  /** It is delivered once more after it was acknowledged. */
  readonly twice: boolean;
}

/** A consumer of a group. */
export interface Consumer {
  readonly member: Member;
  /** The name of the group, for dead letters. */
  readonly group: string;
  readonly types: ReadonlySet<string>;
  readonly ackWaitMs: number;
  /** How many more deliveries it takes now. */
  room: number;
  readonly deliver: (flight: Flight) => void;
}

/** A message at a consumer. */
export interface Flight {
  readonly entry: Entry;
  readonly attempt: number;
  readonly consumer: Consumer;
}

export interface StoredGroupOptions {
  readonly kind: "command" | "event";
  readonly log: readonly Entry[];
  /** The position after which the group begins. */
  readonly after: number;
  readonly accepts: (entry: Entry) => boolean;
  /** One message at a time; the next one waits for its retries, too. */
  readonly ordered: boolean;
  readonly reaches: (member: Member) => boolean;
  readonly remove: (entry: Entry) => void;
}

interface Waiting {
  readonly entry: Entry;
  readonly attempt: number;
}

/**
 * The position of a group in a log, and its messages in flight. A message that is neither settled nor kept alive
 * within the `ackWaitMs` of its consumer is delivered again.
 */
export class StoredGroup {
  readonly kind: "command" | "event";
  readonly #options: StoredGroupOptions;
  #consumers: Consumer[] = [];
  #position: number;
  /** Messages to be delivered again, now. */
  readonly #again: Waiting[] = [];
  readonly #flights = new Map<number, { flight: Flight; stopTimer: () => void }>();
  /** Retries that wait, by position. */
  readonly #delayed = new Map<number, { waiting: Waiting; stopTimer: () => void }>();
  #pumping = false;

  constructor(options: StoredGroupOptions) {
    this.kind = options.kind;
    this.#options = options;
    this.#position = options.after;
  }

  join(consumer: Consumer): void {
    this.#consumers.push(consumer);
    this.pump();
  }

  leave(consumer: Consumer): void {
    this.#consumers = this.#consumers.filter((other) => other !== consumer);
  }

  /** Delivers what can be delivered. */
  pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    try {
      for (;;) {
        if (this.#options.ordered && this.#flights.size + this.#delayed.size > 0) return;
        const index = this.#consumers.findIndex(
          ({ room, member }) => room > 0 && this.#options.reaches(member),
        );
        if (index < 0) return;
        const [consumer] = this.#consumers.splice(index, 1);
        this.#consumers.push(consumer!);
        const next = this.#again.shift() ?? this.#next();
        if (next === undefined) return;
        this.#start(next, consumer!);
      }
    } finally {
      this.#pumping = false;
    }
  }

  /** Returns the next new message of the log, by binary search, because commands are removed from it. */
  #next(): Waiting | undefined {
    const { log, accepts } = this.#options;
    let [low, high] = [0, log.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (log[middle]!.position <= this.#position) low = middle + 1;
      else high = middle;
    }
    for (let at = low; at < log.length; at++) {
      const entry = log[at]!;
      this.#position = entry.position;
      if (accepts(entry)) return { entry, attempt: 0 };
    }
    return undefined;
  }

  #start({ entry, attempt }: Waiting, consumer: Consumer): void {
    const flight: Flight = { entry, attempt: attempt + 1, consumer };
    // Passed by.
    if (!consumer.types.has(entry.type)) {
      this.#options.remove(entry);
      return;
    }
    consumer.room--;
    this.#flights.set(entry.position, { flight, stopTimer: this.#expiry(flight) });
    void Promise.resolve().then(() => consumer.deliver(flight));
  }

  #expiry(flight: Flight): () => void {
    return startTimer(flight.consumer.ackWaitMs, () => this.#lost(flight));
  }

  #lost(flight: Flight): void {
    if (!this.#land(flight)) return;
    this.#again.push(flight);
    this.pump();
  }

  /** Returns whether the flight was the present one of its message. */
  #land(flight: Flight): boolean {
    const present = this.#flights.get(flight.entry.position);
    if (present?.flight !== flight) return false;
    present.stopTimer();
    this.#flights.delete(flight.entry.position);
    return true;
  }

  /** Prolongs the time of a flight. */
  keepAlive(flight: Flight): void {
    const present = this.#flights.get(flight.entry.position);
    if (present?.flight !== flight) return;
    present.stopTimer();
    present.stopTimer = this.#expiry(flight);
  }

  ack(flight: Flight): void {
    const { entry, attempt } = flight;
    // A late acknowledgement counts, too: the message was handled.
    const present = this.#flights.get(entry.position);
    present?.stopTimer();
    this.#flights.delete(entry.position);
    this.#delayed.get(entry.position)?.stopTimer();
    this.#delayed.delete(entry.position);
    const again = this.#again.findIndex((waiting) => waiting.entry === entry);
    if (again >= 0) this.#again.splice(again, 1);
    if (entry.twice && attempt === 1) this.#again.push(flight);
    else this.#options.remove(entry);
    this.pump();
  }

  retry(flight: Flight, delayMs: number): void {
    if (!this.#land(flight)) return;
    const { position } = flight.entry;
    // A timer for no delay, too, because a message that is given back again and again would hold the event loop.
    const stopTimer = startTimer(delayMs, () => {
      this.#delayed.delete(position);
      this.#again.push(flight);
      this.pump();
    });
    this.#delayed.set(position, { waiting: flight, stopTimer });
    this.pump();
  }
}
