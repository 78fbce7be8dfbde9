import { type FeedState } from "../../protocol.js";
import { h } from "../dom.js";
import { type Context, type Part } from "./part.js";

const TEXTS: Partial<Record<FeedState, readonly [title: string, text: string]>> = {
  unauthorized: [
    "This link is not valid here",
    "The token after the # is missing, or the process has another one since it was started again. Open the link that it printed last. " +
      "Set CQRX_INSPECTOR_TOKEN, or the option token, to keep one link over restarts.",
  ],
  unavailable: [
    "The inspector does not answer here",
    "It is switched off in this process, or has as many pages open as it allows. This page tries again.",
  ],
  lost: [
    "Connection lost",
    "The page goes on by itself when the process is back. It shows what it heard before.",
  ],
  closed: ["The inspector was closed", "The page shows what it heard before."],
};

/** Makes the box that says what to do when there is no feed. */
export function notice({ ui }: Context): Part {
  const title = h("h2");
  const text = h("p");
  const element = h("section", { class: "notice", "aria-label": "Connection", hidden: true }, title, text);
  const update = (): void => {
    const found = TEXTS[ui.state];
    element.hidden = !found;
    [title.textContent, text.textContent] = found ?? ["", ""];
  };
  return { element, update };
}
