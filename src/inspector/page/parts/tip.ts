import { h } from "../dom.js";
import { type Entry } from "../model/entry.js";
import { formatDuration, formatTime } from "../model/format.js";
import { outcome } from "./outcome.js";

const MAX_CHARS = 160;

/** Makes the box beside the pointer: type, outcome, time, and the start of the payload. */
export function tip(root: HTMLElement): (entry: Entry | undefined, event: PointerEvent) => void {
  const element = h("div.tip", { hidden: true });
  root.append(element);
  return (entry, event) => {
    element.hidden = !entry;
    if (!entry) return;
    const { error, kind, name, payload, state, time, durationMs } = entry.message;
    const took = durationMs === undefined ? "" : ` ${formatDuration(durationMs)}`;
    element.replaceChildren(
      h(`strong.k-${kind}`, name),
      h("div", outcome(state), took, h("span.when", formatTime(time))),
      h("div.s-rejected", error && clip(`${error.name}: ${error.message}`)),
      h("code", payload && clip(payload)),
    );
    const bounds = root.getBoundingClientRect();
    const [x, y] = [event.clientX - bounds.left, event.clientY - bounds.top];
    const left = Math.max(8, Math.min(x + 14, bounds.width - element.offsetWidth - 8));
    const top = y + 16 + element.offsetHeight < bounds.height ? y + 16 : y - element.offsetHeight - 10;
    element.style.transform = `translate(${left}px,${top}px)`;
  };
}

function clip(text: string): string {
  return text.length > MAX_CHARS ? `${text.slice(0, MAX_CHARS)}…` : text;
}
