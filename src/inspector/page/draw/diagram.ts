import { drawArrow } from "./arrows.js";
import { drawAxis, drawGrid } from "./grid.js";
import { drawLane } from "./lane.js";
import { type Hit, type Scene } from "./scene.js";
import { circle, stroke } from "./shapes.js";
import { busiestSecond, drawVolume } from "./volume.js";

/** Draws the lanes and returns where the marbles are. */
export function drawDiagram(scene: Scene): readonly Hit[] {
  const { g, width, scroll, layout, family, selected, hovered, colours } = scene;
  const hits: Hit[] = [];
  drawGrid(scene);
  const most = busiestSecond(scene);
  for (const row of layout.lanes) drawVolume(scene, row, most);
  for (const row of layout.lanes) {
    g.save();
    g.beginPath();
    g.rect(0, row.top - scroll, width, row.height);
    g.clip();
    drawLane(scene, row, hits);
    g.restore();
  }
  const related = hits.filter(({ entry }) => family.has(entry));
  const byId = new Map(related.map((hit) => [hit.entry.message.id, hit]));
  for (const hit of related) {
    const cause = byId.get(hit.entry.message.causationId ?? "");
    if (cause && cause !== hit) drawArrow(scene, cause, hit);
  }
  for (const { x, y, entry } of hits) {
    if (entry !== selected && entry !== hovered) continue;
    g.beginPath();
    circle(g, x, y, entry === selected ? 9.5 : 8);
    stroke(g, colours.text, entry === selected ? 2.2 : 1.5);
  }
  drawAxis(scene);
  return hits;
}
