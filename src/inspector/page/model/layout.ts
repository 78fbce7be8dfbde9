import { type InspectedKind } from "../../protocol.js";
import { KINDS, type Lane } from "./lane.js";

export const MIN_LANE_PX = 34;
const MAX_LANE_PX = 60;
export const GROUP_PX = 24;

/** Name of a group: the kind of its lanes, or `unused` for types without a message. */
export type Group = InspectedKind | "unused";

/** A lane, or the title of a group of lanes. */
export interface Row<T extends Lane | Group = Lane | Group> {
  readonly of: T;
  readonly top: number;
  readonly height: number;
}

export interface LaneLayout {
  /** Titles and lanes from top to bottom. */
  readonly all: readonly Row[];
  readonly lanes: readonly Row<Lane>[];
  readonly height: number;
}

/** Lays out lanes by kind, then name, unused ones last, as high as the available pixels allow between the limits. */
export function layoutLanes(lanes: Iterable<Lane>, available: number, minLane = MIN_LANE_PX): LaneLayout {
  // By code units: the order must not depend on the language of the browser.
  const sorted = [...lanes].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const groupOf = (lane: Lane): Group =>
    lane.entries.length > 0 || lane.figures?.accepted ? lane.kind : "unused";
  const grouped = ([...KINDS, "unused"] as const)
    .map((group) => [group, sorted.filter((lane) => groupOf(lane) === group)] as const)
    .filter(([, some]) => some.length > 0);
  const room = (available - grouped.length * GROUP_PX) / Math.max(1, sorted.length);
  const height = Math.floor(Math.max(minLane, Math.min(MAX_LANE_PX, room)));
  const layout = { all: [] as Row[], lanes: [] as Row<Lane>[], height: 0 };
  const place = <T extends Lane | Group>(of: T, rowHeight: number): Row<T> => {
    const row = { of, top: layout.height, height: rowHeight };
    layout.height += rowHeight;
    layout.all.push(row);
    return row;
  };
  for (const [group, some] of grouped) {
    place(group, GROUP_PX);
    for (const lane of some) layout.lanes.push(place(lane, height));
  }
  return layout;
}

function keyOf({ kind, name, bus }: Lane): string {
  return `${KINDS.indexOf(kind)}${name}\n${bus}`;
}
