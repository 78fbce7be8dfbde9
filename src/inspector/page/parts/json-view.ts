import { h } from "../dom.js";
import { jsonTokens, prettyJson } from "../model/json.js";

/** Makes a block of indented, coloured JSON. */
export function jsonView(text: string, testId?: string): HTMLElement {
  const tokens = jsonTokens(prettyJson(text)).map(({ kind, text: part }) =>
    kind === "plain" ? part : h("span", { class: `j-${kind}` }, part),
  );
  return h("pre", { class: "json", "data-testid": testId }, ...tokens);
}
