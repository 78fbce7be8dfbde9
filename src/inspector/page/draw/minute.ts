import { type Colours } from "../colours.js";
import { KINDS } from "../model/lane.js";
import { type SecondTotals } from "../model/series.js";
import { type TimeWindow } from "../model/ui.js";

export interface Minute {
  readonly g: CanvasRenderingContext2D;
  readonly width: number;
  readonly height: number;
  readonly totals: readonly SecondTotals[];
  readonly window: TimeWindow;
  readonly colours: Colours;
}

const FAILURE_PX = 3;

/** Draws the last 60 s as stacked bars, one a second, failures as red marks on top, and the shown time as a frame. */
export function drawMinute({ g, width, height, totals, window, colours }: Minute): void {
  g.clearRect(0, 0, width, height);
  const bar = width / totals.length;
  const sums = totals.map(({ accepted }) => KINDS.reduce((sum, kind) => sum + accepted[kind], 0));
  const most = Math.max(1, ...sums);
  const room = height - FAILURE_PX - 3;
  const gap = bar > 4 ? 1 : 0.5;
  for (const [index, { accepted, rejected }] of totals.entries()) {
    const x = index * bar;
    let y = height - 1;
    for (const kind of KINDS) {
      if (accepted[kind] === 0) continue;
      const part = Math.max(1, (accepted[kind] / most) * room);
      g.fillStyle = colours[kind];
      g.fillRect(x, y - part, bar - gap, part);
      y -= part;
    }
    if (rejected > 0) {
      g.fillStyle = colours.rejected;
      g.fillRect(x, Math.max(0, y - FAILURE_PX - 1), bar - gap, FAILURE_PX);
    }
  }
  g.fillStyle = colours.line;
  g.fillRect(0, height - 1, width, 1);
  const xOf = (time: number): number => Math.max(0, (time / 1000 - totals[0]!.second) * bar);
  const from = xOf(window.from);
  g.fillStyle = colours.accent;
  g.globalAlpha = 0.2;
  g.fillRect(from, 0, Math.max(2, xOf(window.to) - from), height);
  g.globalAlpha = 1;
}
