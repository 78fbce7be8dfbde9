import { type Colours } from "../colours.js";
import { type Entry } from "../model/entry.js";
import { type Lane } from "../model/lane.js";
import { type LaneLayout } from "../model/layout.js";
import { type TimeWindow } from "../model/ui.js";

/** Height of the axis below the lanes. */
export const AXIS_PX = 26;

/** Everything that one picture of the lanes depends on. */
export interface Scene {
  readonly g: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
  /** Pixels that the lanes are scrolled by. */
  readonly scroll: number;
  /** Pixels at the top of a lane that its heading takes in a narrow window. */
  readonly headPx: number;
  readonly window: TimeWindow;
  /** The recorder's time, up to which open messages last. */
  readonly now: number;
  /** The time of `performance.now()` if marbles may move, else 0. */
  readonly motion: number;
  readonly layout: LaneLayout;
  readonly colours: Colours;
  readonly laneOf: (entry: Entry) => Lane;
  readonly matches: (entry: Entry) => boolean;
  readonly selected: Entry | undefined;
  /** The conversation of the selected message. */
  readonly family: ReadonlySet<Entry>;
  readonly hovered: Entry | undefined;
}

/** The place of a marble that was drawn, to find what the pointer means. */
export interface Hit {
  readonly x: number;
  readonly y: number;
  readonly entry: Entry;
}

export function xOf({ width, window: { from, to } }: Scene, time: number): number {
  return ((time - from) / (to - from)) * width;
}
