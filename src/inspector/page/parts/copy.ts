import { type InspectedMessage } from "../../protocol.js";
import { h, setText } from "../dom.js";

/** Returns a message as JSON in which payload, result and headers are values, not texts. */
export function messageJson(message: InspectedMessage): string {
  const texts = new Set(["payload", "result", "headers"]);
  const parts = Object.entries(message) as [string, unknown][];
  const values = parts.map(([name, value]) => [name, texts.has(name) ? valueOf(value as string) : value]);
  return JSON.stringify(Object.fromEntries(values), undefined, 2);
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
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
