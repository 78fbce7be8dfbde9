import { h, setText } from "../dom.js";
import { formatCount, formatDuration, formatPercent, formatRate } from "../model/format.js";
import { failingShare, totalsOf } from "../model/series.js";
import { minute } from "./minute.js";
import { type Context, type Part } from "./part.js";

/** Seconds that the share of failures is taken of. */
const FAILING_SECONDS = 10;

/** Makes the row of figures with the bars of the last minute. */
export function figures(context: Context): Part {
  const { store } = context;
  const list = h("dl");
  const bars = minute(context);
  const rate = figure(list, "Messages", "rate");
  const failing = figure(list, "Failing", "failing");
  const inFlight = figure(list, "In flight", "in-flight");
  const slowest = figure(list, "Slowest p99", "p99");
  const drawn = figure(list, "Drawn", "drawn");
  const update = (): void => {
    const lanes = [...store.lanes.values()];
    rate(formatRate(lanes.reduce((sum, lane) => sum + (lane.figures?.rate ?? 0), 0)), "/s");
    const share = failingShare(totalsOf(lanes, store.time, FAILING_SECONDS));
    failing(share === undefined ? "–" : formatPercent(share), share === undefined ? "" : "%");
    list.classList.toggle("fails", !!share);
    inFlight(formatCount(store.counts.inFlight));
    const [worst] = lanes
      .flatMap(({ name, figures: { p99 } = {} }) => (p99 === undefined ? [] : [{ name, p99 }]))
      .sort((a, b) => b.p99 - a.p99);
    slowest(worst ? formatDuration(worst.p99) : "–", worst?.name);
    const { accepted, kept } = store.counts;
    if (accepted === 0) drawn("–");
    else drawn(formatPercent(Math.min(1, kept / accepted)), `% of ${formatCount(accepted)}`);
    bars.update();
  };
  return { element: h("div.figures", list, bars.element), update };
}

/** Adds a figure and returns the function that shows its value. */
function figure(list: Element, label: string, id: string): (value: string, unit?: string) => void {
  const number = h("b");
  const unit = h("span.unit");
  list.append(h("div", h("dt", label), h(`dd#${id}`, number, unit)));
  return (value, text = "") => {
    setText(number, value);
    setText(unit, text);
  };
}
