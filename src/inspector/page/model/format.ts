const UNITS = [
  [0.0995, 1000, "µs"],
  [999.5, 1, "ms"],
  [59_500, 0.001, "s"],
  [3_570_000, 1 / 60_000, "min"],
  [Infinity, 1 / 3_600_000, "h"],
] as const;

/** Returns a duration in the unit that suits it, with one decimal below ten: `4 µs`, `8.4 ms`, `15 ms`, `1.3 s`. */
export function formatDuration(ms: number): string {
  const [, scale, unit] = UNITS.find(([limit]) => ms < limit) ?? UNITS[4];
  return `${rounded(ms * scale)} ${unit}`;
}

const COMPACT = new Intl.NumberFormat("en", { notation: "compact" });

/** Returns a count with separators below 100,000 and in short above: `4,761`, `140K`, `2.6M`. */
export function formatCount(count: number): string {
  return count < 100_000 ? Math.round(count).toLocaleString("en") : COMPACT.format(count);
}

/** Returns a rate per second with one decimal below ten: `1.9`, `36`, `4,500`. */
export function formatRate(rate: number): string {
  return rate < 10 ? String(rounded(rate)) : formatCount(rate);
}

/**
 * Returns a share in percent. A share that is not zero never reads as zero, and one below the whole never as the whole.
 */
export function formatPercent(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 0.05) return "<0.1";
  return String(percent > 99 ? Math.floor(percent * 10) / 10 : rounded(percent));
}

/**
 * Returns the local time of day with `digits` decimals of a second, cut and not rounded: 59.9996 s is not the next
 * minute.
 */
export function formatTime(time: number, digits = 3): string {
  const whole = new Date(time).toTimeString().slice(0, 8);
  const fraction = Math.floor((time % 1000) * 10 ** (digits - 3) + 1e-6);
  return digits === 0 ? whole : `${whole}.${String(fraction).padStart(digits, "0")}`;
}

function rounded(value: number): number {
  return Number(value.toFixed(value < 9.95 ? 1 : 0));
}
