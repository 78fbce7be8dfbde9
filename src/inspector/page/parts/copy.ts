import { type InspectedMessage } from "../../protocol.js";
import { h, setText } from "../dom.js";

/** Returns a message as JSON in which payload, result and headers are values, not texts. */
export function messageJson(message: InspectedMessage): string {
  const value = (text: string | undefined): unknown => {
    try {
      return text === undefined ? undefined : JSON.parse(text);
    } catch {
      return text;
    }
  };
  const { payload, result, headers, ...rest } = message;
  const values = { payload: value(payload), result: value(result), headers: value(headers) };
  return JSON.stringify({ ...rest, ...values }, undefined, 2);
}

/** Makes the button that copies the selected message. */
export function copyButton(message: () => InspectedMessage | undefined): HTMLElement {
  const button = h("button", { type: "button" }, "Copy as JSON");
  button.addEventListener("click", () => {
    const found = message();
    if (!found) return;
    copy(messageJson(found)).then(
      () => setText(button, "Copied"),
      () => setText(button, "Copying is not allowed here"),
    );
  });
  button.addEventListener("blur", () => setText(button, "Copy as JSON"));
  return button;
}

/** Copies a text. A page without a secure context has no clipboard object, and rejects. */
async function copy(text: string): Promise<void> {
  await navigator.clipboard.writeText(text);
}
