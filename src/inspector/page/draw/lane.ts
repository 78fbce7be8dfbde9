import { type Entry } from "../model/entry.js";
import { type LaneRow } from "../model/layout.js";
import { Thinning } from "../model/thinning.js";
import { type Hit, type Scene, xOf } from "./scene.js";
import { cancelled, circle, cross, failure, hollow } from "./shapes.js";

/** At most one fulfilled marble in so many pixels of a track. */
const SLOT_PX = 2.5;
const RADIUS = 5;
const MIN_RADIUS = 2.6;
/** Tracks lie in the middle, above and below. */
const OFFSETS = [0, -1, 1];
/** How long a marble grows after it came, and a ring spreads around a failure. */
const GROW_MS = 200;
const RING_MS = 900;

/** Draws the marbles of one lane: fulfilled ones thinned and below, then cancelled ones, open ones, failures on top. */
export class LaneDrawing {
  readonly #scene: Scene;
  readonly #row: LaneRow;
  readonly #hits: Hit[];
  #radius = RADIUS;

  constructor(scene: Scene, row: LaneRow, hits: Hit[]) {
    this.#scene = scene;
    this.#row = row;
    this.#hits = hits;
  }

  draw(): void {
    const { settled, failures, gone } = this.#choose();
    const { g, family, selected } = this.#scene;
    if (selected) g.globalAlpha = 0.17;
    this.#drawFulfilled(settled);
    for (const entry of gone) this.#drawCancelled(entry);
    for (const entry of this.#row.lane.open) if (this.#isShown(entry)) this.#drawOpen(entry);
    for (const entry of failures) this.#drawFailure(entry);
    g.globalAlpha = 1;
    if (selected) for (const entry of family) if (this.#owns(entry)) this.drawOne(entry);
  }

  /** Draws one message on top of the others: a message of the selected conversation, or the one below the pointer. */
  drawOne(entry: Entry): void {
    const { state } = entry.message;
    if (state === "fulfilled") this.#drawFulfilled([entry]);
    else if (state === "cancelled") this.#drawCancelled(entry);
    else if (state === "open") this.#drawOpen(entry);
    else this.#drawFailure(entry);
  }

  yOf(entry: Entry): number {
    const { top, height } = this.#row;
    const { scroll, headPx } = this.#scene;
    const room = height - headPx;
    return top - scroll + headPx + room / 2 + OFFSETS[Math.max(0, entry.track)]! * room * 0.27;
  }

  #owns({ message }: Entry): boolean {
    const { lane } = this.#row;
    return message.name === lane.name && message.kind === lane.kind && message.bus === lane.bus;
  }

  #isShown(entry: Entry): boolean {
    const { window, matches, family } = this.#scene;
    const { time } = entry.message;
    return time <= window.to && entry.end >= window.from && matches(entry) && !family.has(entry);
  }

