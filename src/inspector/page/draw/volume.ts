import { type Lane } from "../model/lane.js";
import { type Row } from "../model/layout.js";
import { type Scene, xOf } from "./scene.js";
import { fill } from "./shapes.js";

/** Share of a lane's height that the busiest lane's volume fills. */
const FULL = 0.86;
/** Below this time shown, an area of one value a second would be a bar across the lane. */
const MIN_SPAN_MS = 1500;

/** Returns the most messages that any lane accepted in one second: the scale of all volumes, so that lanes compare. */
export function busiestSecond({ layout }: Scene): number {
  return Math.max(
    ...layout.lanes.flatMap(({ of }) => [...of.series.values()].map(([, accepted]) => accepted)),
  );
}

/**
 * Shades a lane by the volume of all its messages, also those that were not kept. By square root, so that rare
 * types show, too.
 */
export function drawVolume(scene: Scene, { of: lane, top, height }: Row<Lane>, most: number): void {
  const { g, window, scroll, headPx, colours } = scene;
  if (lane.series.size === 0 || window.span < MIN_SPAN_MS) return;
  const bottom = top + height - scroll - 1;
  const last = Math.ceil(window.to / 1000) + 1;
  let second = Math.floor(window.from / 1000) - 1;
  const y = (): number =>
    bottom - Math.sqrt((lane.series.get(second)?.[1] ?? 0) / most) * (height - headPx) * FULL;
  const x = (at: number): number => xOf(scene, at * 1000 + 500);
  g.beginPath();
  g.moveTo(x(second), bottom);
  for (let before = bottom; second <= last; second++) {
    const [middle, now] = [x(second - 0.5), y()];
    g.bezierCurveTo(middle, before, middle, now, x(second), now);
    before = now;
  }
  g.lineTo(x(last), bottom);
  g.globalAlpha = scene.selected ? 0.05 : 0.11;
  fill(g, colours[lane.kind]);
  g.globalAlpha = 1;
}
