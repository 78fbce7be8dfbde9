import { type FeedState } from "../../protocol.js";
import { h } from "../dom.js";
import { type Context, type Part } from "./part.js";

const TEXTS: Partial<Record<FeedState, readonly [title: string, text: string]>> = {
  unauthorized: [
    "This link is not valid",
    "Open the link that the process printed last. CQRX_INSPECTOR_TOKEN keeps one link over restarts.",
  ],
  unavailable: ["No inspector here", "It is switched off, or has as many pages open as it allows."],
  lost: ["Connection lost", "The page goes on by itself when the process is back."],
};

/** Makes the box that says what to do without a feed. */
export function notice({ ui }: Context): Part {
  const title = h("h2");
  const text = h("p");
  const element = h("section.notice", { "aria-label": "Connection", hidden: true }, title, text);
  const update = (): void => {
    const found = TEXTS[ui.state];
    element.hidden = !found;
    [title.textContent, text.textContent] = found ?? ["", ""];
  };
  return { element, update };
}
