// C0, DEL and C1 controls, the two Unicode line ends, and the characters that reverse the direction of text.
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;
const SHORT: { readonly [character: string]: string } = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const MAX_LENGTH = 65_536;

/**
 * Escapes every character that could end the line or command a terminal, as in `\n` or `\u001b`, and cuts text that is
 * too long for a log. JSON escapes only the C0 controls, and a pretty printer undoes even that.
 */
export function escapeText(text: string): string {
  if (text.length > MAX_LENGTH)
    return `${escapeText(text.slice(0, MAX_LENGTH))}… (${text.length - MAX_LENGTH} more)`;
  return text.replace(
    UNSAFE,
    (character) => SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
