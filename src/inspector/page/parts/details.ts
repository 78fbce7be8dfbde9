import { type InspectedError, type InspectedMessage } from "../../protocol.js";
import { h, terms } from "../dom.js";
import { formatDuration, formatTime } from "../model/format.js";
import { badge } from "./badge.js";
import { conversation } from "./conversation.js";
import { copyButton } from "./copy.js";
import { icon } from "./icon.js";
import { jsonView } from "./json-view.js";
import { outcome } from "./outcome.js";
import { type Context, type Part } from "./part.js";

/** Makes the panel of the selected message. It is made anew only if the message is another one or has settled. */
export function details(context: Context): Part {
  const { actions } = context;
  const title = h("div.details-title");
  const above = h("div");
  const tree = conversation(context);
  const below = h("div");
  const close = icon("✕", "Close details", actions.deselect);
  close.classList.add("close");
  const element = h(
    "section.details#details",
    { "aria-label": "Selected message", hidden: true },
    close,
    title,
    h(
      "div.row",
      h("button#zoom", { click: actions.zoomToConversation }, "Zoom to it"),
      h("button#only", { click: actions.onlyThisConversation }, "Only this conversation"),
      copyButton(() => actions.selected?.message),
    ),
    above,
    tree.element,
    below,
  );
  let shown: InspectedMessage | undefined;
  const fill = (message: InspectedMessage): void => {
    const { attempts, durationMs, error, kind, name, state } = message;
    const facts = [
      durationMs === undefined ? "" : formatDuration(durationMs),
      attempts > 1 ? `${attempts} attempts` : "",
    ];
    title.replaceChildren(
      h("div.kind", badge(kind), kind),
      h("h2", name),
      h("p.facts", outcome(state), facts.filter(Boolean).join(" · ")),
    );
    above.replaceChildren(...(error ? [errorOf(error)] : []));
    below.replaceChildren(
      ...jsonSection("Payload", message.payload),
      ...jsonSection("Result", message.result),
      ...jsonSection("Headers", message.headers),
      envelopeOf(message),
    );
  };
  const update = (): void => {
    const message = actions.selected?.message;
    element.hidden = !message;
    if (message && message !== shown) {
      fill(message);
      if (shown?.order !== message.order) element.scrollTop = 0;
    }
    shown = message;
    tree.update();
  };
  return { element, update };
}

function errorOf({ name, message, code, stack }: InspectedError): HTMLElement {
  return h(
    "section.error#error",
    h("h3", name, code !== undefined && h("code", code)),
    h("p", message),
    stack !== undefined && h("pre", stack),
  );
}

function jsonSection(title: string, text: string | undefined): readonly HTMLElement[] {
  return text === undefined ? [] : [h("section", h("h3", title), jsonView(text, title.toLowerCase()))];
}

function envelopeOf({ id, correlationId, causationId, time, bus }: InspectedMessage): HTMLElement {
  const rows = terms([
    ["id", id],
    ["correlation", correlationId],
    ["cause", causationId ?? "none"],
    ["bus", bus],
    ["accepted", formatTime(time)],
  ]);
  return h("section", h("h3", "Envelope"), h("dl.envelope", rows));
}
