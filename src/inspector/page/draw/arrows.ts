import { type Scene } from "./scene.js";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/** Draws the arrow from a cause to its effect: it leaves upright and arrives from the left, as time goes. */
export function drawArrow({ g, colours }: Scene, from: Point, to: Point): void {
  const tip = to.x - 8;
  const down = to.y - from.y;
  const reach = Math.min(60, Math.max(16, (to.x - from.x) * 0.5));
  g.beginPath();
  if (Math.abs(down) < 4) {
    // Both on one track: a flat arc above, because a straight line would run through the marbles between them.
    g.moveTo(from.x, from.y - 6);
    g.quadraticCurveTo((from.x + tip) / 2, from.y - 26, tip, to.y - 3);
  } else {
    g.moveTo(from.x, from.y + Math.sign(down) * 7);
    g.bezierCurveTo(from.x, from.y + down * 0.6, tip - reach, to.y, tip, to.y);
  }
  g.strokeStyle = colours.text;
  g.globalAlpha = 0.62;
  g.lineWidth = 1.4;
  g.stroke();
  g.beginPath();
  g.moveTo(tip + 2, to.y);
  g.lineTo(tip - 5, to.y - 3.6);
  g.lineTo(tip - 5, to.y + 3.6);
  g.closePath();
  g.fillStyle = colours.text;
  g.globalAlpha = 0.85;
  g.fill();
  g.globalAlpha = 1;
}
