import { formatTime } from "./format.js";

export interface Tick {
  readonly time: number;
  readonly label: string;
}

const LONG_STEPS_MS = [1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000];

/** Returns the smallest round step that is at least `leastMs` long: 1, 2 or 5 times a power of ten below a second. */
export function stepOf(leastMs: number): number {
  if (leastMs > 500) {
    return LONG_STEPS_MS.find((step) => step >= leastMs) ?? Math.ceil(leastMs / 3_600_000) * 3_600_000;
  }
  const power = 10 ** Math.floor(Math.log10(leastMs));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= leastMs * 0.999) ?? power * 10;
}

/**
 * Returns the ticks between two times that are `minPx` or more apart. Ticks are multiples of their step since the
 * epoch, so that they move with the messages when time goes on.
 */
export function ticksOf(from: number, to: number, width: number, minPx: number): readonly Tick[] {
  if (width <= 0 || to <= from) return [];
  const step = stepOf(((to - from) / width) * minPx);
  const digits = step >= 1000 ? 0 : Math.min(6, Math.max(1, Math.ceil(-Math.log10(step / 1000) - 1e-9)));
  const ticks: Tick[] = [];
  for (let index = Math.ceil(from / step); index * step <= to; index++) {
    const time = index * step;
    const text = formatTime(time, digits);
    // The hour says nothing on an axis of less than a minute, and the minute nothing on one of milliseconds.
    ticks.push({ time, label: step >= 1000 ? text : text.slice(step >= 10 ? 3 : 6) });
  }
  return ticks;
}
