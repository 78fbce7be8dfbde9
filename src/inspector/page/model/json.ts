export interface JsonToken {
  readonly text: string;
  /** Absent for space and punctuation. */
  readonly kind?: "key" | "string" | "value";
}

const TOKEN = /("(?:\\.|[^"\\])*"(?:\s*:)?|[^\s"{}[\],]+)/;

/** Returns the value of a JSON text, or the text itself if it does not parse. */
export function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Returns JSON with line breaks and indentation. */
export function prettyJson(value: unknown): string {
  return JSON.stringify(value, undefined, 2);
}

/** Splits JSON text into tokens to colour. The tokens joined are the text again. */
export function jsonTokens(text: string): readonly JsonToken[] {
  // Split by a pattern with a group: each second part is what the group matched.
  return text.split(TOKEN).map((part, index) => {
    if (index % 2 === 0) return { text: part };
    return { text: part, kind: part.endsWith(":") ? "key" : part.startsWith('"') ? "string" : "value" };
  });
}
