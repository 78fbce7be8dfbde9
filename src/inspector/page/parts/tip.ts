import { h } from "../dom.js";
import { type Entry } from "../model/entry.js";
import { formatDuration, formatTime } from "../model/format.js";
import { outcome } from "./outcome.js";

const MAX_CHARS = 160;

/** Makes the box beside the pointer: type, outcome, time, and the start of the payload. */
export function tip(root: HTMLElement): { show(entry: Entry | undefined, event?: PointerEvent): void } {
  const element = h("div", { class: "tip", hidden: true });
  root.append(element);
  let shown: Entry["message"] | undefined;
  const show = (entry: Entry | undefined, event?: PointerEvent): void => {
    element.hidden = !entry;
    if (!entry || !event) return;
    const { message } = entry;
    if (message !== shown) {
      shown = message;
      const took = message.durationMs === undefined ? "" : formatDuration(message.durationMs);
      const { error, payload } = message;
      element.replaceChildren(
        h("strong", { class: `k-${message.kind}` }, message.name),
        h(
          "div",
          {},
          outcome(message.state),
          ` ${took}`,
          h("span", { class: "when" }, formatTime(message.time)),
        ),
        ...(error ? [h("div", { class: "s-rejected" }, clip(`${error.name}: ${error.message}`))] : []),
        ...(payload === undefined ? [] : [h("code", {}, clip(payload))]),
      );
    }
    const bounds = root.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
    const left = Math.max(8, Math.min(x + 14, bounds.width - element.offsetWidth - 8));
    const below = y + 16 + element.offsetHeight < bounds.height;
    element.style.transform = `translate(${left}px, ${below ? y + 16 : y - element.offsetHeight - 10}px)`;
  };
  return { show };
}

function clip(text: string): string {
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;
}
