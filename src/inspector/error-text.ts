import type { InspectedError } from "./protocol.js";
import { boundedText, valueText } from "./value-text.js";

/** Returns an error as bounded text. Getters of a foreign error may throw, and any value can be thrown. */
export function errorText(error: unknown, limit: number): InspectedError {
  try {
    return textOf(error, limit);
  } catch {
    return { name: "Error", message: "[unreadable]" };
  }
}

function textOf(error: unknown, limit: number): InspectedError {
  if (typeof error !== "object" || error === null)
    return { name: typeof error, message: valueText(error, limit, () => false) };
  const { name, message, stack, code } = error as {
    readonly [field in "name" | "message" | "stack" | "code"]?: unknown;
  };
  if (typeof name !== "string" || typeof message !== "string")
    return { name: "object", message: "a value that is not an Error was thrown" };
  return {
    name: boundedText(name, 200),
    message: boundedText(message, limit),
    ...((typeof code === "string" || typeof code === "number") && { code: boundedText(String(code), 200) }),
    ...(typeof stack === "string" && { stack: boundedText(stack, limit) }),
  };
}
