import { type DescribedBus, type DescribedGauges, type DescribedPart } from "../../protocol.js";
import { h, terms } from "../dom.js";
import { formatCount, formatPercent } from "../model/format.js";
import { badge } from "./badge.js";
import { jsonView } from "./json-view.js";
import { type Context, type Part } from "./part.js";

/** Makes the description of the buses and of the parts beside them, as `describe()` tells it. */
export function wiring({ store }: Context): Part {
  const element = h("div.scroll.wiring", { tabindex: 0 });
  let shown: unknown;
  const update = (): void => {
    // Once a second at most, and only if something has changed, because it is made anew as a whole.
    if (shown === store.parts) return;
    shown = store.parts;
    element.replaceChildren(...store.parts.map(partOf));
  };
  return { element, update };
}

function partOf({ name, bus, other }: DescribedPart): HTMLElement {
  if (!bus) return h("section.card", h("h2", name), jsonView(JSON.stringify(other ?? null), "part"));
  const { kind, middleware, gauges = [], handlers, sagas = [], watchers = [], background } = bus;
  const facts = [`${formatCount(bus.inFlight)} in flight`];
  if (background) facts.push(`background ${background.running} running, ${background.queued} queued`);
  if (bus.closed) facts.push("closed");
  return h(
    `section.card.k-${kind}`,
    h("h2", badge(kind), name, h("small", bus.name)),
    h("p.facts", facts.join(" · ")),
    h(
      "ol.chain",
      { "aria-label": "Middleware, outermost first" },
      middleware.map((name) => h("li", name)),
    ),
    rowsOf("Gauges", gauges.map(gaugeOf)),
    rowsOf("Handlers", handlers.map(handlerOf)),
    rowsOf(
      "Sagas",
      sagas.map(({ name: saga, state, restarts }) => [
        saga,
        restarts > 0 ? `${state}, ${restarts} restarts` : state,
      ]),
    ),
    rowsOf(
      "Watchers",
      watchers.map(({ messageType, watchers: count, shared }) => [
        messageType,
        `${count} watching, ${shared} runs`,
      ]),
    ),
  );
}

function handlerOf({
  messageType,
  handlers,
  middleware = [],
}: DescribedBus["handlers"][number]): [string, string] {
  return [messageType, [...middleware.flat(), handlers.join(", ") || "none"].join(" → ")];
}

function gaugeOf({ middleware, values }: DescribedGauges): [string, string] {
  const texts = Object.entries(values).map(([name, value]) => `${formatCount(value)} ${name}`);
  const { hits = 0, misses = 0 } = values;
  if (hits > 0) texts.push(`${formatPercent(hits / (hits + misses))} %`);
  return [middleware, texts.join(" · ")];
}

function rowsOf(title: string, rows: readonly (readonly [string, string])[]): HTMLElement | undefined {
  return rows.length === 0 ? undefined : h("div.rows", h("h3", title), h("dl", terms(rows)));
}
