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
export function minute({ actions, store, theme, ui }: Context): Part {
  let from: number | undefined;
  const timeAt = (x: number): number => {
    const { left, width } = canvas.getBoundingClientRect();
    return (Math.floor(actions.now / 1000) + 1 - SECONDS * (1 - (x - left) / width)) * 1000;
  };
  const canvas = h("canvas", {
    role: "img",
    "aria-label": "Messages of the last 60 seconds, by kind",
    pointerdown: (event: PointerEvent) => {
      canvas.setPointerCapture(event.pointerId);
      from = event.clientX;
    },
    pointerup: ({ clientX }: PointerEvent) => {
      if (from === undefined) return;
      const times = [timeAt(from), timeAt(clientX)];
      const half = Math.abs(clientX - from) < DRAG_PX ? ui.liveSpan / 2 : 0;
      actions.lookAt({ from: Math.min(...times) - half, to: Math.max(...times) + half });
      from = undefined;
    },
  });
  const element = h("div.minute", canvas);
  const update = (): void => {
    const width = Math.floor(element.clientWidth);
    const g = width > 0 && fitCanvas(canvas, width, HEIGHT_PX);
    if (!g) return;
    drawMinute({
      g,
      width,
      height: HEIGHT_PX,
      totals: totalsOf([...store.lanes.values()], actions.now, SECONDS),
      window: actions.window,
      colours: theme.colours,
    });
  };
  return { element, update };
}
