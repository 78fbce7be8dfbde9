import { h } from "../dom.js";
import { type Entry } from "../model/entry.js";
import { formatTime } from "../model/format.js";
import { type Context } from "./part.js";

const MAX_CHARS = 300;

/** Makes the head of a table. The class of a column is its title. */
export function headRow(...titles: readonly string[]): HTMLElement {
  return h(
    "thead",
    h(
      "tr",
      titles.map((title) => h(`th.${title.toLowerCase()}`, { scope: "col" }, title)),
    ),
  );
}

/**
 * Makes a row of a table of messages: its type as a button for the keyboard, two cells of the table's own,
 * payload and time. The error stands before the payload where there is one.
 */
export function messageRow(
  { actions }: Context,
  entry: Entry,
  ...own: readonly (HTMLElement | string)[]
): HTMLTableRowElement {
  const { error, id, kind, name, payload, state, time } = entry.message;
  return h(
    "tr",
    { "data-id": id, "data-state": state, click: () => actions.select(entry) },
    h("td", h(`button.row-button.k-${kind}`, { tabindex: -1 }, name)),
    own.map((cell) => h("td", cell)),
    h(
      "td.payload",
      error && h("span.s-rejected", `${error.name}: ${error.message} `.slice(0, MAX_CHARS)),
      h("code", payload?.slice(0, MAX_CHARS)),
    ),
    h("td.time", formatTime(time)),
  );
}

/**
 * Marks the row of the selected message, and makes it, or else the first one, what Tab reaches; the arrow keys
 * reach the others.
 */
export function markRows(
  body: Element,
  rows: Iterable<readonly [unknown, HTMLElement]>,
  selected: unknown,
): void {
  for (const [item, row] of rows) row.classList.toggle("selected", item === selected);
  const stop = body.querySelector(".selected") ?? body.firstElementChild;
  for (const row of body.children) row.querySelector("button")!.tabIndex = row === stop ? 0 : -1;
}
