import { h } from "../dom.js";
import { type Entry } from "../model/entry.js";
import { type Context } from "./part.js";

const MAX_CHARS = 300;

/** Makes the cell of a message's type, with the button that selects it by keyboard. */
export function typeCell({ message }: Entry): HTMLTableCellElement {
  const name = h(
    "button",
    { type: "button", class: `row-button k-${message.kind}`, tabindex: "-1" },
    message.name,
  );
  return h("td", { class: "type" }, name);
}

/** Makes the cell of the payload: the error first where there is one. */
export function payloadCell({ message: { error, payload } }: Entry): HTMLTableCellElement {
  return h(
    "td",
    { class: "payload" },
    error && h("span", { class: "s-rejected" }, `${error.name}: ${error.message} `.slice(0, MAX_CHARS)),
    payload === undefined ? undefined : h("code", {}, payload.slice(0, MAX_CHARS)),
  );
}

/** Selects the message of the row that is clicked. */
export function selectByRow(
  table: HTMLElement,
  { actions }: Context,
  entryOf: (row: Element) => Entry | undefined,
): void {
  table.addEventListener("click", (event) => {
    const row = (event.target as Element).closest("tr[data-id]");
    const entry = row ? entryOf(row) : undefined;
    if (entry) actions.select(entry);
  });
}

/** Makes the first button of a table the one that Tab reaches, or the selected one; the arrow keys reach the others. */
export function setTabStop(body: Element): void {
  const buttons = [...body.querySelectorAll<HTMLElement>(".row-button")];
  const stop =
    body.querySelector<HTMLElement>("tr[aria-selected=true] .row-button, tr.selected .row-button") ??
    buttons[0];
  for (const button of buttons) {
    const wanted = button === stop ? 0 : -1;
    if (button.tabIndex !== wanted) button.tabIndex = wanted;
  }
}
