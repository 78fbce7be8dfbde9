import { type Colours } from "../colours.js";

type Canvas = CanvasRenderingContext2D;

/** Adds a circle to the path. */
export function circle(g: Canvas, x: number, y: number, radius: number): void {
  g.moveTo(x + radius, y);
  g.arc(x, y, radius, 0, 7);
}

export function fill(g: Canvas, colour: string): void {
  g.fillStyle = colour;
  g.fill();
}

export function stroke(g: Canvas, colour: string, width: number): void {
  g.strokeStyle = colour;
  g.lineWidth = width;
  g.stroke();
}

/** Draws lines through points; each list of coordinates is a line of its own. */
export function lines(
  g: Canvas,
  colour: string,
  width: number,
  ...paths: readonly (readonly number[])[]
): void {
  g.beginPath();
  for (const [x1, y1, x2, y2] of paths) {
    g.moveTo(x1!, y1!);
    g.lineTo(x2!, y2!);
  }
  stroke(g, colour, width);
}

export function cross(g: Canvas, x: number, y: number, reach: number, colour: string): void {
  const [left, right, top, bottom] = [x - reach, x + reach, y - reach, y + reach];
  lines(g, colour, 1.9, [left, top, right, bottom], [right, top, left, bottom]);
}

/** Draws the failure: a red disc with a cross cut into it. */
export function failure(g: Canvas, x: number, y: number, radius: number, { rejected, page }: Colours): void {
  g.beginPath();
  circle(g, x, y, radius + 1);
  fill(g, rejected);
  cross(g, x, y, radius * 0.48, page);
}

/** Draws a message in flight: a hollow marble. A cancelled one has a stroke through it. */
export function hollow(
  g: Canvas,
  x: number,
  y: number,
  radius: number,
  colour: string,
  page: string,
  isCancelled: boolean,
): void {
  g.beginPath();
  circle(g, x, y, radius);
  fill(g, page);
  const reach = radius * Math.SQRT1_2;
  if (isCancelled) {
    g.moveTo(x - reach, y + reach);
    g.lineTo(x + reach, y - reach);
  }
  stroke(g, colour, isCancelled ? 1.4 : 2);
}
