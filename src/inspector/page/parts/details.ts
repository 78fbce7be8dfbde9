import { type InspectedError, type InspectedMessage } from "../../protocol.js";
import { h } from "../dom.js";
import { formatDuration, formatTime } from "../model/format.js";
import { badge } from "./badge.js";
import { conversation } from "./conversation.js";
import { copyButton } from "./copy.js";
import { jsonView } from "./json-view.js";
import { outcome } from "./outcome.js";
import { type Context, type Part } from "./part.js";

/** Makes the panel of the selected message. It is made anew only if the message is another one or has settled. */
export function details(context: Context): Part {
  const { actions } = context;
  const title = h("div", { class: "details-title" });
  const above = h("div");
  const tree = conversation(context);
  const below = h("div");
  const close = h(
    "button",
    { type: "button", class: "icon close", "aria-label": "Close details", click: () => actions.deselect() },
    "✕",
  );
  const zoom = h(
    "button",
    {
      type: "button",
      "data-testid": "zoom",
      "aria-keyshortcuts": "z",
      click: () => actions.zoomToConversation(),
    },
    "Zoom to it",
  );
  const only = h(
    "button",
    { type: "button", "data-testid": "only", click: () => actions.onlyThisConversation() },
    "Only this conversation",
  );
  const buttons = h(
    "div",
    { class: "row" },
    zoom,
    only,
    copyButton(() => actions.selected?.message),
  );
  const element = h(
    "section",
    { class: "details", "data-testid": "details", "aria-label": "Selected message", hidden: true },
    close,
    title,
    buttons,
    above,
    tree.element,
    below,
  );
  let shown: InspectedMessage | undefined;
  const update = (): void => {
    const message = actions.selected?.message;
    element.hidden = !message;
    if (!message) shown = undefined;
    if (!message || message === shown) {
      if (message) tree.update();
      return;
    }
    if (shown?.order !== message.order) element.scrollTop = 0;
    shown = message;
    const attempts = message.attempts > 1 ? `${message.attempts} attempts` : "";
    const took = message.durationMs === undefined ? "" : formatDuration(message.durationMs);
    title.replaceChildren(
      h("div", { class: "kind" }, badge(message.kind), message.kind),
      h("h2", {}, message.name),
      h("p", { class: "facts" }, outcome(message.state), [took, attempts].filter(Boolean).join(" · ")),
    );
    above.replaceChildren(...(message.error ? [errorOf(message.error)] : []));
    below.replaceChildren(
      ...jsonSection("Payload", message.payload, "payload"),
      ...jsonSection("Result", message.result, "result"),
      ...jsonSection("Headers", message.headers, "headers"),
      envelopeOf(message),
    );
    tree.update();
  };
  return { element, update };
}

function errorOf({ name, message, code, stack }: InspectedError): HTMLElement {
  return h(
    "section",
    { class: "error", "data-testid": "error" },
    h("h3", {}, name, code === undefined ? undefined : h("code", {}, code)),
    h("p", {}, message),
    stack === undefined ? undefined : h("pre", {}, stack),
  );
}

function jsonSection(title: string, text: string | undefined, testId: string): readonly HTMLElement[] {
  return text === undefined ? [] : [h("section", {}, h("h3", {}, title), jsonView(text, testId))];
}

function envelopeOf({ id, correlationId, causationId, time, bus }: InspectedMessage): HTMLElement {
  const rows = [
    ["id", id],
    ["correlation", correlationId],
    ["cause", causationId ?? "none"],
    ["bus", bus],
    ["accepted", formatTime(time)],
  ] as const;
  const list = rows.flatMap(([name, text]) => [h("dt", {}, name), h("dd", {}, text)]);
  return h("section", {}, h("h3", {}, "Envelope"), h("dl", { class: "envelope" }, ...list));
}
