/** Returns a duration with two or three significant digits: `4 µs`, `0.2 ms`, `15 ms`, `1.25 s`, `2 min 3 s`. */
export function formatDuration(ms: number): string {
  if (ms < 0.1) return `${Math.round(ms * 1000)} µs`;
  if (ms < 10) return `${ms.toFixed(1).replace(/\.0$/, "")} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 9_995) return `${(ms / 1000).toFixed(2).replace(/\.?0+$/, "")} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${(ms / 1000).toFixed(1).replace(/\.0$/, "")} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 === 0 ? `${minutes} min` : `${minutes} min ${seconds % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Returns a count with separators below 100,000 and with a unit above: `4,761`, `140k`, `2.6M`. */
export function formatCount(count: number): string {
  if (count < 100_000) return String(Math.round(count)).replace(/\B(?=(\d{3})+$)/g, ",");
  if (count < 999_500) return `${Math.round(count / 1000)}k`;
  return `${(count / 1e6).toFixed(count < 9_950_000 ? 1 : 0)}M`;
}

/** Returns a rate per second with one decimal below ten: `1.9`, `36`, `4,500`. */
export function formatRate(rate: number): string {
  return rate > 0 && rate < 9.95 ? rate.toFixed(1) : formatCount(rate);
}

/** Returns a share in percent. A share that is not zero never reads as zero, and one below the whole never as the whole. */
export function formatPercent(share: number): string {
  const percent = share * 100;
  if (percent > 0 && percent < 0.05) return "<0.1";
  if (percent > 99 && percent < 100) return (Math.floor(percent * 10) / 10).toFixed(1);
  return percent < 9.95 ? percent.toFixed(1).replace(/^0\.0$/, "0") : percent.toFixed(0);
}

/** Returns the local time of day with `digits` decimals of a second. */
export function formatTime(time: number, digits = 3): string {
  const date = new Date(time);
  const two = (value: number): string => String(value).padStart(2, "0");
  const whole = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  if (digits === 0) return whole;
  const scale = 10 ** digits;
  // floor, not round: 59.9996 s must not read as 60.000 s, or as 00.000 s of the same minute
  const fraction = Math.floor(((((time % 1000) + 1000) % 1000) / 1000) * scale + 1e-6);
  return `${whole}.${String(Math.min(fraction, scale - 1)).padStart(digits, "0")}`;
}
