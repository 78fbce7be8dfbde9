import { ticksOf } from "../model/axis.js";
import { AXIS_PX, type Scene, xOf } from "./scene.js";

/** Draws what lies below the marbles: ticks as lines, and a line with an arrow in each lane, as in a marble diagram. */
export function drawGrid(scene: Scene, centreOf: (top: number, height: number) => number): void {
  const { g, width, height, layout, scroll, colours } = scene;
  g.fillStyle = colours.page;
  g.fillRect(0, 0, width, height);
  g.lineWidth = 1;
  g.strokeStyle = colours.line;
  g.globalAlpha = 0.55;
  g.beginPath();
  for (const { time } of ticks(scene)) {
    const x = Math.round(xOf(scene, time)) + 0.5;
    g.moveTo(x, 0);
    g.lineTo(x, height - AXIS_PX);
  }
  g.stroke();
  g.globalAlpha = 1;
  g.beginPath();
  for (const { top, height: laneHeight } of layout.rows) {
    const bottom = Math.round(top + laneHeight - scroll) - 0.5;
    g.moveTo(0, bottom);
    g.lineTo(width, bottom);
  }
  g.stroke();
  g.beginPath();
  for (const { top, height: laneHeight } of layout.rows) {
    const y = Math.round(centreOf(top, laneHeight)) + 0.5;
    g.moveTo(0, y);
    g.lineTo(width - 7, y);
    g.moveTo(width - 11, y - 3.5);
    g.lineTo(width - 7, y);
    g.lineTo(width - 11, y + 3.5);
  }
  g.stroke();
  g.fillStyle = colours.panel;
  for (const { top } of layout.groups) g.fillRect(0, top - scroll, width, 23);
}

/** Draws the axis over whatever reaches into its strip. */
export function drawAxis(scene: Scene): void {
  const { g, width, height, colours } = scene;
  const top = height - AXIS_PX;
  g.fillStyle = colours.panel;
  g.fillRect(0, top, width, AXIS_PX);
  g.fillStyle = colours.line;
  g.fillRect(0, top, width, 1);
  g.font = "11px system-ui, sans-serif";
  g.textAlign = "center";
  g.textBaseline = "middle";
  for (const { time, label } of ticks(scene)) {
    const x = Math.round(xOf(scene, time));
    const half = g.measureText(label).width / 2;
    g.fillStyle = colours.line;
    g.fillRect(x, top, 1, 5);
    if (x - half < 2 || x + half > width - 2) continue;
    g.fillStyle = colours.quiet;
    g.fillText(label, x + 0.5, top + AXIS_PX / 2 + 2);
  }
}

function ticks({ window: { from, to }, width }: Scene): ReturnType<typeof ticksOf> {
  return ticksOf(from, to, width, width < 500 ? 84 : 110);
}
