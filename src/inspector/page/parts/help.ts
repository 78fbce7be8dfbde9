import { h, terms } from "../dom.js";
import { icon } from "./icon.js";
import { type Context, type Part } from "./part.js";

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ["Space", "Pause, or go on live"],
  ["← →", "Earlier, later"],
  ["+ −", "Less time, more time"],
  ["↑ ↓", "Newer, older message"],
  ["e", "Last failure, then those before it"],
  ["z", "Zoom to the conversation"],
  ["/", "Filter: words, or -words that must not occur"],
  ["Esc", "Back"],
  ["?", "This help"],
];

/** Makes the box that explains the keys. */
export function help({ actions, ui }: Context): Part {
  const keys = KEYS.map(([names, what]) => [names.split(" ").map((name) => h("kbd", name)), what] as const);
  const close = icon("✕", "Close help", actions.toggleHelp);
  close.classList.add("close");
  const element = h(
    "section.help#help",
    { "aria-label": "Help", hidden: true },
    close,
    h("h2", "Keys"),
    h("dl", terms(keys)),
  );
  return { element, update: () => void (element.hidden = !ui.help) };
}
