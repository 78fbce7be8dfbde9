/** How many families that were dropped are remembered, in two generations. */
const REMEMBERED = 8_192;
/** How long a message of an unknown family may belong to one whose first message was dropped. */
const UNKNOWN_MS = 10_000;
/** The budget may be overdrawn by the members of families that were kept, up to this many seconds of it. */
const OVERDRAFT_SECONDS = 10;

/** A budget of so many a second; what was not used is kept for a burst of one second's worth. */
export class Budget {
  readonly #perSecond: number;
  #filledMs = 0;
  #tokens: number;
  /** The time of the last refusal, and the time until which it holds. */
  #refusedMs = 0;
  #untilMs = 0;

  constructor(perSecond: number) {
    this.#perSecond = this.#tokens = perSecond;
  }

  /** @param overdraft - how far below zero it may go */
  take(nowMs: number, overdraft = 0): boolean {
    // Most messages of a flood come here, and cost two comparisons. A clock that was set back proves nothing.
    if (nowMs < this.#untilMs && nowMs >= this.#refusedMs && overdraft === 0) return false;
    return this.#fill(nowMs, overdraft);
  }

  #fill(nowMs: number, overdraft: number): boolean {
    const added = Math.max(0, ((nowMs - this.#filledMs) / 1_000) * this.#perSecond);
    this.#filledMs = nowMs;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + added);
    if (this.#tokens + overdraft >= 1) {
      this.#tokens--;
      return true;
    }
    this.#refusedMs = nowMs;
    this.#untilMs = nowMs + ((1 - this.#tokens) / this.#perSecond) * 1_000;
    return false;
  }
}

/** The records of a family in the ring. */
export interface Family {
  readonly correlationId: string;
  kept: number;
  /** True if it can be found by its correlation id. */
  found: boolean;
}

/**
 * Decides which messages are kept: a message and everything that it caused are kept or dropped together. Messages
 * belong together by their correlation id.
 *
 * The first message of a family takes from a budget of `maxPerSecond`; the others follow its fate, and may
 * overdraw the budget. A first message that is dropped costs no metadata.
 */
export class Sampling {
  readonly #overdraft: number;
  readonly #budget: Budget;
  readonly #kept = new Map<string, Family>();
  /**
   * Families of one message, oldest first, that are not yet in `#kept`, because most messages cause no other one: a
   * map of them would cost a tenth of keeping a message. They leave in this order.
   */
  #single: Family[] = [];
  /** Index of the oldest of them; those before it have left. */
  #firstSingle = 0;
  /** Dropped families that another process began. */
  #dropped = new Set<string>();
  #droppedBefore = new Set<string>();
  #firstDroppedMs = -Infinity;

  constructor(maxPerSecond: number) {
    this.#budget = new Budget(maxPerSecond);
    this.#overdraft = OVERDRAFT_SECONDS * maxPerSecond;
  }

  /**
   * Returns whether a message is kept.
   *
   * @param family - the correlation id of a message that has a cause
   */
  keeps(nowMs: number, family: string | undefined): boolean {
    if (family === undefined) {
      if (this.#budget.take(nowMs)) return true;
      this.#firstDroppedMs = nowMs;
      return false;
    }
    this.#findSingle();
    if (this.#kept.has(family)) return this.#budget.take(nowMs, this.#overdraft);
    // Its first message was dropped here, or came to another process.
    if (nowMs - this.#firstDroppedMs < UNKNOWN_MS) return false;
    if (this.#dropped.has(family) || this.#droppedBefore.has(family)) return false;
    if (this.#budget.take(nowMs)) return true;
    this.#drop(family);
    return false;
  }

  /** Counts the record of the first message of a family in, and returns the family. */
  began(correlationId: string): Family {
    const family = { correlationId, kept: 1, found: false };
    this.#single.push(family);
    return family;
  }

  /** Counts the record of a message in that another one caused, and returns its family. */
  joined(correlationId: string): Family {
    let family = this.#kept.get(correlationId);
    if (family === undefined)
      this.#kept.set(correlationId, (family = { correlationId, kept: 0, found: true }));
    family.kept++;
    return family;
  }

  /** Counts a record out. */
  left(family: Family): void {
    if (--family.kept > 0) return;
    if (!family.found) return this.#singleLeft();
    // A later first message of the same correlation id has begun a family of its own.
    if (this.#kept.get(family.correlationId) === family) this.#kept.delete(family.correlationId);
  }

  #findSingle(): void {
    if (this.#single.length === 0) return;
    for (let index = this.#firstSingle; index < this.#single.length; index++) {
      const family = this.#single[index]!;
      family.found = true;
      this.#kept.set(family.correlationId, family);
    }
    this.#single = [];
    this.#firstSingle = 0;
  }

  #singleLeft(): void {
    this.#single[this.#firstSingle++] = undefined!;
    if (this.#firstSingle < 1_024 || this.#firstSingle < this.#single.length / 2) return;
    this.#single = this.#single.slice(this.#firstSingle);
    this.#firstSingle = 0;
  }

  #drop(family: string): void {
    if (this.#dropped.size >= REMEMBERED) {
      this.#droppedBefore = this.#dropped;
      this.#dropped = new Set();
    }
    this.#dropped.add(family);
  }
}
