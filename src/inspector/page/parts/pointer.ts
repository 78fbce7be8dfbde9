import { type Hit } from "../draw/scene.js";
import { type Entry } from "../model/entry.js";
import { type Context } from "./part.js";

const CLICK_PX = 4;
const NEAR_PX = 10;
/** How much more time is shown for each step of the wheel, of which a notch has about 100. */
const WHEEL = 1.002;
const NEAR_TOUCH_PX = 18;

/** Finds the marble that is nearest to a point and within `reach` pixels. Later ones lie on top, so they win. */
export function nearest(hits: readonly Hit[], x: number, y: number, reach: number): Entry | undefined {
  let best = reach;
  let found: Entry | undefined;
  for (const hit of hits) {
    const distance = Math.hypot(hit.x - x, hit.y - y);
    if (distance <= best) [best, found] = [distance, hit.entry];
  }
  return found;
}

/**
 * Returns the listeners of the diagram: hover, click, drag to move in time, wheel sideways to move, and upright to
 * zoom.
 */
export function pointerListeners(
  { actions }: Context,
  hits: () => readonly Hit[],
  onHover: (entry: Entry | undefined, event: PointerEvent) => void,
): Readonly<Record<string, (event: never) => void>> {
  let from: number | undefined;
  let isDrag = false;
  const at = ({ offsetX, offsetY, pointerType }: PointerEvent): Entry | undefined =>
    nearest(hits(), offsetX, offsetY, pointerType === "touch" ? NEAR_TOUCH_PX : NEAR_PX);
  return {
    pointerdown: ({ clientX }: PointerEvent) => {
      from = clientX;
      isDrag = false;
    },
    pointermove: (event: PointerEvent) => {
      if (from === undefined) {
        onHover(at(event), event);
        return;
      }
      const by = event.clientX - from;
      if (!isDrag && Math.abs(by) < CLICK_PX) return;
      const canvas = event.target as Element;
      isDrag = true;
      from = event.clientX;
      canvas.setPointerCapture(event.pointerId);
      actions.pause();
      actions.pan(-by / canvas.clientWidth);
    },
    pointerup: (event: PointerEvent) => {
      from = undefined;
      if (isDrag) return;
      const entry = at(event);
      if (entry) actions.select(entry);
      else actions.deselect();
    },
    pointercancel: () => (from = undefined),
    pointerleave: (event: PointerEvent) => onHover(undefined, event),
    wheel: (event: WheelEvent) => {
      const { ctrlKey, deltaX, deltaY, offsetX } = event;
      const { clientWidth, parentElement } = event.target as Element;
      if (Math.abs(deltaX) > Math.abs(deltaY)) actions.pan(deltaX / clientWidth);
      // An upright wheel scrolls the lanes where they are higher than the window, as it does elsewhere.
      else if (ctrlKey || parentElement!.clientHeight <= parentElement!.parentElement!.clientHeight)
        actions.zoom(WHEEL ** deltaY, offsetX / clientWidth);
      else return;
      event.preventDefault();
    },
  };
}
