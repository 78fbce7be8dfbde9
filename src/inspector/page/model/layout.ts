import { type InspectedKind } from "../../protocol.js";
import { KINDS, type Lane } from "./lane.js";

export const MIN_LANE_PX = 34;
export const MAX_LANE_PX = 60;
export const GROUP_PX = 24;

export interface LaneRow {
  readonly lane: Lane;
  readonly top: number;
  readonly height: number;
}

export interface GroupRow {
  /** Kind of the lanes below, or `unused` for types without a message. */
  readonly group: InspectedKind | "unused";
  readonly top: number;
}

export interface LaneLayout {
  readonly groups: readonly GroupRow[];
  readonly rows: readonly LaneRow[];
  readonly height: number;
}

/** Lays out lanes by kind, then name, unused ones last, as high as the available pixels allow between the limits. */
export function layoutLanes(lanes: Iterable<Lane>, available: number, minLane = MIN_LANE_PX): LaneLayout {
  const sorted = [...lanes].sort((a, b) => compareTexts(a.name, b.name) || compareTexts(a.bus, b.bus));
  const isUsed = (lane: Lane): boolean => lane.entries.length > 0 || (lane.figures?.accepted ?? 0) > 0;
  const grouped = [
    ...KINDS.map((kind) => ({
      group: kind,
      lanes: sorted.filter((l) => l.kind === kind && isUsed(l)),
    })),
    { group: "unused" as const, lanes: sorted.filter((lane) => !isUsed(lane)) },
  ].filter(({ lanes: some }) => some.length > 0);
  const room = (available - grouped.length * GROUP_PX) / Math.max(1, sorted.length);
  const height = Math.floor(Math.min(Math.max(minLane, MAX_LANE_PX), Math.max(minLane, room)));
  const groups: GroupRow[] = [];
  const rows: LaneRow[] = [];
  let top = 0;
  for (const { group, lanes: some } of grouped) {
    groups.push({ group, top });
    top += GROUP_PX;
    for (const lane of some) {
      rows.push({ lane, top, height });
      top += height;
    }
  }
  return { groups, rows, height: top };
}

/** Compares by code units: the order must not depend on the language of the browser. */
function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
