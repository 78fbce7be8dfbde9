import { type FeedState } from "../../protocol.js";

export type TabName = "messages" | "in-flight" | "troubles" | "wiring";

export interface Extent {
  readonly from: number;
  readonly to: number;
}

/** The shown time. The span is that of the user's choice: the difference of two large times is not exact. */
export interface TimeWindow extends Extent {
  readonly span: number;
}

/** The shown time: up to `until`, or up to now while that is undefined. */
export interface Shown {
  readonly until: number | undefined;
  readonly span: number;
}

export const SPANS_MS: readonly number[] = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000];

/** The choices of the user, and the state of the connection. */
export interface Ui {
  state: FeedState;
  shown: Shown;
  /** The view that Escape shows again after a selection or a zoom. */
  back: Shown | undefined;
  /** The time shown while live, which a zoom changes only for a while. */
  liveSpan: number;
  /** Order of the selected record. */
  selected: number | undefined;
  tab: TabName;
  help: boolean;
}

export function initialUi(): Ui {
  return {
    state: "connecting",
    shown: { until: undefined, span: 10_000 },
    back: undefined,
    liveSpan: 10_000,
    selected: undefined,
    tab: "messages",
    help: false,
  };
}
