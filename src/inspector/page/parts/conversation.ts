import { h, setText } from "../dom.js";
import { type Entry } from "../model/entry.js";
import { formatDuration } from "../model/format.js";
import { extentOf, treeOf, type TreeRow } from "../model/tree.js";
import { type Extent } from "../model/ui.js";
import { wordOf } from "./outcome.js";
import { type Context, type Part } from "./part.js";

const MAX_ROWS = 200;
const MAX_INDENT = 8;

/** Makes the conversation of the selected message: a tree of causes with a bar for each message, all on one axis. */
export function conversation({ actions, store }: Context): Part {
  const title = h("h3");
  const list = h("ul.tree#tree");
  const rest = h("p.empty");
  let key = "";
  const update = (): void => {
    const { selected, now } = actions;
    if (!selected) return;
    const entries = store.conversation(selected.message.correlationId);
    const extent = extentOf(entries, now);
    const open = entries.filter(({ end }) => end === Infinity).length;
    // A bar of an open message grows twice a second.
    const grown = open && Math.floor(now / 500);
    const next = [selected.message.order, entries.length, entries[0]?.message.order, open, grown].join();
    if (next === key) return;
    key = next;
    const length = formatDuration(extent.to - extent.from);
    const count = entries.length === 1 ? "1 message" : `${entries.length} messages`;
    setText(title, `Conversation: ${count}, ${open ? "so far " : ""}${length}`);
    const focused = list.querySelector<HTMLElement>(":focus")?.dataset.order;
    const rows = treeOf(entries);
    list.replaceChildren(...rows.slice(0, MAX_ROWS).map((row) => itemOf(row, extent, selected, actions)));
    if (focused) list.querySelector<HTMLElement>(`[data-order="${focused}"]`)?.focus();
    rest.hidden = rows.length <= MAX_ROWS;
    setText(rest, `${rows.length - MAX_ROWS} more messages are not listed.`);
  };
  return { element: h("section", title, list, rest), update };
}

function itemOf(
  { entry, depth, cause }: TreeRow,
  { from, to }: Extent,
  selected: Entry,
  actions: Context["actions"],
): HTMLElement {
  const { durationMs, id, kind, name, order, state, time } = entry.message;
  const percent = (at: number): number => ((at - from) / Math.max(to - from, 1e-6)) * 100;
  const bar = h(`span.bar.s-${state}`);
  const start = percent(time);
  bar.style.left = `${Math.min(98.5, start)}%`;
  bar.style.width = `${percent(Math.min(entry.end, to)) - start}%`;
  const took = durationMs === undefined ? "" : ` ${formatDuration(durationMs)}`;
  const label = `${name}${cause ? `, caused by ${cause.message.name}` : ""}, ${wordOf(state)}${took}`;
  const text = h("span.tree-name", h("i.bead"), h("span", name));
  text.style.paddingLeft = `${Math.min(depth, MAX_INDENT) * 11}px`;
  return h(
    `li.k-${kind}.s-${state}`,
    { "data-id": id, "data-depth": depth },
    h(
      "button",
      {
        "aria-label": label,
        "aria-current": entry === selected,
        "data-order": order,
        click: () => actions.select(entry),
      },
      text,
      h("span.track", bar),
    ),
  );
}
