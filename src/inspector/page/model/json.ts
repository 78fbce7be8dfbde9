export interface JsonToken {
  readonly text: string;
  readonly kind: "key" | "string" | "number" | "word" | "plain";
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(?:true|false|null)\b|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

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
  const tokens: JsonToken[] = [];
  let at = 0;
  const plain = (to: number): void => {
    if (to > at) tokens.push({ text: text.slice(at, to), kind: "plain" });
  };
  for (const match of text.matchAll(TOKEN)) {
    plain(match.index);
    const [all, quoted, colon] = match;
    if (quoted !== undefined) tokens.push({ text: quoted, kind: colon === undefined ? "string" : "key" });
    else tokens.push({ text: all, kind: /[a-z]/.test(all[0]!) ? "word" : "number" });
    at = match.index + (quoted ?? all).length;
  }
  plain(text.length);
  return tokens;
}
