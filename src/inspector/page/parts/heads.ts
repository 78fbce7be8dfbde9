import { h, setAttribute, setText } from "../dom.js";
import { formatCount, formatDuration, formatRate } from "../model/format.js";
import { gaugesOf } from "../model/gauges.js";
import { type Lane } from "../model/lane.js";
import { type GroupRow, type LaneLayout } from "../model/layout.js";
import { badge } from "./badge.js";
import { type Context } from "./part.js";

const GROUPS: Readonly<Record<GroupRow["group"], string>> = {
  command: "Commands",
  query: "Queries",
  event: "Events",
  unused: "Not used yet",
};

interface Head {
  readonly element: HTMLElement;
  update(height: number): void;
}

/** Makes the headings of the lanes and their groups. They are kept while their lane exists, so that focus stays. */
export function heads(context: Context): { element: HTMLElement; update(layout: LaneLayout): void } {
  const { store } = context;
  const element = h("div", { class: "heads" });
  let known = new Map<Lane, Head>();
  const groups = new Map<string, { element: HTMLElement; gauges: HTMLElement }>();
  let order: readonly HTMLElement[] = [];
  const groupOf = (group: GroupRow["group"]): HTMLElement => {
    let found = groups.get(group);
    if (!found) {
      const gauges = h("span", { class: "gauges" });
      const title = h("span", { class: "title" }, GROUPS[group]);
      found = { element: h("div", { class: `group k-${group}` }, title, gauges), gauges };
      groups.set(group, found);
    }
    setText(found.gauges, group === "unused" ? "" : gaugesOf(store.parts, group).join(" · "));
    return found.element;
  };
  const update = (layout: LaneLayout): void => {
    const next = new Map<Lane, Head>();
    const placed: { top: number; element: HTMLElement }[] = [];
    for (const { group, top } of layout.groups) placed.push({ top, element: groupOf(group) });
    const sameName = new Set<string>();
    const names = new Set<string>();
    for (const { lane } of layout.rows) (names.has(lane.name) ? sameName : names).add(lane.name);
    for (const { lane, top, height } of layout.rows) {
      const head = known.get(lane) ?? laneHead(context, lane);
      head.update(height);
      setAttribute(head.element, "data-bus", sameName.has(lane.name) ? lane.bus : undefined);
      next.set(lane, head);
      placed.push({ top, element: head.element });
    }
    known = next;
    const wanted = placed.sort((a, b) => a.top - b.top).map((each) => each.element);
    if (wanted.length === order.length && wanted.every((each, index) => each === order[index])) return;
    order = wanted;
    element.replaceChildren(...wanted);
  };
  return { element, update };
}

function laneHead({ actions, filter }: Context, lane: Lane): Head {
  const figures = h("span", { class: "lane-figures" });
  const failures = h("span", { class: "lane-failures" });
  const only = h(
    "button",
    {
      type: "button",
      class: "only",
      title: `Only ${lane.name}`,
      click: () => actions.setFilter(filter.text === lane.name ? "" : lane.name),
    },
    h("span", { class: "lane-name" }, lane.name),
  );
  const element = h(
    "div",
    { class: `lane k-${lane.kind}`, "data-testid": "lane", "data-type": lane.name },
    badge(lane.kind),
    h("div", { class: "lane-text" }, only, figures),
    failures,
  );
  const update = (height: number): void => {
    element.style.height = `${height}px`;
    const { accepted = 0, rate = 0, rejected = 0, p50, p99 } = lane.figures ?? {};
    const texts = [`${formatRate(rate)}/s`];
    if (p50 !== undefined) texts.push(formatDuration(p50));
    if (p99 !== undefined) texts.push(`p99 ${formatDuration(p99)}`);
    setText(figures, accepted === 0 ? "not used yet" : texts.join(" · "));
    setText(failures, rejected > 0 ? `✕ ${formatCount(rejected)}` : "");
    setAttribute(failures, "aria-label", rejected > 0 ? `${rejected} failed` : undefined);
    setAttribute(failures, "role", rejected > 0 ? "img" : undefined);
    setAttribute(only, "aria-pressed", filter.text === lane.name ? "true" : "false");
  };
  return { element, update };
}
