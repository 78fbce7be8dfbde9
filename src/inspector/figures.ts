import type { InspectedKind, InspectedState, SeriesPoint, TypeFigures } from "./protocol.js";

/** Seconds of a window of durations. The figures cover the present window and the one before. */
const WINDOW = 5;
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
  /** For each second: its number, and the messages of it by what became of them. */
  readonly #series = new Float64Array(SECONDS * FIELDS);
  /** The second of the last change, and its place in the series. */
  #second = 0;
  #place = 0;
  #now = new Uint32Array(BUCKETS);
  #before = new Uint32Array(BUCKETS);

  constructor(kind: InspectedKind, name: string, bus: string) {
    this.kind = kind;
    this.name = name;
    this.bus = bus;
  }

  get inFlight(): number {
    return this.accepted + this.earlier - this.fulfilled - this.rejected - this.cancelled;
  }

  /** Start of the second of the last change, in milliseconds since the epoch. */
  get activeMs(): number {
    return this.#second * 1_000;
  }

  accept(nowMs: number, version: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) this.#turn(second);
    this.changed = version;
    this.accepted++;
    this.#series[this.#place + ACCEPTED]!++;
  }

  settle(nowMs: number, version: number, state: Exclude<InspectedState, "open">, durationMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    if (second !== this.#second) this.#turn(second);
    this.changed = version;
    if (durationMs >= 0) this.#now[bucketOf(durationMs)]!++;
    const place = this.#place;
    if (state === "fulfilled") {
      this.fulfilled++;
      this.#series[place + FULFILLED]!++;
    } else if (state === "rejected") {
      this.rejected++;
      this.#series[place + REJECTED]!++;
    } else {
      this.cancelled++;
      this.#series[place + CANCELLED]!++;
    }
    // A message that ran synchronously while the recorder was attached is in no list of messages in flight.
    if (this.inFlight < 0) this.earlier++;
  }

  /** Goes on to another second. */
  #turn(second: number): void {
    const windows = windowOf(second) - windowOf(this.#second);
    if (windows !== 0) {
      [this.#before, this.#now] = [this.#now, this.#before];
      if (windows !== 1) this.#before.fill(0);
      this.#now.fill(0);
    }
    const place = (second % SECONDS) * FIELDS;
    // A clock that was set back comes to a second again.
    if (this.#series[place] !== second) {
      this.#series.fill(0, place, place + FIELDS);
      this.#series[place] = second;
    }
    this.#second = second;
    this.#place = place;
  }

  /**
   * Returns the figures as plain data.
   *
   * @param sinceMs - the start of the series
   * @param attachedMs - the time from which on messages were counted
   */
  at(nowMs: number, sinceMs: number, attachedMs = 0): TypeFigures {
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
      rate: this.#rate(nowMs, attachedMs),
      ...this.#percentiles(nowMs),
      series: this.#points(nowMs, sinceMs),
    };
  }

  #rate(nowMs: number, attachedMs: number): number {
    const startMs = (windowOf(nowMs / 1_000) - 1) * WINDOW * 1_000;
    const accepted = this.#points(nowMs, startMs).reduce((sum, [, count]) => sum + count, 0);
    // At least a second, because the first messages would look like a flood.
    const elapsedMs = Math.max(1_000, nowMs - Math.max(startMs, attachedMs));
    return Math.round((accepted / elapsedMs) * 10_000) / 10;
  }

  #percentiles(nowMs: number): { p50?: number; p99?: number } {
    const windows = windowOf(nowMs / 1_000) - windowOf(this.#second);
    const counts = windows === 0 ? [this.#now, this.#before] : windows === 1 ? [this.#now] : [];
    const sumAt = (index: number): number => counts.reduce((sum, window) => sum + window[index]!, 0);
    let total = 0;
    for (let index = 0; index < BUCKETS; index++) total += sumAt(index);
    if (total === 0) return {};
    const at = (share: number): number => {
      let left = Math.ceil(total * share);
      let index = -1;
      while (left > 0) left -= sumAt(++index);
      return middleOf(index);
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

/** Returns the window of a second. */
function windowOf(second: number): number {
  return Math.floor(second / WINDOW);
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
