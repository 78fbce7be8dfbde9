import { h, setText } from "../dom.js";
import { keyed } from "../keyed.js";
import { type Entry } from "../model/entry.js";
import { formatCount, formatDuration } from "../model/format.js";
import { headRow, markRows, messageRow } from "./cells.js";
import { type Context, type Part } from "./part.js";

const MAX_ROWS = 200;

/** Makes the table of what is in flight, oldest first, with the age of each. */
export function inFlight(context: Context): Part {
  const { actions, store } = context;
  const body = h("tbody");
  const show = keyed<Entry>(body, (entry) => messageRow(context, entry, String(entry.message.attempts), ""));
  const note = h("p.empty");
  const table = h("table", headRow("Type", "Attempt", "Age", "Payload", "Accepted"), body);
  const update = (): void => {
    const open = [...store.lanes.values()].flatMap((lane) => [...lane.open]);
    const shown = open.sort((a, b) => a.message.time - b.message.time).slice(0, MAX_ROWS);
    const rows = show(shown);
    for (const [{ message }, row] of rows) {
      setText(row.children[2]!, formatDuration(Math.max(0, actions.now - message.time)));
    }
    markRows(body, rows, actions.selected);
    const hidden = Math.max(store.counts.inFlight, open.length) - shown.length;
    note.hidden = shown.length > 0 && hidden === 0;
    setText(
      note,
      hidden === 0 ? "Nothing is in flight." : `${formatCount(hidden)} more in flight, not kept.`,
    );
  };
  return { element: h("div.scroll", table, note), update };
}
