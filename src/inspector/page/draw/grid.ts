import { type Tick, ticksOf } from "../model/axis.js";
import { AXIS_PX, type Scene, xOf } from "./scene.js";
import { lines } from "./shapes.js";

/** Draws what lies below the marbles: ticks as lines, and a line with an arrow in each lane, as in a marble diagram. */
export function drawGrid(scene: Scene): void {
  const { g, width, height, headPx, layout, scroll, colours } = scene;
  g.fillStyle = colours.page;
  g.fillRect(0, 0, width, height);
  g.globalAlpha = 0.5;
  for (const { time } of ticks(scene)) {
    const x = Math.round(xOf(scene, time)) + 0.5;
    lines(g, colours.line, 1, [x, 0, x, height]);
  }
  g.globalAlpha = 1;
  g.fillStyle = colours.panel;
  for (const { of, top, height: row } of layout.all) {
    const bottom = top + row - scroll - 0.5;
    if (typeof of === "string") g.fillRect(0, top - scroll, width, row);
    const y = Math.round(bottom - (row - headPx) / 2) + 0.5;
    const tip = width - 7;
    lines(g, colours.line, 1, [0, bottom, width, bottom]);
    if (typeof of === "string") continue;
    lines(g, colours.line, 1, [0, y, tip, y], [tip - 4, y - 3.5, tip, y], [tip, y, tip - 4, y + 3.5]);
  }
}

/** Draws the axis over what reaches into its strip. */
export function drawAxis(scene: Scene): void {
  const { g, width, height, colours } = scene;
  const top = height - AXIS_PX;
  g.fillStyle = colours.panel;
  g.fillRect(0, top, width, AXIS_PX);
  g.fillStyle = colours.line;
  g.fillRect(0, top, width, 1);
  g.font = "11px system-ui, sans-serif";
  g.textAlign = "center";
  for (const { time, label } of ticks(scene)) {
    const x = Math.round(xOf(scene, time));
    const half = g.measureText(label).width / 2;
    g.fillStyle = colours.line;
    g.fillRect(x, top, 1, 5);
    g.fillStyle = colours.quiet;
    if (x > half && x + half < width) g.fillText(label, x, height - 8);
  }
}

function ticks({ window: { from, to }, width }: Scene): readonly Tick[] {
  return ticksOf(from, to, width, width < 500 ? 84 : 110);
}