  #choose(): { settled: Entry[]; failures: Entry[]; gone: Entry[] } {
    const { window, width } = this.#scene;
    const slotMs = (window.span / width) * SLOT_PX;
    const [thinning, thinningGone] = [new Thinning(slotMs), new Thinning(slotMs)];
    const { lane, height } = this.#row;
    const [settled, failures, gone]: [Entry[], Entry[], Entry[]] = [[], [], []];
    for (let index = lane.firstSince(window.from); index < lane.entries.length; index++) {
      const entry = lane.entries[index]!;
      const { time, state } = entry.message;
      if (time > window.to) break;
      if (state === "open" || !this.#isShown(entry)) continue;
      if (state === "rejected") failures.push(entry);
      else if (state === "cancelled") {
        if (thinningGone.admits(entry.track, time)) gone.push(entry);
      } else if (thinning.admits(entry.track, time)) settled.push(entry);
    }
    // Small marbles where many share the lane: they stay apart longer.
    const room = (width * OFFSETS.length) / Math.max(1, settled.length + gone.length);
    const largest = Math.min(RADIUS, (height - this.#scene.headPx) / 6.4);
    this.#radius = Math.max(MIN_RADIUS, Math.min(largest, room * 0.42));
    return { settled, failures, gone };
  }

  #drawFulfilled(entries: readonly Entry[]): void {
    const { g, colours } = this.#scene;
    const { lane } = this.#row;
    const radius = this.#radius;
    g.beginPath();
    for (const entry of entries) {
      const [x, end, y] = this.#place(entry);
      if (end - x <= radius + 2.5) continue;
      g.moveTo(x, y);
      g.lineTo(end, y);
      g.moveTo(end, y - radius * 0.9);
      g.lineTo(end, y + radius * 0.9);
    }
    g.strokeStyle = colours[lane.kind];
    g.lineWidth = Math.max(1.2, radius * 0.36);
    const alpha = g.globalAlpha;
    g.globalAlpha = alpha * 0.62;
    g.stroke();
    g.globalAlpha = alpha;
    g.beginPath();
    for (const entry of entries) {
      const [x, , y] = this.#place(entry);
      circle(g, x, y, radius * this.#growth(entry));
      this.#hits.push({ x, y, entry });
    }
    g.fillStyle = colours[lane.kind];
    g.fill();
  }

  #drawCancelled(entry: Entry): void {
    const { g, colours } = this.#scene;
    const [x, end, y] = this.#place(entry);
    if (end - x > this.#radius + 2) this.#line(x, end, y, colours.cancelled, [1.5, 3.5]);
    cancelled(g, x, y, this.#radius, colours);
    this.#hits.push({ x, y, entry });
  }

  #drawOpen(entry: Entry): void {
    const { g, colours, now } = this.#scene;
    const [x, , y] = this.#place(entry);
    const end = Math.min(xOf(this.#scene, now), this.#scene.width);
    if (end > x + this.#radius) this.#line(Math.max(x, -10), end, y, colours.open, [5, 4]);
    // A message that has been in flight since before the shown time keeps its marble at the edge, so that it can be found.
    const edge = Math.max(x, this.#radius + 2);
    hollow(g, edge, y, this.#radius, colours[this.#row.lane.kind], colours.page);
    this.#hits.push({ x: edge, y, entry });
  }

  #drawFailure(entry: Entry): void {
    const { g, colours, motion } = this.#scene;
    const [x, end, y] = this.#place(entry);
    const radius = Math.max(4.4, this.#radius);
    if (end - x > radius * 2 + 4) {
      this.#line(x, end, y, colours.rejected, []);
      cross(g, end, y, 3.2, colours.rejected, 2);
    }
    failure(g, x, y, radius, colours);
    this.#hits.push({ x, y, entry });
    const age = (motion - entry.failed) / RING_MS;
    if (motion === 0 || entry.failed === 0 || age >= 1) return;
    const alpha = g.globalAlpha;
    g.globalAlpha = alpha * (1 - age);
    g.beginPath();
    circle(g, x, y, radius + 3 + age * 13);
    g.strokeStyle = colours.rejected;
    g.lineWidth = 1.5;
    g.stroke();
    g.globalAlpha = alpha;
  }

  #line(from: number, to: number, y: number, colour: string, dash: number[]): void {
    const { g } = this.#scene;
    g.beginPath();
    g.moveTo(from, y);
    g.lineTo(to, y);
    g.setLineDash(dash);
    g.strokeStyle = colour;
    g.lineWidth = 1.6;
    g.stroke();
    g.setLineDash([]);
  }

  #place(entry: Entry): [x: number, end: number, y: number] {
    const { width } = this.#scene;
    const x = xOf(this.#scene, entry.message.time);
    // Lines far outside are cut: a canvas draws endless ones slowly.
    const end = Math.min(xOf(this.#scene, entry.end), width + 20);
    return [Math.max(x, -width), end, this.yOf(entry)];
  }

  #growth({ arrived }: Entry): number {
    const { motion } = this.#scene;
    if (motion === 0 || arrived === 0) return 1;
    const age = (motion - arrived) / GROW_MS;
    return age >= 1 ? 1 : 0.35 + 0.65 * (1 - (1 - age) ** 2);
  }
}
