import { fitCanvas } from "../canvas.js";
import { h, setAttribute, setText } from "../dom.js";
import { drawDiagram } from "../draw/diagram.js";
import { AXIS_PX, type Hit } from "../draw/scene.js";
import { type Entry } from "../model/entry.js";
import { formatDuration } from "../model/format.js";
import { type LaneLayout, layoutLanes, MIN_LANE_PX } from "../model/layout.js";
import { heads } from "./heads.js";
import { type Context, type Part } from "./part.js";
import { pointerListeners } from "./pointer.js";
import { tip } from "./tip.js";

/** In a narrow view a heading lies above the marbles of its lane, over the whole width. */
const COMPACT_HEAD_PX = 18;
const COMPACT_LANE_PX = 52;
/** Room of one marble in a track. */
const MARBLE_PX = 11;
/** Share of the view that the details of a narrow view leave free. */
const COMPACT_FREE = 0.5;

export interface Lanes extends Part {
  /** Draws the canvas alone: what moves while nothing else changes. */
  draw(): void;
  /** Moves the keyboard focus to the lanes. */
  focus(): void;
}

/** Makes the marble diagram: headings, and one canvas as large as the part of the lanes that is in view. */
export function lanes(context: Context, root: HTMLElement, redraw: () => void): Lanes {
  const { actions, filter, isCompact, store, theme, ui } = context;
  let layout: LaneLayout = { all: [], lanes: [], height: 0 };
  let hits: readonly Hit[] = [];
  let hovered: Entry | undefined;
  let shown: number | undefined;
  const show = tip(root);
  const onHover = (entry: Entry | undefined, event: PointerEvent): void => {
    if (entry !== hovered) redraw();
    hovered = entry;
    show(entry, event);
    canvas.classList.toggle("over", !!entry);
  };
  const canvas = h("canvas.marbles", { role: "img", ...pointerListeners(context, () => hits, onHover) });

  const headings = heads(context);
  const inner = h("div.inner", headings.element, canvas);
  const hint = h("p.hint");
  const scroller = h(
    "div.lanes#lanes",
    { tabindex: 0, role: "group", "aria-label": "Message types", scroll: redraw },
    inner,
  );
  const element = h("div.diagram", scroller, hint);

  const update = (): void => {
    const available = scroller.clientHeight - AXIS_PX;
    layout = layoutLanes(store.lanes.values(), available, isCompact() ? COMPACT_LANE_PX : MIN_LANE_PX);
    headings.update(layout);
    inner.style.height = `${layout.height + AXIS_PX}px`;
    const span = formatDuration(ui.shown.span);
    setAttribute(
      canvas,
      "aria-label",
      `Marble diagram of ${layout.lanes.length} message types, ${span} shown`,
    );
    const isQuiet = ui.state === "live" && store.counts.accepted === 0;
    setText(hint, isQuiet ? "Waiting for the first message" : "");
    if (ui.selected !== shown) followSelection();
  };

  /** Scrolls to the lane of the selected message. */
  const followSelection = (): void => {
    shown = ui.selected;
    const { selected } = actions;
    const row = layout.lanes.find(({ of }) => selected && of === store.laneOf(selected));
    if (!row) return;
    const free = isCompact() ? root.clientHeight * COMPACT_FREE - element.offsetTop : Infinity;
    const height = Math.min(scroller.clientHeight - AXIS_PX, free);
    const bottom = row.top + row.height - height;
    scroller.scrollTop = Math.max(bottom, Math.min(scroller.scrollTop, row.top));
  };

  const draw = (): void => {
    const width = Math.floor(scroller.clientWidth - canvas.offsetLeft);
    const height = Math.floor(scroller.clientHeight);
    const g = width > 0 && height > AXIS_PX && fitCanvas(canvas, width, height);
    if (!g) return;
    const { window, selected } = actions;
    for (const lane of store.lanes.values()) lane.arrange((window.span / width) * MARBLE_PX);
    hits = drawDiagram({
      g,
      width,
      height,
      scroll: scroller.scrollTop,
      headPx: isCompact() ? COMPACT_HEAD_PX : 0,
      window,
      now: actions.now,
      motion: theme.calm || ui.state !== "live" ? 0 : performance.now(),
      layout,
      colours: theme.colours,
      laneOf: (entry) => store.laneOf(entry),
      matches: filter.matches,
      selected,
      family: new Set(selected && store.conversation(selected.message.correlationId)),
      hovered,
    });
  };
  return { element, update, draw, focus: () => scroller.focus() };
}
