import {
  type ChangesFrame,
  type DescribedPart,
  type Frame,
  type HelloFrame,
  type InspectedCounts,
  type InspectedFault,
  type InspectedMessage,
  type InspectedRefusal,
  type InspectedSettlement,
  type TypeFigures,
} from "../../protocol.js";
import { endOf, type Entry, makeEntry } from "./entry.js";
import { Lane } from "./lane.js";

const NO_COUNTS: InspectedCounts = {
  accepted: 0,
  fulfilled: 0,
  rejected: 0,
  cancelled: 0,
  kept: 0,
  inFlight: 0,
  bytes: 0,
  clients: 0,
};

/** How many times the recorder's capacity the page keeps while it is told to hold on to old records. */
const HELD_CAPACITIES = 3;
/** Faults and refusals that the page keeps, each. */
const MAX_TROUBLES = 500;

/** All that the frames of one run have told. */
export class Store {
  hello: HelloFrame | undefined;
  counts = NO_COUNTS;
  parts: readonly DescribedPart[] = [];
  faults: InspectedFault[] = [];
  refusals: InspectedRefusal[] = [];
  /** In the order of keeping. */
  entries: Entry[] = [];
  lanes = new Map<string, Lane>();
  /** Time of the last frame, by the clock of the recorder. */
  time = 0;
  /** How many frames were left out since the last hello. */
  gaps = 0;
  /** Keeps records that have left the recorder's ring, because the user looks at the past. */
  holding = false;
  #byId = new Map<string, Entry>();
  #conversations = new Map<string, Entry[]>();

  /** @param now the time of `performance.now()`, for marbles that appear; 0 if nothing should move */
  apply(frame: Frame, now: number): void {
    if (frame.type === "hello") this.#begin(frame);
    else if (frame.run !== this.hello?.run) return;
    else if (frame.type === "history") for (const message of frame.messages) this.#add(message, 0);
    else if (frame.type === "changes") this.#change(frame, now);
    else this.gaps += frame.frames;
  }

  byId(id: string | undefined): Entry | undefined {
    return id === undefined ? undefined : this.#byId.get(id);
  }

  /** Returns the entry of a record by the number that the recorder gave it. */
  byOrder(order: number | undefined): Entry | undefined {
    if (order === undefined) return undefined;
    const entry = this.entries[this.#indexOf(order)];
    return entry?.message.order === order ? entry : undefined;
  }

  /** Returns the kept messages with this correlation id, in the order of keeping. */
  conversation(correlationId: string): readonly Entry[] {
    return this.#conversations.get(correlationId) ?? [];
  }

  laneOf(entry: Entry): Lane {
    const { kind, name, bus } = entry.message;
    return this.#lane(kind, name, bus);
  }

  #begin(hello: HelloFrame): void {
    this.hello = hello;
    this.entries = [];
    this.lanes = new Map();
    this.#byId = new Map();
    this.#conversations = new Map();
    this.counts = hello.counts;
    this.parts = hello.parts;
    this.faults = [...hello.faults];
    this.refusals = [...hello.refusals];
    this.time = hello.time;
    this.gaps = 0;
    this.#setFigures(hello.types);
  }

  #change(frame: ChangesFrame, now: number): void {
    this.time = frame.time;
    this.counts = frame.counts;
    for (const message of frame.accepted ?? []) this.#add(message, now);
    for (const settlement of frame.settled ?? []) this.#settle(settlement, now);
    this.#setFigures(frame.types ?? []);
    this.parts = frame.parts ?? this.parts;
    if (frame.faults) this.faults = [...this.faults, ...frame.faults].slice(-MAX_TROUBLES);
    if (frame.refusals) this.refusals = [...this.refusals, ...frame.refusals].slice(-MAX_TROUBLES);
    this.#trim(frame.oldest);
  }

  #add(message: InspectedMessage, now: number): void {
    const last = this.entries.at(-1)?.message.order ?? -1;
    if (message.order <= last) return;
    const entry = makeEntry(message, now);
    this.entries.push(entry);
    this.#byId.set(message.id, entry);
    const conversation = this.#conversations.get(message.correlationId);
    if (conversation) conversation.push(entry);
    else this.#conversations.set(message.correlationId, [entry]);
    this.laneOf(entry).add(entry);
  }

  #settle(settlement: InspectedSettlement, now: number): void {
    const entry = this.byOrder(settlement.order);
    if (!entry) return;
    entry.message = { ...entry.message, ...settlement };
    entry.end = endOf(entry.message);
    entry.checked = -1;
    if (settlement.state === "rejected") entry.failed = now;
    this.laneOf(entry).settle(entry);
  }

  #trim(oldest: number): void {
    const capacity = this.hello?.limits.capacity ?? Infinity;
    const held = this.holding ? Math.max(0, this.entries.length - capacity * HELD_CAPACITIES) : Infinity;
    const count = Math.min(this.#indexOf(oldest), held);
    if (count === 0) return;
    const limit = this.entries[count - 1]!.message.order;
    for (const entry of this.entries.splice(0, count)) this.#forget(entry);
    for (const lane of this.lanes.values()) lane.drop((order) => order <= limit);
  }

  #forget(entry: Entry): void {
    const { id, correlationId } = entry.message;
    if (this.#byId.get(id) === entry) this.#byId.delete(id);
    const conversation = this.#conversations.get(correlationId);
    if (conversation?.[0] === entry) conversation.shift();
    if (conversation?.length === 0) this.#conversations.delete(correlationId);
  }

  /** Index of the first entry of this order or a later one. */
  #indexOf(order: number): number {
    let [low, high] = [0, this.entries.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.entries[middle]!.message.order < order) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #setFigures(types: readonly TypeFigures[]): void {
    for (const figures of types) this.#lane(figures.kind, figures.name, figures.bus).setFigures(figures);
  }

  #lane(kind: Lane["kind"], name: string, bus: string): Lane {
    const key = `${kind}\n${name}\n${bus}`;
    let lane = this.lanes.get(key);
    if (!lane) this.lanes.set(key, (lane = new Lane(kind, name, bus)));
    return lane;
  }
}
