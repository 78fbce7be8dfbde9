import { type InspectedKind, type SeriesPoint, type TypeFigures } from "../../protocol.js";
import { type Entry } from "./entry.js";
import { Tracks } from "./tracks.js";

export const KINDS: readonly InspectedKind[] = ["command", "query", "event"];

/** How many tracks a lane has: the one in the middle, one above, one below. */
export const TRACKS = 3;

/** Seconds of the series that a lane keeps: a minute, and another one for looking back while paused. */
const SERIES_SECONDS = 120;

/** A message type of one bus, with the messages of it that were kept, in the order of their times. */
export class Lane {
  readonly kind: InspectedKind;
  readonly name: string;
  readonly bus: string;
  figures: TypeFigures | undefined;
  readonly entries: Entry[] = [];
  readonly open = new Set<Entry>();
  readonly series = new Map<number, SeriesPoint>();
  /** The longest duration among the entries, so that a search by time finds lines that reach into the shown time. */
  longestMs = 0;
  #gapMs = 0;
  #tracks = new Tracks(TRACKS, 0);

  constructor(kind: InspectedKind, name: string, bus: string) {
    this.kind = kind;
    this.name = name;
    this.bus = bus;
  }

  add(entry: Entry): void {
    const { entries } = this;
    let at = entries.length;
    while (at > 0 && entries[at - 1]!.message.time > entry.message.time) at--;
    entries.splice(at, 0, entry);
    entry.track = this.#tracks.place(entry.message.time, entry.end);
    this.#note(entry);
  }

  settle(entry: Entry): void {
    this.#tracks.settle(entry.track, entry.end);
    this.open.delete(entry);
    this.#note(entry);
  }

  /** Removes entries that the store has dropped: `dropped` tells them by the record's order. */
  drop(isDropped: (order: number) => boolean): void {
    let count = 0;
    while (count < this.entries.length && isDropped(this.entries[count]!.message.order)) count++;
    for (const entry of this.entries.splice(0, count)) this.open.delete(entry);
  }

  setFigures(figures: TypeFigures): void {
    this.figures = figures;
    for (const point of figures.series) this.series.set(point[0], point);
    const newest = figures.series.at(-1)?.[0];
    if (newest === undefined) return;
    for (const second of this.series.keys()) if (second < newest - SERIES_SECONDS) this.series.delete(second);
  }

  /**
   * Places all entries anew if marbles take another time than before, because the shown time or the width has changed.
   */
  arrange(gapMs: number): void {
    if (gapMs === this.#gapMs) return;
    this.#gapMs = gapMs;
    this.#tracks = new Tracks(TRACKS, gapMs);
    for (const entry of this.entries) entry.track = this.#tracks.place(entry.message.time, entry.end);
  }

  /** Index of the first entry whose line can reach `from`, open ones aside. */
  firstSince(from: number): number {
    return lowerBound(this.entries, from - this.longestMs);
  }

  #note(entry: Entry): void {
    if (entry.end === Infinity) this.open.add(entry);
    else this.longestMs = Math.max(this.longestMs, entry.end - entry.message.time);
  }
}

function lowerBound(entries: readonly Entry[], time: number): number {
  let [low, high] = [0, entries.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (entries[middle]!.message.time < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
