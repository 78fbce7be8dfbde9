import { type InspectedKind } from "../../protocol.js";
import { type Lane } from "./lane.js";

/** Messages of one second: accepted ones by kind, settled ones, and those of them that failed. */
export interface SecondTotals {
  readonly second: number;
  readonly accepted: Readonly<Record<InspectedKind, number>>;
  readonly settled: number;
  readonly rejected: number;
}

/** Returns the totals of `count` seconds, oldest first; the last one is the second of `until`. */
export function totalsOf(lanes: readonly Lane[], until: number, count: number): readonly SecondTotals[] {
  const first = Math.floor(until / 1000) - count + 1;
  return Array.from({ length: count }, (_, index) => {
    const accepted = { command: 0, query: 0, event: 0 };
    const total = { second: first + index, accepted, settled: 0, rejected: 0 };
    for (const { kind, series } of lanes) {
      const [, all, fulfilled, rejected, cancelled] = series.get(total.second) ?? [0, 0, 0, 0, 0];
      accepted[kind] += all;
      total.rejected += rejected;
      total.settled += fulfilled + rejected + cancelled;
    }
    return total;
  });
}

/** Returns the share of rejected messages among those settled; `undefined` if none settled. */
export function failingShare(totals: readonly SecondTotals[]): number | undefined {
  const sum = (of: "settled" | "rejected"): number => totals.reduce((all, total) => all + total[of], 0);
  return sum("settled") === 0 ? undefined : sum("rejected") / sum("settled");
}
