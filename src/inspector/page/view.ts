import { type CreateView, type FeedState, type Frame } from "../protocol.js";
import { h, setAttribute } from "./dom.js";
import { Loop } from "./loop.js";
import { actionsOf } from "./model/actions.js";
import { Clock } from "./model/clock.js";
import { Filter } from "./model/filter.js";
import { Store } from "./model/store.js";
import { initialUi } from "./model/ui.js";
import { details } from "./parts/details.js";
import { figures } from "./parts/figures.js";
import { help } from "./parts/help.js";
import { keyListener } from "./parts/keys.js";
import { lanes } from "./parts/lanes.js";
import { notice } from "./parts/notice.js";
import { type Context } from "./parts/part.js";
import { tabs } from "./parts/tabs.js";
import { toolbar } from "./parts/toolbar.js";
import { styleSheet } from "./style/sheet.js";
import { Theme } from "./theme.js";

const COMPACT_PX = 720;
const NARROW_PX = 1000;
/** Least time between two updates of texts and tables; with reduced motion the diagram moves as often. */
const REFRESH_MS = 200;
const CALM_REFRESH_MS = 1000;

/**
 * Renders the inspector into a shadow root of `host`, whose size it fills. Its style is a constructed sheet and
 * its texts are text nodes, so that it works under any content security policy, Trusted Types included.
 */
export const createView: CreateView = (host, source, options = {}) => {
  const [store, filter, ui, clock] = [new Store(), new Filter(), initialUi(), new Clock()];
  const shadow = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  shadow.adoptedStyleSheets = [styleSheet()];
  const root = h("div.app", { role: "region", "aria-label": "cqrx inspector" });
  shadow.replaceChildren(root);

  const changed = (): void => loop.invalidate(true);
  const theme = new Theme(changed);
  const actions = actionsOf(store, ui, filter, clock, changed);
  const context: Context = {
    store,
    ui,
    filter,
    actions,
    theme,
    isCompact: () => root.clientWidth < COMPACT_PX,
  };

  const bar = toolbar(context, options);
  const diagram = lanes(context, root, changed);
  const parts = [
    bar,
    figures(context),
    notice(context),
    diagram,
    tabs(context),
    details(context),
    help(context),
  ];
  const [, numbers, message, , lists, selection, keys] = parts.map(({ element }) => element);
  const left = h("div.left", numbers, message, diagram.element, lists);
  root.prepend(bar.element, h("div.body", left, selection), keys!);

  const loop = new Loop({
    refresh: () => {
      const { clientWidth: width } = root;
      setAttribute(root, "data-size", width < COMPACT_PX ? "compact" : width < NARROW_PX ? "narrow" : "wide");
      setAttribute(root, "data-theme", theme.isLight ? "light" : "dark");
      setAttribute(root, "data-selected", actions.selected !== undefined);
      for (const part of parts) part.update();
    },
    draw: () => diagram.draw(),
    pixelMs: () => {
      if (!actions.live || ui.state !== "live") return undefined;
      return theme.calm ? CALM_REFRESH_MS : ui.shown.span / Math.max(1, root.clientWidth);
    },
    refreshMs: () => (theme.calm ? CALM_REFRESH_MS : REFRESH_MS),
  });

  const onFrame = (frame: Frame): void => {
    const now = performance.now();
    const run = store.hello?.run;
    store.apply(frame, ui.state === "live" ? now : 0);
    if (frame.type === "hello" && frame.run !== run) {
      ui.selected = undefined;
      if (ui.state !== "recording" && run !== undefined) actions.goLive();
    }
    if (ui.state === "recording") {
      clock.stop(store.time);
      actions.goLive();
    } else if (frame.type === "hello" || frame.type === "changes") clock.sync(frame.time, now);
    loop.invalidate(frame.type !== "changes");
  };
  const onState = (state: FeedState): void => {
    if (state !== "live" && state !== "connecting") clock.stop(actions.now);
    ui.state = state;
    loop.invalidate(true);
  };

  const onKey = keyListener(actions, {
    focusFilter: () => {
      bar.filter.focus();
      bar.filter.select();
    },
    escape: () => {
      const { activeElement: active } = shadow;
      const inFilter = active === bar.filter;
      if (inFilter && filter.text) actions.setFilter("");
      else if (!inFilter) actions.escape();
      // Focus that stays in the table would hold it still.
      if (inFilter || active?.closest("table")) diagram.focus();
    },
  });
  // In a panel over an application, the keys of the application are not ours.
  const keyTarget: EventTarget = options.onClose ? host : document;
  keyTarget.addEventListener("keydown", onKey as EventListener);
  const resized = new ResizeObserver(changed);
  resized.observe(root);
  resized.observe(diagram.element);
  const stop = source(onFrame, onState);
  changed();
  // Keys reach a panel only while the focus is in it.
  if (options.onClose) diagram.focus();
  return {
    destroy: () => {
      stop();
      loop.destroy();
      theme.destroy();
      resized.disconnect();
      keyTarget.removeEventListener("keydown", onKey as EventListener);
      shadow.replaceChildren();
    },
  };
};
