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

const SIGNS: readonly (readonly [string, string])[] = [
  ["●─|", "accepted, fulfilled"],
  ["✕", "rejected"],
  ["⊘", "cancelled"],
  ["○╌", "in flight"],
  ["▲", "shade: volume of all messages, kept or not"],
];

/** Makes the box that explains keys and signs. */
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
    h("h2", "Signs"),
    h("dl", terms(SIGNS)),
  );
  return { element, update: () => void (element.hidden = !ui.help) };
}
