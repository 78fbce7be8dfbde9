import { fitCanvas } from "../canvas.js";
import { h } from "../dom.js";
import { drawMinute } from "../draw/minute.js";
import { totalsOf } from "../model/series.js";
import { type Context, type Part } from "./part.js";

const SECONDS = 60;
const HEIGHT_PX = 46;
/** A drag of at least so many pixels chooses a time, a shorter one is a click. */
const DRAG_PX = 5;

/** Makes the bars of the last minute. A click shows the time around it, a drag the time it goes over. */
export function minute(context: Context): Part {
  const { actions, store, theme, ui } = context;
  const canvas = h("canvas", { role: "img", "aria-label": "Messages of the last 60 seconds, by kind" });
  const element = h("div", { class: "minute", title: "Click or drag to look at a time" }, canvas);
  let from: number | undefined;
  const timeAt = (event: PointerEvent): number => {
    const { left, width } = canvas.getBoundingClientRect();
    const first = (Math.floor(actions.now / 1000) - SECONDS + 1) * 1000;
    return first + ((event.clientX - left) / width) * SECONDS * 1000;
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    from = event.clientX;
  });
  canvas.addEventListener("pointerup", (event) => {
    if (from === undefined) return;
    const to = timeAt(event);
    const { width } = canvas.getBoundingClientRect();
    const moved = event.clientX - from;
    const start = to - (moved / width) * SECONDS * 1000;
    from = undefined;
    if (Math.abs(moved) >= DRAG_PX) actions.lookAt({ from: Math.min(start, to), to: Math.max(start, to) });
    else actions.lookAt({ from: to - ui.liveSpan / 2, to: to + ui.liveSpan / 2 });
  });
  const update = (): void => {
    const width = Math.floor(element.clientWidth);
    const g = fitCanvas(canvas, width, HEIGHT_PX);
    if (!g || width === 0) return;
    drawMinute({
      g,
      width,
      height: HEIGHT_PX,
      totals: totalsOf(store.lanes.values(), actions.now, SECONDS),
      window: actions.window,
      colours: theme.colours,
    });
  };
  return { element, update };
}
