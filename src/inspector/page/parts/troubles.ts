import { type InspectedFault, type InspectedRefusal } from "../../protocol.js";
import { h } from "../dom.js";
import { keyed } from "../keyed.js";
import { formatTime } from "../model/format.js";
import { type Context, type Part } from "./part.js";

/** Makes the list of faults and refusals, newest first. An entry opens to the stack. */
export function troubles({ store, actions }: Context): Part {
  const list = h("ul.troubles");
  const empty = h("p.empty", "No fault, and no message was refused.");
  const select = (id: string): void => {
    const entry = store.entries.find(({ message }) => message.id === id);
    if (entry) actions.select(entry);
  };
  const show = keyed<InspectedFault | InspectedRefusal>(list, (trouble) => itemOf(trouble, select));
  const update = (): void => {
    const all = [...store.faults, ...store.refusals].sort((a, b) => b.order - a.order);
    show(all);
    empty.hidden = all.length > 0;
  };
  return { element: h("div.scroll", list, empty), update };
}

function itemOf(trouble: InspectedFault | InspectedRefusal, select: (id: string) => void): HTMLElement {
  const { error, time, bus } = trouble;
  const isFault = "kind" in trouble;
  const text = `${error.name}: ${error.message}`;
  const message = isFault && trouble.message;
  return h(
    "li",
    h(
      "details",
      h(
        "summary",
        isFault ? h("span.tag.s-rejected", "fault") : h("span.tag.s-open", "refused"),
        h("span.where", `${bus} · ${isFault ? `${trouble.kind} ${trouble.source}` : trouble.messageType}`),
        h("span.time", formatTime(time)),
        h("span.s-rejected.why", text),
      ),
      message && h("p", "While handling ", h("button", { click: () => select(message.id) }, message.name)),
      h("pre", error.stack ?? text),
    ),
  );
}
