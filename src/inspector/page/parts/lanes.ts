import { fitCanvas } from "../canvas.js";
import { h, setAttribute, setText } from "../dom.js";
import { drawDiagram } from "../draw/diagram.js";
import { AXIS_PX, type Hit } from "../draw/scene.js";
import { type Entry } from "../model/entry.js";
import { formatDuration } from "../model/format.js";
import { type LaneLayout, layoutLanes, MIN_LANE_PX } from "../model/layout.js";
import { heads } from "./heads.js";
import { type Context, type Part } from "./part.js";
import { listenToPointer } from "./pointer.js";
import { tip } from "./tip.js";

/** In a narrow view a heading lies above the marbles of its lane, over the whole width. */
const COMPACT_HEAD_PX = 18;
const COMPACT_LANE_PX = 52;
/** Room of one marble in a track. */
const MARBLE_PX = 11;

export interface Lanes extends Part {
  /** Draws the canvas alone: what moves while nothing else changes. */
  draw(): void;
  /** Moves the keyboard focus to the lanes. */
  focus(): void;
}

/** Makes the marble diagram: headings, and one canvas as large as the part of the lanes that is in view. */
export function lanes(context: Context, root: HTMLElement, redraw: () => void): Lanes {
  const { actions, filter, store, theme, ui } = context;
  const canvas = h("canvas", { role: "img", class: "marbles" });
  const headings = heads(context);
  const inner = h("div", { class: "inner" }, headings.element, canvas);
  const hint = h("p", { class: "hint" });
  const scroller = h("div", {
    class: "lanes",
    "data-testid": "lanes",
    tabindex: "0",
    role: "group",
    "aria-label": "Message types",
    scroll: redraw,
  });
  scroller.append(inner);
  const element = h("div", { class: "diagram" }, scroller, hint);
  let layout: LaneLayout = { groups: [], rows: [], height: 0 };
  let hits: readonly Hit[] = [];
  let hovered: Entry | undefined;
  const box = tip(root);
  listenToPointer(
    canvas,
    context,
    () => hits,
    (entry, event) => {
      if (entry !== hovered) redraw();
      hovered = entry;
      box.show(entry, event);
      setAttribute(canvas, "class", entry ? "marbles over" : "marbles");
    },
  );

  const update = (): void => {
    const compact = context.isCompact();
    const available = scroller.clientHeight - AXIS_PX;
    layout = layoutLanes(store.lanes.values(), available, compact ? COMPACT_LANE_PX : MIN_LANE_PX);
    headings.update(layout);
    inner.style.height = `${layout.height + AXIS_PX}px`;
    const span = formatDuration(ui.shown.span);
    setAttribute(
      canvas,
      "aria-label",
      `Marble diagram of ${layout.rows.length} message types, ${span} shown`,
    );
    const quiet = ui.state === "live" && store.counts.accepted === 0;
    setText(
      hint,
      quiet ? "No message yet. Each one that is dispatched, asked or published appears here." : "",
    );
  };

  const draw = (): void => {
    const width = Math.floor(scroller.clientWidth - canvas.offsetLeft);
    const height = Math.floor(scroller.clientHeight);
    const g = width > 0 && height > AXIS_PX ? fitCanvas(canvas, width, height) : undefined;
    if (!g) return;
    const { window, selected } = actions;
    const gapMs = (window.span / width) * MARBLE_PX;
    for (const lane of store.lanes.values()) lane.arrange(gapMs);
    hits = drawDiagram({
      g,
      width,
      height,
      scroll: scroller.scrollTop,
      headPx: context.isCompact() ? COMPACT_HEAD_PX : 0,
      window,
      now: actions.now,
      live: actions.live,
      motion: theme.calm || ui.state !== "live" ? 0 : performance.now(),
      layout,
      colours: theme.colours,
      matches: filter.matches,
      selected,
      family: new Set(selected && store.conversation(selected.message.correlationId)),
      hovered,
    });
  };
  return { element, update, draw, focus: () => scroller.focus() };
}
