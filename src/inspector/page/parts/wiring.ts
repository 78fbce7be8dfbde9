import { type DescribedBus, type DescribedGauges, type DescribedPart } from "../../protocol.js";
import { h } from "../dom.js";
import { formatCount, formatPercent } from "../model/format.js";
import { badge } from "./badge.js";
import { jsonView } from "./json-view.js";
import { type Context, type Part } from "./part.js";

/** Makes the description of the buses and of the parts beside them, as `describe()` tells it. */
export function wiring({ store }: Context): Part {
  const element = h("div", { class: "scroll wiring" });
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
  if (bus) return busOf(name, bus);
  return h("section", { class: "card" }, h("h3", {}, name), jsonView(JSON.stringify(other ?? null)));
}

function busOf(name: string, bus: DescribedBus): HTMLElement {
  const { kind, middleware, gauges = [], handlers, sagas = [], watchers = [], background } = bus;
  const facts = [`${formatCount(bus.inFlight)} in flight`];
  if (background) facts.push(`background ${background.running} running, ${background.queued} queued`);
  if (bus.closed) facts.push("closed");
  return h(
    "section",
    { class: `card k-${kind}` },
    h("h3", {}, badge(kind), name, h("small", {}, bus.name)),
    h("p", { class: "facts" }, facts.join(" · ")),
    chainOf(middleware, gauges),
    rowsOf(
      "Handlers",
      handlers.map(({ messageType, handlers: names, middleware: own = [] }) => [
        messageType,
        [...own.map((each) => `${each} →`), names.join(", ") || "none"].join(" "),
      ]),
    ),
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

/** Makes the chain of middleware, outermost first, each with its gauges. */
function chainOf(middleware: readonly string[], gauges: readonly DescribedGauges[]): HTMLElement | undefined {
  if (middleware.length === 0) return undefined;
  const left = [...gauges];
  const steps = middleware.map((name) => {
    const at = left.findIndex((gauge) => gauge.middleware === name);
    const values = at === -1 ? undefined : left.splice(at, 1)[0]!.values;
    return h("li", {}, name, values && h("small", {}, valuesOf(values)));
  });
  // Gauges of a middleware inside another one, such as `when(Type, caching(…))`.
  const inner = left.map((gauge) =>
    h("li", { class: "inner" }, gauge.middleware, h("small", {}, valuesOf(gauge.values))),
  );
  return h("ol", { class: "chain", "aria-label": "Middleware, outermost first" }, ...steps, ...inner);
}

function valuesOf(values: Readonly<Record<string, number>>): string {
  const texts = Object.entries(values).map(([name, value]) => `${formatCount(value)} ${name}`);
  const { hits, misses } = values;
  if (hits !== undefined && misses !== undefined && hits + misses > 0) {
    texts.unshift(`${formatPercent(hits / (hits + misses))} %`);
  }
  return texts.join(" · ");
}

function rowsOf(title: string, rows: readonly (readonly [string, string])[]): HTMLElement | undefined {
  if (rows.length === 0) return undefined;
  const list = rows.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]);
  return h("div", { class: "rows" }, h("h4", {}, title), h("dl", {}, ...list));
}
