import type { Closeable, DeliveryHost } from "../delivery/delivery-host.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import { reportingErrors } from "../delivery/reporting-errors.js";
import { BusClosedError } from "../errors.js";
import { LONGEST_TIMEOUT_MS } from "../util/timers.js";
import type { InFlight } from "./in-flight.js";
import type { CloseReport } from "./options.js";

/**
 * Closes a bus: waits for the messages in flight, together with its group, until the shortest deadline, aborts the
 * others, and reports.
 */
export class Closing {
  readonly report: Promise<CloseReport>;
  /** The deadline has passed, so that not even messages in flight may cause more. */
  over = false;
  /** The deadline as a time of `performance.now()`. */
  deadlineMs = Infinity;
  readonly host: DeliveryHost;
  /** The buses that close together with this one. */
  group = new ClosingGroup(this);
  readonly #inFlight: InFlight;
  readonly #closeables: ReadonlySet<Closeable>;
  /** Parts that were asked to complete, and have not. */
  readonly #completing = new Set<Closeable>();
  #flushed = false;
  #asked = false;
  readonly #stopped: () => void;
  #finished = 0;
  #tell!: (report: CloseReport) => void;

  constructor(
    host: DeliveryHost,
    inFlight: InFlight,
    closeables: ReadonlySet<Closeable>,
    stopped: () => void,
  ) {
    this.host = host;
    this.#inFlight = inFlight;
    this.#closeables = closeables;
    this.#stopped = stopped;
    this.report = new Promise((resolve) => (this.#tell = resolve));
  }

  /** Counts a message that has settled. */
  ended(): void {
    this.#finished++;
    if (!this.busy) this.group.endWhenIdle();
  }

  /** Returns whether a message is in flight, other than those that start after the deadline. */
  get busy(): boolean {
    const { count } = this.#inFlight;
    for (const { delayed } of this.#closeables) {
      if (delayed?.size === count && [...delayed.values()].every((dueMs) => dueMs > this.deadlineMs))
        return false;
    }
    return count > 0;
  }

  get completing(): boolean {
    return this.#completing.size > 0;
  }

  /** Asks each part once to release the messages that it holds. */
  flush(): void {
    if (this.#flushed) return;
    this.#flushed = true;
    this.#tellParts((part) => part.flush?.());
  }

  /** Asks each part once to complete. */
  complete(): void {
    if (this.#asked || this.over) return;
    this.#asked = true;
    // Count all parts before asking the first, because one that completes synchronously would end the bus for the
    // others.
    for (const part of this.#closeables) if ("complete" in part) this.#completing.add(part);
    for (const part of this.#completing)
      part.complete!(() => {
        this.#completing.delete(part);
        if (!this.completing) this.group.endWhenIdle();
      });
  }

  #tellParts(tell: (part: Closeable) => void): void {
    const source = `close() of ${this.host.name}`;
    for (const part of this.#closeables) reportingErrors(this.host, source, () => tell(part));
  }

  /** Aborts what is left, after `over` was set. */
  finish(): void {
    const finished = this.#finished;
    const left = this.#inFlight.toArray();
    const aborted = left.map(({ id }) => id);
    const unfinished = Array.from(this.#completing, ({ name }) => name!);
    for (const delivery of left) delivery.cancel(new BusClosedError(this.host.name, delivery.typeName));
    this.#tellParts((part) => part.stop?.());
    this.#stopped();
    const tell = (): void => {
      const abandoned = left.filter(worksOn).map(({ id }) => id);
      this.#tell({ finished, aborted, abandoned, ...(unfinished.length > 0 && { unfinished }) });
    };
    // A handler that heeds its signal has stopped one macrotask later.
    if (left.some(worksOn)) setTimeout(tell, 0);
    else tell();
  }
}

/**
 * Buses that close together, so that each waits for the work of the others. A bus that closes alone is a group of one.
 */
export class ClosingGroup {
  readonly #members: Closing[];
  readonly #timers: ReturnType<typeof setTimeout>[] = [];

  constructor(first: Closing) {
    this.#members = [first];
  }

  /** Returns whether work of `host` is work in flight for these buses, too. */
  has(host: DeliveryHost | undefined): boolean {
    return this.#members.some((member) => member.host === host);
  }

  /** Takes in the buses of another group, with their deadlines. */
  join(other: ClosingGroup): void {
    if (other === this) return;
    for (const member of other.#members) member.group = this;
    // Empty the other group, because it may still check in a microtask whether its buses are idle.
    this.#members.push(...other.#members.splice(0));
    this.#timers.push(...other.#timers.splice(0));
  }

  get #open(): readonly Closing[] {
    return this.#members.filter(({ over }) => !over);
  }

  /**
   * Ends in a microtask, after the callers and observers of the last message have been told, unless sagas still work.
   */
  endWhenIdle(): void {
    void Promise.resolve().then(() => {
      const open = this.#open;
      // Sagas receive the events of every command in flight. Queries cause no events, and some have no end.
      if (open.some(({ busy, host }) => busy && host.kind !== "query")) return;
      for (const member of open) member.complete();
      if (!open.some(({ busy, completing }) => busy || completing)) this.end(open);
    });
  }

  /**
   * Sets one deadline for some of the buses, at least one. The sagas complete at half of it, so that a handler
   * that hangs does not take their time.
   */
  endAfter(timeoutMs: number, members: readonly Closing[]): void {
    if (members.every(({ over }) => over) || timeoutMs > LONGEST_TIMEOUT_MS) return;
    for (const member of members)
      member.deadlineMs = Math.min(member.deadlineMs, performance.now() + timeoutMs);
    this.#timers.push(
      setTimeout(() => members.forEach((member) => member.complete()), timeoutMs / 2),
      setTimeout(() => members[0]!.group.end(members), timeoutMs),
    );
  }

  end(members: readonly Closing[]): void {
    const ending = members.filter(({ over }) => !over);
    // Refuse messages first. If observers saw the end first, the bus would accept a message that they dispatch then.
    for (const member of ending) member.over = true;
    if (this.#open.length === 0) this.#timers.forEach(clearTimeout);
    for (const member of ending) member.finish();
    if (ending.length > 0) this.endWhenIdle();
  }
}

function worksOn({ madeLinks }: LiveDelivery): boolean {
  return madeLinks?.unfinished !== undefined;
}
