import { type DescribedPart, type InspectedKind } from "../../protocol.js";
import { formatCount, formatPercent } from "./format.js";

/** Returns what the buses of a kind tell about queues and caches, such as `7 waiting` and `88 % from cache`. */
export function gaugesOf(parts: readonly DescribedPart[], kind: InspectedKind): readonly string[] {
  const sums = new Map<string, number>();
  const add = (name: string, value: number): unknown => sums.set(name, (sums.get(name) ?? 0) + value);
  for (const { bus } of parts) {
    if (bus?.kind !== kind) continue;
    for (const { values } of bus.gauges ?? []) {
      for (const [name, value] of Object.entries(values)) add(name, value);
    }
    if (bus.background) add("queued", bus.background.queued);
  }
  const texts: string[] = [];
  for (const name of ["running", "waiting", "queued", "retries", "shared"]) {
    const value = sums.get(name) ?? 0;
    if (value > 0) texts.push(`${formatCount(value)} ${name}`);
  }
  const hits = sums.get("hits") ?? 0;
  const asked = hits + (sums.get("misses") ?? 0);
  if (asked > 0) texts.push(`${formatPercent(hits / asked)} % cache hits`);
  return texts;
}
