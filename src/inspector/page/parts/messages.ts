import { h, setText } from "../dom.js";
import { keyed } from "../keyed.js";
import { type Entry } from "../model/entry.js";
import { formatCount, formatDuration } from "../model/format.js";
import { headRow, markRows, messageRow } from "./cells.js";
import { MessageList } from "./message-list.js";
import { outcome } from "./outcome.js";
import { type Context, type Part } from "./part.js";

/**
 * Makes the table of messages. It holds still while the pointer or the keyboard focus is in it, and while time is
 * paused.
 */
export function messages(context: Context): Part {
  const { actions, filter, store } = context;
  const list = new MessageList();
  let isInside = false;
  let shownSelection: number | undefined;
  let entries = new Map<Entry["message"], Entry>();
  const body = h("tbody");
  // A row is made for a record: one that settles is another record, and gets another row.
  const show = keyed<Entry["message"]>(body, (message) =>
    messageRow(
      context,
      entries.get(message)!,
      outcome(message.state),
      message.durationMs === undefined ? "" : formatDuration(message.durationMs),
    ),
  );
  const table = h("table#messages", headRow("Type", "Outcome", "Took", "Payload", "Time"), body);
  const goToNewest = (): void => {
    list.reset();
    scroller.scrollTop = 0;
    if (actions.live) update();
    else actions.goLive();
  };
  const newer = h("button.newer", { hidden: true, click: goToNewest });
  const empty = h("p.empty");
  const showMore = (): void => {
    list.more();
    update();
  };
  const more = h("button.more", { click: showMore }, "Show older messages");
  const scroller = h("div.scroll", table, empty, more);
  // The button lies over the table: a pointer on it must not let the rows go.
  const element = h(
    "div.holds",
    {
      pointerenter: ({ pointerType }: PointerEvent) => (isInside = pointerType === "mouse"),
      pointerleave: () => (isInside = false),
    },
    newer,
    scroller,
  );

  const update = (): void => {
    const { selected } = actions;
    // Nothing can move away in an empty table.
    const isHeld =
      list.rows.length > 0 &&
      (isInside || !actions.live || scroller.scrollTop > 4 || table.querySelector(":focus-visible") !== null);
    list.update(store, filter.matches, isHeld, selected);
    entries = new Map(list.rows.map((entry) => [entry.message, entry]));
    const rows = show(entries.keys());
    markRows(body, rows, selected?.message);
    newer.hidden = list.newer === 0;
    setText(newer, `${formatCount(list.newer)} new`);
    more.hidden = !list.hasMore;
    empty.hidden = list.rows.length > 0;
    setText(empty, store.entries.length > 0 ? "No message passes the filter." : "No message yet.");
    if (selected?.message.order === shownSelection) return;
    shownSelection = selected?.message.order;
    const row = selected && rows.get(selected.message);
    if (!row || context.isCompact()) return;
    row.scrollIntoView({ block: "nearest" });
    // Focus follows the arrow keys if it is in the table already; it is not taken from elsewhere.
    if (table.matches(":focus-within")) row.querySelector("button")!.focus();
  };
  return { element, update };
}
