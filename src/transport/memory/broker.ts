import { checkOptions, wholeNumber } from "../../core/checks.js";
import { parseStoredAddress } from "../address.js";
import {
  GROUP_HEADER,
  REPLAYS_HEADER,
  type AppendResult,
  type DeadLetter,
  type Frame,
} from "../transport.js";
import type { Member } from "./member.js";
import type { StoredGroup, Entry } from "./stored-group.js";

/** A process that answers an address. */
export interface Responder {
  readonly member: Member;
  readonly answer: (call: BrokeredCall) => void;
}

/** A call on its way: the two ends of a wire. */
export interface BrokeredCall {
  readonly frame: Frame;
  readonly caller: Member;
  toCaller(frame: Frame, last: boolean): void;
  onCancel?: () => void;
  onCredit?: (count: number) => void;
}

export interface MemoryBrokerOptions {
  /**
   * How many events are kept; the oldest are dropped first, also for groups that have not read them.
   * @defaultValue 100_000
   */
  readonly maxEvents?: number;
}

/**
 * A message broker in the memory of this process: one broker is one network. Transports that share it see each other.
 * For tests it can fail in the ways in which servers and networks do.
 *
 * @example
 * const broker = new MemoryBroker();
 * const [orders, shipping] = [await memoryTransport({ broker }), await memoryTransport({ broker })];
 */
export class MemoryBroker {
  readonly #maxEvents: number;
  readonly #members = new Set<Member>();
  readonly #cutOff = new Set<Member>();
  readonly #responders = new Map<string, Map<string, Responder[]>>();
  readonly #logs = { command: [] as Entry[], event: [] as Entry[] };
  readonly #groups = new Map<string, StoredGroup>();
  readonly #readers = new Set<(entry: Entry) => void>();
  readonly #ids = { command: new Map<string, Stored>(), event: new Map<string, Stored>() };
  readonly #deadLetters = new Map<string, DeadLetter & { readonly address: string }>();
  #positions = 0;
  #up = true;
  #duplicates = 0;
  #deadLettersRefused = false;

  /** @throws InvalidOptionsError */
  constructor(options: MemoryBrokerOptions = {}) {
    checkOptions<MemoryBrokerOptions>("new MemoryBroker()", options, { maxEvents: wholeNumber(1) });
    this.#maxEvents = options.maxEvents ?? 100_000;
  }

  // Faults ---------------------------------------------------------------------------------------------------------

