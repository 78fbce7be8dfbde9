import { type LaneRow } from "../model/layout.js";
import { type Scene, xOf } from "./scene.js";

/** Share of a lane's height that the busiest lane's volume fills. */
const FULL = 0.86;

/** Returns the most messages that any shown lane accepted in one shown second: the scale of all volumes, so that lanes compare. */
export function busiestSecond({ layout, window: { from, to } }: Scene): number {
  let most = 0;
  for (const { lane } of layout.rows) {
    for (const [second, accepted] of lane.series.values()) {
      if (second * 1000 > from - 2000 && second * 1000 < to + 1000) most = Math.max(most, accepted);
    }
  }
  return most;
}

/** Shades a lane by the volume of all its messages, also those that were not kept. By square root, so that rare types show, too. */
export function drawVolume(scene: Scene, { lane, top, height }: LaneRow, most: number): void {
  if (most === 0 || lane.series.size === 0) return;
  const { g, window, scroll, headPx, colours } = scene;
  const bottom = top + height - scroll - 1;
  const room = (height - headPx) * FULL;
  const first = Math.floor(window.from / 1000) - 1;
  const last = Math.ceil(window.to / 1000) + 1;
  const yOf = (second: number): number =>
    bottom - Math.sqrt((lane.series.get(second)?.[1] ?? 0) / most) * room;
  const middle = (second: number): number => xOf(scene, second * 1000 + 500);
  g.beginPath();
  g.moveTo(middle(first), bottom);
  g.lineTo(middle(first), yOf(first));
  for (let second = first; second < last; second++) {
    const half = (middle(second) + middle(second + 1)) / 2;
    g.bezierCurveTo(half, yOf(second), half, yOf(second + 1), middle(second + 1), yOf(second + 1));
  }
  g.lineTo(middle(last), bottom);
  g.closePath();
  g.fillStyle = colours[lane.kind];
  g.globalAlpha = scene.selected ? 0.05 : 0.11;
  g.fill();
  g.globalAlpha = 1;
}
