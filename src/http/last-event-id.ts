/** Ids are short; a client that sends more did not get it from this server. */
const LONGEST = 1_024;

/**
 * Returns the id that a client sent as `Last-Event-ID`; undefined if it is absent, empty or too long. Servers
 * read headers as Latin-1, but browsers write this one as UTF-8.
 */
export function lastEventIdOf(header: unknown): string | undefined {
  if (typeof header !== "string" || header === "" || header.length > LONGEST) return undefined;
  const bytes = Uint8Array.from(header, (char) => char.charCodeAt(0));
  return [...header].some((char) => char > "\u00ff") ? header : new TextDecoder().decode(bytes);
}
