import { h, setAttribute, setText } from "../dom.js";
import { keyed } from "../keyed.js";
import { formatCount, formatDuration, formatRate } from "../model/format.js";
import { gaugesOf } from "../model/gauges.js";
import { type Lane } from "../model/lane.js";
import { type Group, type LaneLayout } from "../model/layout.js";
import { badge } from "./badge.js";
import { type Context } from "./part.js";

const TITLES: Readonly<Record<Group, string>> = {
  command: "Commands",
  query: "Queries",
  event: "Events",
  unused: "Not used yet",
};

/** Makes the headings of the lanes and their groups. */
export function heads(context: Context): { element: HTMLElement; update(layout: LaneLayout): void } {
  const { store } = context;
  const element = h("div.heads");
  const show = keyed<Lane | Group>(element, (of) =>
    typeof of === "string"
      ? h(`div.group.k-${of}`, h("span.title", TITLES[of]), h("span.gauges"))
      : laneHead(context, of),
  );
  const update = ({ all }: LaneLayout): void => {
    const elements = show(all.map(({ of }) => of));
    for (const { of, height } of all) {
      const head = elements.get(of)!;
      head.style.height = `${height}px`;
      if (typeof of === "string") {
        setText(head.lastElementChild!, of === "unused" ? "" : gaugesOf(store.parts, of).join(" · "));
        continue;
      }
      updateHead(head, of, context);
    }
  };
  return { element, update };
}

function laneHead({ actions, filter }: Context, lane: Lane): HTMLElement {
  const { bus, kind, name } = lane;
  const click = (): void => actions.setFilter(filter.text === name ? "" : name);
  const only = h("button.only", { title: `Only ${name} (${bus})`, click }, name);
  return h(
    `div.lane.k-${kind}#lane`,
    { "data-type": name },
    badge(kind),
    h("div.lane-text", only, h("span.lane-figures")),
    h("span.lane-failures"),
  );
}

function updateHead(head: HTMLElement, { name, figures }: Lane, { filter }: Context): void {
  const { accepted = 0, rate = 0, rejected = 0, p50, p99 } = figures ?? {};
  const texts = [`${formatRate(rate)}/s`];
  if (p50 !== undefined) texts.push(formatDuration(p50));
  if (p99 !== undefined) texts.push(`p99 ${formatDuration(p99)}`);
  setText(head.querySelector(".lane-figures")!, accepted === 0 ? "not used yet" : texts.join(" · "));
  setText(head.querySelector(".lane-failures")!, rejected > 0 ? `✕ ${formatCount(rejected)}` : "");
  setAttribute(head.querySelector(".only")!, "aria-pressed", filter.text === name);
}
