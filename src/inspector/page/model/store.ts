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

/** How many times the recorder's capacity the page keeps while it is told to hold on to old records. */
const HELD_CAPACITIES = 3;
/** Faults and refusals that the page keeps, each. */
const MAX_TROUBLES = 500;

/** All that the frames of one run have told. */
export class Store {
  hello: HelloFrame | undefined;
  counts: Pick<InspectedCounts, "accepted" | "kept" | "inFlight"> = { accepted: 0, kept: 0, inFlight: 0 };
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

  /** @param now the time of `performance.now()`, to mark new failures; 0 for those of before */
  apply(frame: Frame, now: number): void {
    if (frame.type === "hello") this.#begin(frame);
    else if (frame.run !== this.hello?.run) return;
    else if (frame.type === "history") for (const message of frame.messages) this.#add(message, 0);
    else if (frame.type === "changes") this.#change(frame, now);
    else this.gaps += frame.frames;
  }

  /** Returns the entry of a record by the number that the recorder gave it. */
  byOrder(order: number | undefined): Entry | undefined {
    if (order === undefined) return undefined;
    const entry = this.entries[this.#indexOf(order)];
    return entry?.message.order === order ? entry : undefined;
  }

  /** Returns the kept messages with this correlation id, in the order of keeping. */
  conversation(correlationId: string): readonly Entry[] {
    return this.entries.filter(({ message }) => message.correlationId === correlationId);
  }

  laneOf(entry: Entry): Lane {
    const { kind, name, bus } = entry.message;
    return this.#lane(kind, name, bus);
  }

  #begin(hello: HelloFrame): void {
    this.hello = hello;
    this.entries = [];
    this.lanes = new Map();
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
    this.laneOf(entry).add(entry);
  }

  #settle(settlement: InspectedSettlement, now: number): void {
    const entry = this.byOrder(settlement.order);
    if (!entry) return;
    entry.message = { ...entry.message, ...settlement };
    entry.end = endOf(entry.message);
    entry.checked = -1;
    entry.failed = now;
    this.laneOf(entry).settle(entry);
  }

  #trim(oldest: number): void {
    const capacity = this.hello?.limits.capacity ?? Infinity;
    const held = this.holding ? Math.max(0, this.entries.length - capacity * HELD_CAPACITIES) : Infinity;
    const count = Math.min(this.#indexOf(oldest), held);
    if (count === 0) return;
    const limit = this.entries[count - 1]!.message.order;
    this.entries.splice(0, count);
    for (const lane of this.lanes.values()) lane.drop((order) => order <= limit);
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
