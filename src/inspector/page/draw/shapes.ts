import { type Colours } from "../colours.js";

const TURN = Math.PI * 2;

export function circle(g: CanvasRenderingContext2D, x: number, y: number, radius: number): void {
  g.moveTo(x + radius, y);
  g.arc(x, y, radius, 0, TURN);
}

/** Draws the failure: a red disc with a cross cut into it. */
export function failure(
  g: CanvasRenderingContext2D,
  x: number,
  y: number,
  radius: number,
  colours: Colours,
): void {
  g.beginPath();
  circle(g, x, y, radius + 1);
  g.fillStyle = colours.rejected;
  g.fill();
  cross(g, x, y, radius * 0.48, colours.page, 1.8);
}

export function cross(
  g: CanvasRenderingContext2D,
  x: number,
  y: number,
  reach: number,
  colour: string,
  width: number,
): void {
  g.beginPath();
  g.moveTo(x - reach, y - reach);
  g.lineTo(x + reach, y + reach);
  g.moveTo(x + reach, y - reach);
  g.lineTo(x - reach, y + reach);
  g.strokeStyle = colour;
  g.lineWidth = width;
  g.lineCap = "round";
  g.stroke();
  g.lineCap = "butt";
}

/** Draws a cancelled message: a hollow marble with a stroke through it. */
export function cancelled(
  g: CanvasRenderingContext2D,
  x: number,
  y: number,
  radius: number,
  colours: Colours,
): void {
  g.beginPath();
  circle(g, x, y, radius);
  g.fillStyle = colours.page;
  g.fill();
  const reach = radius * Math.SQRT1_2;
  g.moveTo(x - reach, y + reach);
  g.lineTo(x + reach, y - reach);
  g.strokeStyle = colours.cancelled;
  g.lineWidth = 1.4;
  g.stroke();
}

/** Draws a message in flight: a hollow marble. */
export function hollow(
  g: CanvasRenderingContext2D,
  x: number,
  y: number,
  radius: number,
  colour: string,
  page: string,
): void {
  g.beginPath();
  circle(g, x, y, radius);
  g.fillStyle = page;
  g.fill();
  g.strokeStyle = colour;
  g.lineWidth = 2;
  g.stroke();
}
