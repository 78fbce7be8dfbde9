import { h } from "../dom.js";

/** Makes a button with a sign and a name for those who do not see it. */
export function icon(sign: string, label: string, click: () => void): HTMLButtonElement {
  return h("button.icon", { "aria-label": label, click }, h("span", { "aria-hidden": true }, sign));
}
