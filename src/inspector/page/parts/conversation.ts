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
  const list = h("ul", { class: "tree", "data-testid": "tree" });
  const rest = h("p", { class: "empty" });
  const element = h("section", {}, title, list, rest);
  let key = "";
  const update = (): void => {
    const { selected, now } = actions;
    if (!selected) return;
    const entries = store.conversation(selected.message.correlationId);
    const extent = extentOf(entries, now);
    const open = entries.some(({ end }) => end === Infinity);
    const settled = entries.filter(({ end }) => end !== Infinity).length;
    const length = formatDuration(Math.max(0, extent.to - extent.from));
    const count = entries.length === 1 ? "1 message" : `${entries.length} messages`;
    setText(title, `Conversation: ${count}, ${open ? "so far " : ""}${length}`);
    // A bar of an open message grows twice a second.
    const grown = open ? Math.floor(now / 500) : 0;
    const next = [selected.message.order, entries.length, entries[0]?.message.order, settled, grown].join();
    if (next === key) return;
    key = next;
    const focused = list.querySelector(":focus")?.getAttribute("data-order");
    const rows = treeOf(entries);
    list.replaceChildren(...around(rows, selected).map((row) => itemOf(row, extent, now, selected, actions)));
    list.querySelector<HTMLElement>(`[data-order="${focused ?? ""}"]`)?.focus();
    rest.hidden = rows.length <= MAX_ROWS;
    setText(rest, `${rows.length - MAX_ROWS} more messages are not listed.`);
  };
  return { element, update };
}

/** Returns the rows that are listed: the first ones, or those around the selection if it is not among the first. */
function around(rows: readonly TreeRow[], selected: Entry): readonly TreeRow[] {
  const at = rows.findIndex(({ entry }) => entry === selected);
  const start = at < MAX_ROWS ? 0 : Math.min(at - MAX_ROWS / 2, rows.length - MAX_ROWS);
  return rows.slice(start, start + MAX_ROWS);
}

function itemOf(
  { entry, depth, cause }: TreeRow,
  { from, to }: Extent,
  now: number,
  selected: Entry,
  actions: Context["actions"],
): HTMLElement {
  const { message } = entry;
  const length = Math.max(to - from, 1e-6);
  const start = (message.time - from) / length;
  const end = (Math.min(entry.end, Math.max(now, message.time)) - from) / length;
  const bar = h("span", { class: `bar s-${message.state}` });
  bar.style.left = `${Math.min(98.5, start * 100)}%`;
  bar.style.width = `${Math.max(0, end - start) * 100}%`;
  const took = message.durationMs === undefined ? "" : ` ${formatDuration(message.durationMs)}`;
  const label = `${message.name}${cause ? `, caused by ${cause.message.name}` : ""}, ${wordOf(message.state)}${took}`;
  const name = h("span", { class: "tree-name" }, h("i", { class: "bead" }), h("span", {}, message.name));
  name.style.paddingLeft = `${Math.min(depth, MAX_INDENT) * 11}px`;
  const button = h(
    "button",
    {
      type: "button",
      "aria-label": label,
      "aria-current": entry === selected ? "true" : undefined,
      "data-order": message.order,
      title: label,
      click: () => actions.select(entry),
    },
    name,
    h("span", { class: "track" }, bar),
  );
  return h(
    "li",
    { class: `k-${message.kind} s-${message.state}`, "data-id": message.id, "data-depth": depth },
    button,
  );
}
