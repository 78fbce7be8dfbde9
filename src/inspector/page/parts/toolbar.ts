import { type FeedState } from "../../protocol.js";
import { h, setAttribute, setText } from "../dom.js";
import { STATES } from "../model/filter.js";
import { formatCount, formatDuration } from "../model/format.js";
import { SPANS_MS } from "../model/ui.js";
import { exportButton } from "./export.js";
import { icon } from "./icon.js";
import { outcome } from "./outcome.js";
import { type Context, type Part } from "./part.js";

const WORDS: Readonly<Record<FeedState, string>> = {
  connecting: "connecting",
  live: "live",
  lost: "connection lost, trying again",
  unauthorized: "wrong token",
  unavailable: "not available",
  recording: "recording",
  closed: "closed",
};

export interface ToolbarOptions {
  readonly exportLines?: (() => string | Promise<string>) | undefined;
  readonly onClose?: (() => void) | undefined;
}

/** Makes the bar at the top. */
export function toolbar(
  context: Context,
  options: ToolbarOptions,
): Part & { readonly filter: HTMLInputElement } {
  const { actions, filter, store, ui, theme } = context;
  const dot = h("span.dot", { "aria-hidden": true });
  // The count beside it is not part of the status: a screen reader would read each new number.
  const status = h("span#status", { role: "status" });
  const seen = h("span.seen");
  const input = h("input#filter", {
    type: "search",
    "aria-label": "Filter by type, id or text",
    placeholder: "Filter",
    input: () => actions.setFilter(input.value),
  });
  const toggles = STATES.map((state) =>
    h(`button.toggle.s-${state}#state-${state}`, { click: () => actions.toggleState(state) }, outcome(state)),
  );
  const custom = h("option", { value: "", hidden: true });
  const span = h(
    "select.span",
    { "aria-label": "Time shown", change: () => actions.setSpan(Number(span.value)) },
    custom,
    SPANS_MS.map((ms) => h("option", { value: ms }, formatDuration(ms))),
  );
  const pause = h("button.pause#pause", { click: actions.toggleLive });
  const look = icon("◐", "", () => theme.toggle());
  const help = icon("?", "Help", actions.toggleHelp);
  const { onClose, exportLines } = options;
  const element = h(
    "div.toolbar",
    h("div.brand", h("span.logo", h("i"), h("i"), h("i")), h("h1", "cqrx inspector")),
    h("div.state", dot, status, seen),
    h("div.search", input, h("kbd", { "aria-hidden": true }, "/")),
    h("div.toggles", { role: "group", "aria-label": "Outcomes shown" }, toggles),
    span,
    h(
      "div.buttons",
      pause,
      exportLines && exportButton(exportLines, () => store.hello?.run ?? ""),
      look,
      help,
      onClose && icon("✕", "Close", onClose),
    ),
  );
  const statusWord = (): string => {
    if (ui.state !== "live" || actions.live) return WORDS[ui.state];
    return "paused";
  };
  const update = (): void => {
    const word = statusWord();
    setText(status, word);
    setAttribute(dot, "data-state", word === "paused" ? word : ui.state);
    const gaps = store.gaps > 0 ? `, ${formatCount(store.gaps)} updates left out` : "";
    setText(seen, store.hello ? `${formatCount(store.counts.accepted)} seen${gaps}` : "");
    // The text is set only from outside the field, so that the caret stays.
    if (input.value !== filter.text) input.value = filter.text;
    for (const [index, toggle] of toggles.entries()) {
      setAttribute(toggle, "aria-pressed", filter.states.has(STATES[index]!));
    }
    const standard = SPANS_MS.includes(ui.shown.span);
    setText(custom, formatDuration(ui.shown.span));
    const value = standard ? String(ui.shown.span) : "";
    if (span.value !== value) span.value = value;
    const recording = ui.state === "recording";
    setText(pause, recording ? "Show all" : actions.live ? "Pause" : "Live");
    pause.classList.toggle("on", !actions.live && !recording);
    setAttribute(look, "aria-label", theme.isLight ? "Dark theme" : "Light theme");
    setAttribute(help, "aria-expanded", ui.help);
  };
  return { element, filter: input, update };
}
