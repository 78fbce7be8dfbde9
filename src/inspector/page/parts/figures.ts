import { h, setAttribute, setText } from "../dom.js";
import { formatCount, formatDuration, formatPercent, formatRate } from "../model/format.js";
import { failingShare } from "../model/series.js";
import { minute } from "./minute.js";
import { type Context, type Part } from "./part.js";

/** Seconds that the share of failures is taken of. */
const FAILING_SECONDS = 10;

/** Makes the row of figures with the bars of the last minute. */
export function figures(context: Context): Part {
  const { store } = context;
  const rate = figure("Messages", "rate");
  const failing = figure("Failing", "failing");
  const inFlight = figure("In flight", "in-flight");
  const slowest = figure("Slowest p99", "p99");
  const drawn = figure("Drawn", "drawn");
  const bars = minute(context);
  const all = [rate, failing, inFlight, slowest, drawn];
  const element = h(
    "div",
    { class: "figures" },
    h("dl", {}, ...all.map((each) => each.element)),
    bars.element,
  );
  const update = (): void => {
    const lanes = [...store.lanes.values()];
    const total = lanes.reduce((sum, lane) => sum + (lane.figures?.rate ?? 0), 0);
    rate.show(formatRate(total), "/s");
    const share = failingShare(lanes, store.time, FAILING_SECONDS);
    failing.show(share === undefined ? "–" : formatPercent(share), share === undefined ? "" : "%");
    setAttribute(failing.element, "class", share ? "failing" : "");
    inFlight.show(formatCount(store.counts.inFlight), "");
    const worst = lanes.reduce<(typeof lanes)[number] | undefined>(
      (most, lane) => ((lane.figures?.p99 ?? -1) > (most?.figures?.p99 ?? -1) ? lane : most),
      undefined,
    );
    if (worst?.figures?.p99 === undefined) slowest.show("–", "");
    else slowest.show(formatDuration(worst.figures.p99), worst.name);
    const { accepted, kept } = store.counts;
    drawn.show(
      accepted === 0 ? "–" : formatPercent(Math.min(1, kept / accepted)),
      accepted === 0 ? "" : `% of ${formatCount(accepted)}`,
    );
    bars.update();
  };
  return { element, update };
}

function figure(
  label: string,
  id: string,
): { element: HTMLElement; show: (value: string, unit: string) => void } {
  const number = h("b");
  const unit = h("span", { class: "unit" });
  const element = h("div", {}, h("dt", {}, label), h("dd", { "data-testid": id }, number, unit));
  return {
    element,
    show: (value, text) => {
      setText(number, value);
      setText(unit, text);
    },
  };
}
