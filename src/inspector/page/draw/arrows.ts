import { type Hit, type Scene } from "./scene.js";
import { fill, stroke } from "./shapes.js";

/** Draws the arrow from a cause to its effect: it leaves upright and arrives from the left, as time goes. */
export function drawArrow({ g, colours }: Scene, from: Hit, to: Hit): void {
  const tip = to.x - 8;
  const down = to.y - from.y;
  const reach = Math.min(60, Math.max(16, (to.x - from.x) * 0.5));
  // Both on one track: an arc above, because a straight line would run through the marbles between them.
  const isFlat = Math.abs(down) < 4;
  const [start, bend, arrival] = isFlat ? [-6, -26, -26] : [Math.sign(down) * 7, down * 0.6, 0];
  g.beginPath();
  g.moveTo(from.x, from.y + start);
  g.bezierCurveTo(from.x, from.y + bend, tip - reach, to.y + arrival, tip, to.y);
  g.globalAlpha = 0.62;
  stroke(g, colours.text, 1.4);
  g.beginPath();
  g.moveTo(tip + 2, to.y);
  g.lineTo(tip - 5, to.y - 3.6);
  g.lineTo(tip - 5, to.y + 3.6);
  g.globalAlpha = 0.85;
  fill(g, colours.text);
  g.globalAlpha = 1;
}
