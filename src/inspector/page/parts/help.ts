import { h } from "../dom.js";
import { type Context, type Part } from "./part.js";

const KEYS: readonly (readonly [keys: readonly string[], what: string])[] = [
  [["Space"], "Pause, or go on live"],
  [["←", "→"], "Earlier, later"],
  [["+", "−"], "Less time, more time"],
  [["↑", "↓"], "Newer, older message"],
  [["e"], "Last failure, then those before it"],
  [["z"], "Zoom to the conversation"],
  [["/"], "Filter"],
  [["Esc"], "Back"],
  [["?"], "This help"],
];

const SIGNS: readonly (readonly [string, string])[] = [
  ["●─|", "accepted and fulfilled"],
  ["✕", "rejected"],
  ["⊘", "cancelled"],
  ["○╌", "in flight"],
  ["▲", "shaded: volume of all messages, also of those that were not kept"],
];

/** Makes the box that explains keys and signs. */
export function help({ actions, ui }: Context): Part {
  const close = h(
    "button",
    { type: "button", class: "icon close", "aria-label": "Close help", click: () => actions.toggleHelp() },
    "✕",
  );
  const keys = KEYS.flatMap(([names, what]) => [
    h("dt", {}, ...names.map((name) => h("kbd", {}, name))),
    h("dd", {}, what),
  ]);
  const signs = SIGNS.flatMap(([sign, what]) => [h("dt", {}, sign), h("dd", {}, what)]);
  const element = h(
    "section",
    { class: "help", "aria-label": "Help", "data-testid": "help", hidden: true },
    close,
    h("h2", {}, "Keys"),
    h("dl", {}, ...keys),
    h("h2", {}, "Signs"),
    h("dl", {}, ...signs),
    h(
      "p",
      {},
      "Filter: all words must occur; a word with a minus must not. Drag the diagram to move in time.",
    ),
  );
  return { element, update: () => void (element.hidden = !ui.help) };
}
