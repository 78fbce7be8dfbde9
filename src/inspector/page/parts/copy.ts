import { type InspectedMessage } from "../../protocol.js";
import { h, setText } from "../dom.js";
import { prettyJson, valueOf } from "../model/json.js";

const TEXTS = ["payload", "result", "headers"];

/** Returns a message as JSON in which payload, result and headers are values, not texts. */
export function messageJson(message: InspectedMessage): string {
  const parts = Object.entries(message) as [string, unknown][];
  const values = parts.map(([name, value]) => [
    name,
    TEXTS.includes(name) ? valueOf(value as string) : value,
  ]);
  return prettyJson(Object.fromEntries(values));
}

/** Makes the button that copies the selected message. */
export function copyButton(message: () => InspectedMessage | undefined): HTMLElement {
  // An async function, because a page without a secure context has no clipboard.
  const copy = async (): Promise<void> => navigator.clipboard.writeText(messageJson(message()!));
  const tell = (text: string) => (): void => setText(button, text);
  const button = h(
    "button",
    { click: () => void copy().then(tell("Copied"), tell("Not allowed here")), blur: tell("Copy as JSON") },
    "Copy as JSON",
  );
  return button;
}
