import { type Entry } from "../model/entry.js";
import { type Lane } from "../model/lane.js";
import { type Row } from "../model/layout.js";
import { Thinning } from "../model/thinning.js";
import { type Hit, type Scene, xOf } from "./scene.js";
import { circle, cross, failure, fill, hollow, lines, stroke } from "./shapes.js";

/** At most one fulfilled marble in so many pixels of a track. */
const SLOT_PX = 2.5;
const RADIUS = 5;
const MIN_RADIUS = 2.6;
/** Tracks lie in the middle, above and below. */
const OFFSETS = [0, -1, 1];
/** How long a ring spreads around a new failure. */
const RING_MS = 900;
const DIMMED = 0.17;

/**
 * Draws the marbles of one lane: fulfilled ones thinned and below, then cancelled and open ones, failures and the
 * selection on top.
 */
export function drawLane(scene: Scene, { of: lane, top, height }: Row<Lane>, hits: Hit[]): void {
  const { g, colours, family, headPx, motion, now, scroll, selected, width, window } = scene;
  const room = height - headPx;
  const middle = top - scroll + headPx + room / 2;
  const colour = colours[lane.kind];

  const chosen: Entry[] = [];
  const onTop: Entry[] = [];
  const slotMs = (window.span / width) * SLOT_PX;
  const thinnings = { fulfilled: new Thinning(slotMs), cancelled: new Thinning(slotMs) };
  const isShown = (entry: Entry): boolean =>
    entry.end >= window.from && scene.matches(entry) && !family.has(entry);
  for (let index = lane.firstSince(window.from); index < lane.entries.length; index++) {
    const entry = lane.entries[index]!;
    const { state, time } = entry.message;
    if (time > window.to) break;
    if (state === "open" || !isShown(entry)) continue;
    if (state === "rejected") onTop.push(entry);
    else if (thinnings[state].admits(entry.track, time)) (state === "cancelled" ? onTop : chosen).push(entry);
  }
  for (const entry of lane.open) if (entry.message.time <= window.to && isShown(entry)) onTop.push(entry);
  // Small marbles where many share the lane: they stay apart longer.
  const apart = (width * OFFSETS.length * 0.42) / Math.max(1, chosen.length + onTop.length);
  const radius = Math.max(MIN_RADIUS, Math.min(RADIUS, room / 6.4, apart));

  const place = (entry: Entry): readonly [x: number, y: number, end: number] => {
    const x = xOf(scene, entry.message.time);
    const y = Math.round(middle + OFFSETS[Math.max(0, entry.track)]! * room * 0.27);
    // Lines far outside are cut, because a canvas draws endless ones slowly. An open message that has been in
    // flight since before the shown time keeps its marble at the edge, so that it can be found.
    const left = entry.end === Infinity ? radius + 2 : -width;
    return [Math.max(x, left), y, Math.min(xOf(scene, Math.min(entry.end, now)), width + 20)];
  };
  const faint = (alpha: number, draw: () => void): void => {
    const before = g.globalAlpha;
    g.globalAlpha *= alpha;
    draw();
    g.globalAlpha = before;
  };
  const line = (x: number, y: number, end: number, lineColour: string, dash: number[]): void => {
    g.setLineDash(dash);
    lines(g, lineColour, 2, [x, y, end, y]);
    g.setLineDash([]);
  };

  // One path for all, because a path for each marble is what takes the time.
  const drawFulfilled = (entries: readonly Entry[]): void => {
    const ends: number[][] = [];
    g.beginPath();
    for (const entry of entries) {
      const [x, y, end] = place(entry);
      const half = radius * 0.9;
      if (end - x > radius + 2.5) ends.push([x, y, end, y], [end, y - half, end, y + half]);
      circle(g, x, y, radius);
      hits.push({ x, y, entry });
    }
    fill(g, colour);
    faint(0.62, () => lines(g, colour, radius * 0.4, ...ends));
  };
  const drawFailure = (entry: Entry): void => {
    const [x, y, end] = place(entry);
    const size = Math.max(4.4, radius);
    if (end - x > size * 2 + 4) {
      line(x, y, end, colours.rejected, []);
      cross(g, end, y, 3.2, colours.rejected);
    }
    failure(g, x, y, size, colours);
    const age = motion && entry.failed ? (motion - entry.failed) / RING_MS : 1;
    if (age >= 1) return;
    faint(1 - age, () => {
      g.beginPath();
      circle(g, x, y, size + 3 + age * 13);
      stroke(g, colours.rejected, 1.5);
    });
  };
  const drawHollow = (entry: Entry, isCancelled: boolean): void => {
    const [x, y, end] = place(entry);
    const [tone, dash] = isCancelled ? [colours.quiet, [1.5, 3.5]] : [colours.open, [5, 4]];
    if (end - x > radius) line(x, y, end, tone, dash);
    hollow(g, x, y, radius, isCancelled ? tone : colour, colours.page, isCancelled);
  };
  const drawOne = (entry: Entry): void => {
    const { state } = entry.message;
    if (state === "fulfilled") {
      drawFulfilled([entry]);
      return;
    }
    if (state === "rejected") drawFailure(entry);
    else drawHollow(entry, state === "cancelled");
    const [x, y] = place(entry);
    hits.push({ x, y, entry });
  };

  g.globalAlpha = selected ? DIMMED : 1;
  drawFulfilled(chosen);
  const rank = ({ message }: Entry): number => ["cancelled", "open", "rejected"].indexOf(message.state);
  for (const entry of onTop.sort((a, b) => rank(a) - rank(b))) drawOne(entry);
  g.globalAlpha = 1;
  for (const entry of family) if (scene.laneOf(entry) === lane) drawOne(entry);
}
