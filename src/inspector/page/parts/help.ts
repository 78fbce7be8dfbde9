import { type InspectedState } from "../../protocol.js";
import { h, terms } from "../dom.js";
import { icon } from "./icon.js";
import { outcome } from "./outcome.js";
import { type Context, type Part } from "./part.js";

const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ["Space", "Pause, or go on live"],
  ["← →", "Earlier, later"],
  ["+ −", "Less time, more time; or the wheel"],
  ["↑ ↓", "Newer, older message"],
  ["e", "Last failure, then those before it"],
  ["z", "Zoom to the conversation"],
  ["/", "Filter: words, or -words that must not occur"],
  ["Esc", "Back"],
  ["?", "This help"],
];

/** The marbles, as signs and colours beside what they mean. */
const MARBLES: readonly (readonly [state: InspectedState, sign: string])[] = [
  ["fulfilled", "●━┃"],
  ["rejected", "✕━"],
  ["cancelled", "⊘╌"],
  ["open", "○╌"],
];

/** Makes the box that explains the keys and the marbles. */
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
    h("h2", "Marbles"),
    h(
      "dl",
      terms([
        ...MARBLES.map(([state, sign]) => [sign, outcome(state)] as const),
        ["▁▃▂", "All, also those not drawn"],
      ]),
    ),
  );
  return { element, update: () => void (element.hidden = !ui.help) };
}
