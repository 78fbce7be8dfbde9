import { type Entry } from "../model/entry.js";
import { type LaneRow } from "../model/layout.js";
import { drawArrow } from "./arrows.js";
import { drawAxis, drawGrid } from "./grid.js";
import { LaneDrawing } from "./lane.js";
import { AXIS_PX, type Hit, type Scene, xOf } from "./scene.js";
import { circle } from "./shapes.js";
import { busiestSecond, drawVolume } from "./volume.js";

/** Draws the lanes in view and returns where the marbles are. */
export function drawDiagram(scene: Scene): readonly Hit[] {
  const { g, height, scroll, headPx, layout, family } = scene;
  const hits: Hit[] = [];
  drawGrid(scene, (top, laneHeight) => top - scroll + headPx + (laneHeight - headPx) / 2);
  const most = busiestSecond(scene);
  const seen = layout.rows.filter(
    (row) => row.top + row.height > scroll && row.top < scroll + height - AXIS_PX,
  );
  for (const row of seen) drawVolume(scene, row, most);
  for (const row of seen) {
    g.save();
    g.beginPath();
    g.rect(0, row.top - scroll, scene.width, row.height);
    g.clip();
    new LaneDrawing(scene, row, hits).draw();
    g.restore();
  }
  if (family.size > 0) drawCausation(scene);
  drawRings(scene);
  drawAxis(scene);
  return hits;
}

function drawCausation(scene: Scene): void {
  const byId = new Map([...scene.family].map((entry) => [entry.message.id, entry]));
  const rows = rowsByLane(scene);
  for (const entry of scene.family) {
    const cause = entry.message.causationId === undefined ? undefined : byId.get(entry.message.causationId);
    if (!cause || cause === entry) continue;
    const [from, to] = [pointOf(scene, rows, cause), pointOf(scene, rows, entry)];
    if (from && to && Math.max(from.x, to.x) > -50 && Math.min(from.x, to.x) < scene.width + 50) {
      drawArrow(scene, from, to);
    }
  }
}

function drawRings(scene: Scene): void {
  const { g, selected, hovered, colours } = scene;
  const rows = rowsByLane(scene);
  for (const [entry, radius, width] of [[hovered, 8, 1.5] as const, [selected, 9.5, 2.2] as const]) {
    const point = entry && pointOf(scene, rows, entry);
    if (!point) continue;
    g.beginPath();
    circle(g, point.x, point.y, radius);
    g.strokeStyle = colours.text;
    g.lineWidth = width;
    g.stroke();
  }
}

function rowsByLane({ layout }: Scene): Map<string, LaneRow> {
  return new Map(layout.rows.map((row) => [keyOf(row.lane), row]));
}

function pointOf(scene: Scene, rows: Map<string, LaneRow>, entry: Entry): Hit | undefined {
  const row = rows.get(keyOf(entry.message));
  if (!row) return undefined;
  const x = xOf(scene, entry.message.time);
  // An open message of before the shown time has its marble at the edge.
  const shown = entry.end === Infinity ? Math.max(x, 7) : x;
  return { x: shown, y: new LaneDrawing(scene, row, []).yOf(entry), entry };
}

function keyOf({ kind, name, bus }: { kind: string; name: string; bus: string }): string {
  return `${kind}\n${name}\n${bus}`;
}
