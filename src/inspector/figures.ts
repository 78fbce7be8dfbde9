import type { InspectedKind, SeriesPoint, TypeFigures } from "./protocol.js";

/** Length of a window of durations. The figures cover the present window and the one before. */
const WINDOW_MS = 5_000;
const SECONDS = 60;
/** Sub-buckets of each power of two: a percentile is off by at most 3 %. */
const PER_OCTAVE = 16;
const BUCKETS = 29 * PER_OCTAVE;

/** The fields of a second in the ring of a series. */
const ACCEPTED = 1;
const FULFILLED = 2;
const REJECTED = 3;
const CANCELLED = 4;
const FIELDS = 5;

/** The figures of a message type on a bus. They count every message, kept or not, in a few additions. */
export class Figures {
  readonly kind: InspectedKind;
  readonly name: string;
  readonly bus: string;
  accepted = 0;
  fulfilled = 0;
  rejected = 0;
  cancelled = 0;
  kept = 0;
  /** Messages that were in flight when the recorder was attached. */
  earlier = 0;
  /** The version of the recorder at the last change. */
  changed = 0;
  /** Time of the last change, in milliseconds since the epoch. */
  activeMs = 0;
  readonly #series = new Float64Array(SECONDS * FIELDS);
  #window = 0;
  #now = new Uint32Array(BUCKETS);
  #before = new Uint32Array(BUCKETS);
  #acceptedNow = 0;
  #acceptedBefore = 0;

  constructor(kind: InspectedKind, name: string, bus: string) {
    this.kind = kind;
    this.name = name;
    this.bus = bus;
  }

  get inFlight(): number {
    return this.accepted + this.earlier - this.fulfilled - this.rejected - this.cancelled;
  }

  accept(nowMs: number): void {
    this.accepted++;
    this.#rotate(nowMs);
    this.#acceptedNow++;
    this.#series[this.#second(nowMs) + ACCEPTED]!++;
  }

  settle(nowMs: number, state: "fulfilled" | "rejected" | "cancelled", durationMs: number): void {
    const field = state === "fulfilled" ? FULFILLED : state === "rejected" ? REJECTED : CANCELLED;
    this[state]++;
    this.#series[this.#second(nowMs) + field]!++;
    this.#rotate(nowMs);
    if (durationMs >= 0) this.#now[bucketOf(durationMs)]!++;
    // A message that ran synchronously while the recorder was attached is in no list of messages in flight.
    if (this.inFlight < 0) this.earlier++;
  }

  /** Returns the index of the present second in the ring, empty if another second used it before. */
  #second(nowMs: number): number {
    const second = Math.floor(nowMs / 1_000);
    const index = (second % SECONDS) * FIELDS;
    if (this.#series[index] !== second) {
      this.#series.fill(0, index, index + FIELDS);
      this.#series[index] = second;
    }
    return index;
  }

  #rotate(nowMs: number): void {
    const window = Math.floor(nowMs / WINDOW_MS);
    if (window === this.#window) return;
    const next = window === this.#window + 1;
    [this.#before, this.#now] = [this.#now, this.#before];
    this.#acceptedBefore = next ? this.#acceptedNow : 0;
    if (!next) this.#before.fill(0);
    this.#now.fill(0);
    this.#acceptedNow = 0;
    this.#window = window;
  }

  /**
   * Returns the figures as plain data.
   *
   * @param sinceMs - the start of the series
   * @param attachedMs - the time from which on messages were counted
   */
  at(nowMs: number, sinceMs: number, attachedMs = 0): TypeFigures {
    this.#rotate(nowMs);
    // At least a second, because the first messages would look like a flood.
    const elapsedMs = Math.max(1_000, Math.min(WINDOW_MS + (nowMs % WINDOW_MS), nowMs - attachedMs));
    const rate = ((this.#acceptedNow + this.#acceptedBefore) / elapsedMs) * 1_000;
    const { kind, name, bus, accepted, fulfilled, rejected, cancelled, inFlight, kept } = this;
    return {
      kind,
      name,
      bus,
      accepted,
      fulfilled,
      rejected,
      cancelled,
      inFlight,
      kept,
      rate: Math.round(rate * 10) / 10,
      ...this.#percentiles(),
      series: this.#points(nowMs, sinceMs),
    };
  }

  #percentiles(): { p50?: number; p99?: number } {
    let total = 0;
    for (let index = 0; index < BUCKETS; index++) total += this.#now[index]! + this.#before[index]!;
    if (total === 0) return {};
    const at = (share: number): number => {
      let left = Math.ceil(total * share);
      for (let index = 0; index < BUCKETS; index++) {
        left -= this.#now[index]! + this.#before[index]!;
        if (left <= 0) return middleOf(index);
      }
      return middleOf(BUCKETS - 1);
    };
    return { p50: at(0.5), p99: at(0.99) };
  }

  #points(nowMs: number, sinceMs: number): SeriesPoint[] {
    const last = Math.floor(nowMs / 1_000);
    const first = Math.max(last - SECONDS + 1, Math.floor(sinceMs / 1_000));
    const points: SeriesPoint[] = [];
    for (let second = first; second <= last; second++) {
      const index = (second % SECONDS) * FIELDS;
      if (this.#series[index] !== second) continue;
      const [accepted, fulfilled, rejected, cancelled] = this.#series.subarray(index + 1, index + FIELDS);
      points.push([second, accepted!, fulfilled!, rejected!, cancelled!]);
    }
    return points;
  }
}

/** Returns the bucket of a duration: microseconds up to 16, then 16 for each power of two, up to half an hour. */
function bucketOf(durationMs: number): number {
  const micros = Math.min(durationMs * 1_000, 2 ** 31 - 1) | 0;
  if (micros < PER_OCTAVE) return micros;
  const octave = 31 - Math.clz32(micros);
  return (octave - 3) * PER_OCTAVE + ((micros >> (octave - 4)) & (PER_OCTAVE - 1));
}

/** Returns the duration in the middle of a bucket, in milliseconds. */
function middleOf(bucket: number): number {
  if (bucket < PER_OCTAVE) return bucket / 1_000;
  const octave = Math.floor(bucket / PER_OCTAVE) + 3;
  const step = 2 ** (octave - 4);
  const micros = 2 ** octave + (bucket % PER_OCTAVE) * step + step / 2;
  return Number((micros / 1_000).toPrecision(3));
}
