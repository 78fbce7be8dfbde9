export interface JsonToken {
  readonly text: string;
  /** Absent for space and punctuation. */
  readonly kind?: "key" | "string" | "value";
}

const TOKEN = /("(?:\\.|[^"\\])*"(?:\s*:)?|[^\s"{}[\],]+)/;

/** Returns the text with line breaks and indentation; a text that does not parse is returned as it is. */
export function prettyJson(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), undefined, 2);
  } catch {
    return text;
  }
}

/** Splits JSON text into tokens to colour. The tokens joined are the text again. */
export function jsonTokens(text: string): readonly JsonToken[] {
  // Split by a pattern with a group: each second part is what the group matched.
  return text.split(TOKEN).map((part, index) => {
    if (index % 2 === 0) return { text: part };
    return { text: part, kind: part.endsWith(":") ? "key" : part.startsWith('"') ? "string" : "value" };
  });
}