  /** Stops at once, as by SIGKILL: calls on their way are lost, stored messages stay. */
  crash(): void {
    if (!this.#up) return;
    this.#up = false;
    for (const member of this.#members) if (!this.#cutOff.has(member)) member.disconnected();
  }

  restart(): void {
    if (this.#up) return;
    this.#up = true;
    for (const member of [...this.#members]) if (!this.#cutOff.has(member)) member.connected();
    this.#pump();
  }

  /** Cuts a transport off: nothing reaches it, and nothing that it sends arrives. */
  partition(member: object): void {
    if (!this.#members.has(member as Member) || this.#cutOff.has(member as Member)) return;
    this.#cutOff.add(member as Member);
    if (this.#up) (member as Member).disconnected();
  }

  /** Ends a partition. */
  heal(member: object): void {
    if (!this.#cutOff.delete(member as Member) || !this.#up) return;
    (member as Member).connected();
    this.#pump();
  }

  /** Delivers each of the next `count` stored messages a second time after it was acknowledged. */
  duplicate(count = 1): void {
    this.#duplicates += count;
  }

  /** Refuses, or accepts again, to store dead letters. */
  refuseDeadLetters(refused = true): void {
    this.#deadLettersRefused = refused;
  }

  // Members --------------------------------------------------------------------------------------------------------

  /** @internal */
  join(member: Member): void {
    this.#members.add(member);
  }

  /** @internal */
  leave(member: Member): void {
    this.#members.delete(member);
    this.#cutOff.delete(member);
  }

  /** @internal Whether a member is connected. */
  reaches(member: Member): boolean {
    return this.#up && this.#members.has(member) && !this.#cutOff.has(member);
  }

  // Calls ----------------------------------------------------------------------------------------------------------

  /** @internal */
  answer(address: string, group: string, responder: Responder): () => void {
    const groups = this.#responders.get(address) ?? new Map<string, Responder[]>();
    this.#responders.set(address, groups);
    groups.set(group, [...(groups.get(group) ?? []), responder]);
    return () =>
      groups.set(
        group,
        groups.get(group)!.filter((other) => other !== responder),
      );
  }

  /** @internal Takes a call to one responder of each group, in turn. Returns false if there is none. */
  call(address: string, call: BrokeredCall): boolean {
    let found = false;
    for (const [group, responders] of this.#responders.get(address) ?? []) {
      const next = responders.find(({ member }) => this.reaches(member));
      if (next === undefined) continue;
      found = true;
      this.#responders.get(address)!.set(group, [...responders.filter((each) => each !== next), next]);
      // A wire is never synchronous.
      void Promise.resolve().then(() => this.reaches(next.member) && next.answer(call));
    }
    return found;
  }

  // Storage --------------------------------------------------------------------------------------------------------

  /** @internal */
  append(address: string, frame: Frame, id: string, windowMs: number): AppendResult {
    const { kind, partition, type } = parseStoredAddress(address);
    const now = Date.now();
    const ids = this.#ids[kind];
    for (const [old, { time }] of ids) {
      if (time + windowMs > now) break;
      ids.delete(old);
    }
    const known = ids.get(id);
    if (known !== undefined) return { duplicate: true, position: known.position };
    const position = String(++this.#positions);
    ids.set(id, { position, time: now });
    const twice = this.#duplicates > 0;
    if (twice) this.#duplicates--;
    const entry: Entry = { position: this.#positions, address, type, partition, frame, time: now, twice };
    const log = this.#logs[kind];
    log.push(entry);
    if (kind === "event" && log.length > this.#maxEvents) log.shift();
    for (const read of kind === "event" ? this.#readers : []) read(entry);
    for (const group of this.#groups.values()) if (group.kind === kind) group.pump();
    return { duplicate: false, position };
  }

  /** @internal Returns the group of a name, which is made on first use. */
  group(name: string, make: (log: readonly Entry[]) => StoredGroup, kind: "command" | "event"): StoredGroup {
    let group = this.#groups.get(name);
    if (group === undefined) this.#groups.set(name, (group = make(this.#logs[kind])));
    return group;
  }

  /** @internal Removes a command that was handled. */
  remove(kind: "command" | "event", entry: Entry): void {
    if (kind === "event") return;
    const index = this.#logs.command.indexOf(entry);
    if (index >= 0) this.#logs.command.splice(index, 1);
  }

  /** @internal Reads what is stored and what will be. */
  read(kind: "command" | "event", from: (entry: Entry) => boolean, take: (entry: Entry) => void): () => void {
    for (const entry of this.#logs[kind].filter(from)) take(entry);
    if (kind === "command") return () => undefined;
    const reader = (entry: Entry): void => take(entry);
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  }

  /** @internal The position of the last message. */
  get lastPosition(): number {
    return this.#positions;
  }

  #pump(): void {
    for (const group of this.#groups.values()) group.pump();
  }

  // Dead letters ---------------------------------------------------------------------------------------------------

  /** @internal @throws Error if dead letters are refused */
  bury(letter: DeadLetter, address: string): void {
    if (this.#deadLettersRefused) throw new Error("The store of dead letters refuses.");
    this.#deadLetters.set(letter.id, { ...letter, address });
  }

  /** @internal */
  letters(limit: number): readonly DeadLetter[] {
    return [...this.#deadLetters.values()].slice(0, limit).map(({ address: _, ...letter }) => letter);
  }

  /** @internal Stores a dead letter again. Returns false if there is none of this id. */
  replay(id: string, windowMs: number): boolean {
    const letter = this.#deadLetters.get(id);
    if (letter === undefined) return false;
    const replays = letter.replayCount + 1;
    const headers = {
      ...letter.headers,
      [GROUP_HEADER]: encodeURIComponent(letter.group),
      [REPLAYS_HEADER]: String(replays),
    };
    this.append(letter.address, { headers, body: letter.body }, `${id}:replay:${replays}`, windowMs);
    this.#deadLetters.delete(id);
    return true;
  }

  /** @internal */
  discard(id: string): boolean {
    return this.#deadLetters.delete(id);
  }
}

interface Stored {
  readonly position: string;
  readonly time: number;
}
