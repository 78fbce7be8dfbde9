import { type InspectedKind } from "../../protocol.js";
import { h } from "../dom.js";

/** Makes the round badge with the first letter of a kind. */
export function badge(kind: InspectedKind): HTMLElement {
  return h(`span.badge.k-${kind}`, { "aria-hidden": true }, kind[0]!.toUpperCase());
}
