import { h, setAttribute, setText } from "../dom.js";
import { type Entry } from "../model/entry.js";
import { formatDuration, formatTime } from "../model/format.js";
import { payloadCell, selectByRow, setTabStop, typeCell } from "./cells.js";
import { type Context, type Part } from "./part.js";

const MAX_ROWS = 200;

interface Row {
  readonly element: HTMLTableRowElement;
  readonly age: HTMLElement;
}

/** Makes the table of what is in flight, oldest first, with the age of each. */
export function inFlight(context: Context): Part {
  const { actions, store } = context;
  const rows = new Map<Entry, Row>();
  const body = h("tbody");
  const titles = ["Type", "Age", "Attempt", "Payload", "Accepted"];
  const head = titles.map((title) => h("th", { scope: "col", class: title.toLowerCase() }, title));
  const table = h("table", { class: "open" }, h("thead", {}, h("tr", {}, ...head)), body);
  const note = h("p", { class: "empty" });
  const element = h("div", { class: "scroll" }, table, note);
  selectByRow(table, context, (found) => [...rows].find(([, row]) => row.element === found)?.[0]);
  const update = (): void => {
    const open = openEntries(store.lanes.values());
    const shown = open.slice(0, MAX_ROWS);
    const wanted = new Set(shown);
    for (const [entry, row] of rows) {
      if (wanted.has(entry)) continue;
      row.element.remove();
      rows.delete(entry);
    }
    for (const [index, entry] of shown.entries()) {
      let row = rows.get(entry);
      if (!row) rows.set(entry, (row = makeRow(entry)));
      setText(row.age, formatDuration(Math.max(0, actions.now - entry.message.time)));
      setAttribute(row.element, "class", entry === actions.selected ? "selected" : undefined);
      if (body.children[index] !== row.element) body.insertBefore(row.element, body.children[index] ?? null);
    }
    setTabStop(body);
    const hidden = Math.max(store.counts.inFlight, open.length) - shown.length;
    note.hidden = shown.length > 0 && hidden === 0;
    setText(note, noteOf(shown.length, hidden));
  };
  return { element, update };
}

function noteOf(shown: number, hidden: number): string {
  if (hidden === 0) return "Nothing is in flight.";
  return `${hidden} ${shown > 0 ? "more in flight" : "in flight"}, not kept: sampled out, or accepted before the inspector was attached.`;
}

function openEntries(lanes: Iterable<{ readonly open: Iterable<Entry> }>): Entry[] {
  return [...lanes].flatMap((lane) => [...lane.open]).sort((a, b) => a.message.time - b.message.time);
}

function makeRow(entry: Entry): Row {
  const { message } = entry;
  const age = h("td", { class: "took" });
  const element = h(
    "tr",
    { "data-id": message.id, "data-state": message.state },
    typeCell(entry),
    age,
    h("td", { class: "attempt" }, String(message.attempts)),
    payloadCell(entry),
    h("td", { class: "time" }, formatTime(message.time)),
  );
  return { element, age };
}
