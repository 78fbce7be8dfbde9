import { h } from "../dom.js";
import { jsonTokens, prettyJson, valueOf } from "../model/json.js";

/** Makes a block of indented, coloured JSON. */
export function jsonView(text: string, testId: string): HTMLElement {
  const tokens = jsonTokens(prettyJson(valueOf(text)));
  return h(
    `pre.json#${testId}`,
    tokens.map(({ kind, text: part }) => (kind ? h(`span.j-${kind}`, part) : part)),
  );
}
