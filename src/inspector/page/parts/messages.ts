import { h, setAttribute, setText } from "../dom.js";
import { type Entry } from "../model/entry.js";
import { formatCount, formatDuration, formatTime } from "../model/format.js";
import { payloadCell, selectByRow, setTabStop, typeCell } from "./cells.js";
import { MessageList } from "./message-list.js";
import { outcome } from "./outcome.js";
import { type Context, type Part } from "./part.js";

interface Row {
  readonly element: HTMLTableRowElement;
  message: Entry["message"] | undefined;
  entry: Entry;
}

/** Makes the table of messages. It holds still while the pointer or the keyboard focus is in it, and while time is paused. */
export function messages(context: Context): Part {
  const { actions, filter, store } = context;
  const list = new MessageList();
  const rows: Row[] = [];
  let inside = false;
  let shownSelection: number | undefined;
  const body = h("tbody");
  const table = h(
    "table",
    { "data-testid": "messages", class: "messages" },
    h(
      "thead",
      {},
      h(
        "tr",
        {},
        ...["Type", "Outcome", "Took", "Payload", "Time"].map((title) =>
          h("th", { scope: "col", class: title.toLowerCase() }, title),
        ),
      ),
    ),
    body,
  );
  const newer = h("button", {
    type: "button",
    class: "newer",
    hidden: true,
    click: () => {
      list.reset();
      scroller.scrollTop = 0;
      if (actions.live) update();
      else actions.goLive();
    },
  });
  const empty = h("p", { class: "empty" });
  const more = h(
    "button",
    {
      type: "button",
      class: "more",
      click: () => {
        list.more();
        update();
      },
    },
    "Show older messages",
  );
  const scroller = h("div", { class: "scroll" }, table, empty, more);
  const element = h("div", { class: "holds" }, newer, scroller);
  scroller.addEventListener("pointerenter", (event) => (inside = event.pointerType === "mouse"));
  scroller.addEventListener("pointerleave", () => (inside = false));
  selectByRow(table, context, (element) => rows.find((row) => row.element === element)?.entry);

  const holds = (): boolean =>
    inside || !actions.live || scroller.scrollTop > 4 || table.querySelector(":focus-visible") !== null;

  const update = (): void => {
    const { selected } = actions;
    list.update(store, filter.matches, holds(), selected);
    while (rows.length < list.rows.length) rows.push(makeRow(body, list.rows[rows.length]!));
    for (const row of rows.splice(list.rows.length)) row.element.remove();
    for (const [index, entry] of list.rows.entries()) fill(rows[index]!, entry, entry === selected);
    setTabStop(body);
    newer.hidden = list.newer === 0;
    setText(newer, `${formatCount(list.newer)} new`);
    more.hidden = !list.hasMore;
    empty.hidden = rows.length > 0;
    setText(empty, store.entries.length > 0 ? "No message passes the filter." : "No message yet.");
    if (selected?.message.order !== shownSelection) followSelection(selected);
  };

  const followSelection = (selected: Entry | undefined): void => {
    shownSelection = selected?.message.order;
    const row = rows.find(({ entry }) => entry === selected)?.element;
    if (!row || context.isCompact()) return;
    row.scrollIntoView({ block: "nearest" });
    // Focus follows the arrow keys if it is in the table already; it is not taken from elsewhere.
    if (table.querySelector(":focus")) row.querySelector<HTMLElement>(".row-button")?.focus();
  };
  return { element, update };
}

function makeRow(body: HTMLElement, entry: Entry): Row {
  const element = h("tr");
  body.append(element);
  return { element, message: undefined, entry };
}

/** Writes a row only if its message is another one or has settled since. */
function fill(row: Row, entry: Entry, selected: boolean): void {
  const { message } = entry;
  setAttribute(row.element, "class", selected ? "selected" : undefined);
  if (row.message === message) return;
  const hadFocus = row.element.querySelector(":focus") !== null;
  row.message = message;
  row.entry = entry;
  setAttribute(row.element, "data-id", message.id);
  setAttribute(row.element, "data-state", message.state);
  row.element.replaceChildren(
    typeCell(entry),
    h("td", {}, outcome(message.state)),
    h("td", { class: "took" }, message.durationMs === undefined ? "" : formatDuration(message.durationMs)),
    payloadCell(entry),
    h("td", { class: "time" }, formatTime(message.time)),
  );
  if (hadFocus) row.element.querySelector<HTMLElement>(".row-button")?.focus();
}
