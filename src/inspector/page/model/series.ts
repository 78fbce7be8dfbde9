import { type InspectedKind } from "../../protocol.js";
import { type Lane } from "./lane.js";

/** Accepted messages of one second by kind, and how many failed in it. */
export interface SecondTotals {
  readonly second: number;
  readonly accepted: Readonly<Record<InspectedKind, number>>;
  readonly rejected: number;
}

/** Returns the totals of `count` seconds, oldest first; the last one is the second of `until`. */
export function totalsOf(lanes: Iterable<Lane>, until: number, count: number): readonly SecondTotals[] {
  const last = Math.floor(until / 1000);
  const totals = Array.from({ length: count }, (_, index) => ({
    second: last - count + 1 + index,
    accepted: { command: 0, query: 0, event: 0 },
    rejected: 0,
  }));
  for (const lane of lanes) {
    for (const total of totals) {
      const point = lane.series.get(total.second);
      if (!point) continue;
      total.accepted[lane.kind] += point[1];
      total.rejected += point[3];
    }
  }
  return totals;
}

/** Returns the share of rejected messages among those settled in the last `seconds` seconds; `undefined` if none settled. */
export function failingShare(lanes: Iterable<Lane>, until: number, seconds: number): number | undefined {
  let [rejected, settled] = [0, 0];
  const since = Math.floor(until / 1000) - seconds;
  for (const lane of lanes) {
    for (const [second, , fulfilled, failed, cancelled] of lane.series.values()) {
      if (second <= since) continue;
      rejected += failed;
      settled += fulfilled + failed + cancelled;
    }
  }
  return settled === 0 ? undefined : rejected / settled;
}
