import { type InspectedFault, type InspectedRefusal } from "../../protocol.js";
import { h } from "../dom.js";
import { formatTime } from "../model/format.js";
import { type Context, type Part } from "./part.js";

/** Makes the list of faults and refusals, newest first. An entry opens to the stack. */
export function troubles({ store, actions }: Context): Part {
  const list = h("ul", { class: "troubles" });
  const empty = h("p", { class: "empty" }, "No fault, and no message was refused.");
  const element = h("div", { class: "scroll" }, list, empty);
  const items = new Map<number, HTMLElement>();
  let shown: unknown[] = [];
  const select = (id: string): void => {
    const entry = store.byId(id);
    if (entry) actions.select(entry);
  };
  const update = (): void => {
    const { faults, refusals, hello } = store;
    if (shown[0] === faults && shown[1] === refusals) return;
    if (shown[2] !== hello) items.clear();
    shown = [faults, refusals, hello];
    const all = [...faults, ...refusals].sort((a, b) => b.order - a.order);
    for (const each of all) if (!items.has(each.order)) items.set(each.order, itemOf(each, select));
    // Entries are kept, so that those which the user has opened stay open.
    list.replaceChildren(...all.map(({ order }) => items.get(order)!));
    const orders = new Set(all.map(({ order }) => order));
    for (const order of items.keys()) if (!orders.has(order)) items.delete(order);
    empty.hidden = all.length > 0;
  };
  return { element, update };
}

function itemOf(trouble: InspectedFault | InspectedRefusal, select: (id: string) => void): HTMLElement {
  const { error, time, bus } = trouble;
  const isFault = "kind" in trouble;
  const what = isFault ? `${trouble.kind} ${trouble.source}` : `refused ${trouble.messageType}`;
  const message = isFault ? trouble.message : undefined;
  const summary = h(
    "summary",
    {},
    h("span", { class: isFault ? "tag fault" : "tag refused" }, isFault ? "fault" : "refused"),
    h("span", { class: "where" }, `${bus} · ${what}`),
    h("span", { class: "time" }, formatTime(time)),
    h("span", { class: "s-rejected why" }, `${error.name}: ${error.message}`),
  );
  return h(
    "li",
    {},
    h(
      "details",
      {},
      summary,
      message &&
        h(
          "p",
          {},
          "While handling ",
          h("button", { type: "button", click: () => select(message.id) }, message.name),
        ),
      h("pre", {}, error.stack ?? `${error.name}: ${error.message}`),
    ),
  );
}
