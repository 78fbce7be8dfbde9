import { h, setAttribute, setText } from "../dom.js";
import { formatCount } from "../model/format.js";
import { type TabName } from "../model/ui.js";
import { inFlight } from "./in-flight.js";
import { messages } from "./messages.js";
import { type Context, type Part } from "./part.js";
import { troubles } from "./troubles.js";
import { wiring } from "./wiring.js";

interface Tab {
  readonly name: TabName;
  readonly part: Part;
  readonly button: HTMLButtonElement;
  readonly count: HTMLElement;
  readonly panel: HTMLElement;
  readonly total: () => number;
}

/** Makes the tabs below the diagram. Only the open one is kept up to date. */
export function tabs(context: Context): Part {
  const { actions, store, ui } = context;
  const make = (name: TabName, title: string, part: Part, total: () => number): Tab => {
    const count = h("span.count");
    const button = h(
      `button#tab-${name}`,
      { role: "tab", id: `tab-${name}`, "aria-controls": `panel-${name}`, click: () => actions.setTab(name) },
      title,
      count,
    );
    const attributes = {
      role: "tabpanel",
      id: `panel-${name}`,
      "aria-labelledby": `tab-${name}`,
      tabindex: 0,
    };
    return { name, part, button, count, panel: h("div", attributes, part.element), total };
  };
  const all = [
    make("messages", "Messages", messages(context), () => store.entries.length),
    make("in-flight", "In flight", inFlight(context), () => store.counts.inFlight),
    make(
      "troubles",
      "Faults and refusals",
      troubles(context),
      () => store.faults.length + store.refusals.length,
    ),
    make("wiring", "Wiring", wiring(context), () => store.parts.length),
  ];
  const bar = h(
    "div",
    { role: "tablist", "aria-label": "Lists" },
    all.map(({ button }) => button),
  );
  bar.addEventListener("keydown", (event) => {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const at = all.findIndex(({ name }) => name === ui.tab);
    const next = all[(at + by + all.length) % all.length]!;
    actions.setTab(next.name);
    next.button.focus();
  });
  const element = h(
    "div.tabs",
    bar,
    all.map(({ panel }) => panel),
  );
  const update = (): void => {
    for (const { name, part, button, count, panel, total } of all) {
      const open = name === ui.tab;
      setAttribute(button, "aria-selected", open);
      setAttribute(button, "tabindex", open ? 0 : -1);
      setText(count, formatCount(total()));
      count.classList.toggle("bad", name === "troubles" && total() > 0);
      panel.hidden = !open;
      if (open) part.update();
    }
  };
  return { element, update };
}
