import { type Hit } from "../draw/scene.js";
import { type Entry } from "../model/entry.js";
import { type Context } from "./part.js";

const CLICK_PX = 4;
const NEAR_PX = { mouse: 10, touch: 18 };

/** Finds the marble that is nearest to a point and within `reach` pixels. Later ones lie on top, so they win. */
export function nearest(hits: readonly Hit[], x: number, y: number, reach: number): Entry | undefined {
  let [best, found]: [number, Entry | undefined] = [reach * reach, undefined];
  for (const hit of hits) {
    const distance = (hit.x - x) ** 2 + (hit.y - y) ** 2;
    if (distance <= best) [best, found] = [distance, hit.entry];
  }
  return found;
}

/** Listens to the pointer on the diagram: hover, click, drag to move in time, wheel to zoom or move. */
export function listenToPointer(
  canvas: HTMLCanvasElement,
  { actions }: Context,
  hits: () => readonly Hit[],
  onHover: (entry: Entry | undefined, event?: PointerEvent) => void,
): void {
  let drag: { x: number; y: number; moved: boolean } | undefined;
  const at = (event: PointerEvent): Entry | undefined => {
    const reach = event.pointerType === "touch" ? NEAR_PX.touch : NEAR_PX.mouse;
    return nearest(hits(), event.offsetX, event.offsetY, reach);
  };
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button === 0) drag = { x: event.clientX, y: event.clientY, moved: false };
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!drag) {
      onHover(at(event), event);
      return;
    }
    const by = event.clientX - drag.x;
    if (!drag.moved && Math.abs(by) < CLICK_PX) return;
    if (!drag.moved) canvas.setPointerCapture(event.pointerId);
    actions.pause();
    drag = { ...drag, x: event.clientX, moved: true };
    actions.pan(-by / canvas.clientWidth);
  });
  canvas.addEventListener("pointerup", (event) => {
    if (drag && !drag.moved) {
      const entry = at(event);
      if (entry) actions.select(entry);
      else actions.deselect();
    }
    drag = undefined;
  });
  canvas.addEventListener("pointercancel", () => (drag = undefined));
  canvas.addEventListener("pointerleave", () => onHover(undefined));
  canvas.addEventListener(
    "wheel",
    (event) => {
      const sideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
      // An upright wheel scrolls the lanes, as it does elsewhere.
      if (!sideways && !event.ctrlKey) return;
      event.preventDefault();
      if (sideways) actions.pan(event.deltaX / canvas.clientWidth);
      else {
        const { from, to } = actions.window;
        const time = from + (event.offsetX / canvas.clientWidth) * (to - from);
        actions.zoom(1.01 ** event.deltaY, actions.live ? undefined : time);
      }
    },
    { passive: false },
  );
}
