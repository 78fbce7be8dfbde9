// C0, DEL and C1 controls, the two Unicode line ends, and what reverses the direction of text.
const UNSAFE = /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu;
const SHORT: { readonly [character: string]: string } = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

/** Longer texts are cut: a log is no place for what has such a size. */
const MAX_LENGTH = 65_536;

/** Text that stays on its line and commands no terminal: what could do otherwise is written as `\n` or `\u001b`. */
export function escapeText(text: string): string {
  if (text.length > MAX_LENGTH)
    return `${escapeText(text.slice(0, MAX_LENGTH))}… (${text.length - MAX_LENGTH} more)`;
  return text.replace(
    UNSAFE,
    (character) => SHORT[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
