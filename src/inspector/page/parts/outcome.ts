import { type InspectedState } from "../../protocol.js";
import { h } from "../dom.js";

const GLYPHS: Readonly<Record<InspectedState, string>> = {
  fulfilled: "✓",
  rejected: "✕",
  cancelled: "⊘",
  open: "◌",
};

/** Returns the word that the page shows for a state. */
export function wordOf(state: InspectedState): string {
  return state === "open" ? "in flight" : state;
}

/** Makes the sign and the word of a state; a narrow page hides the word from the eye. */
export function outcome(state: InspectedState): HTMLElement {
  const glyph = h("span.glyph", { "aria-hidden": true }, GLYPHS[state]);
  return h(`span.outcome.s-${state}`, glyph, h("span.word", wordOf(state)));
}
