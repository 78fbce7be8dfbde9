/** One event of a stream, as the browser's `EventSource` receives it. */
export interface ServerSentEvent {
  /** A text is sent as it is, with a line break as `\n`; any other value as JSON, `undefined` as `null`. */
  readonly data: unknown;
  /** The name that `addEventListener` takes. @defaultValue `message` */
  readonly event?: string | undefined;
  /** The client sends the latest id as `Last-Event-ID` when it connects again. */
  readonly id?: string | undefined;
}

/**
 * Writes an event. Line breaks in `id` and `event` become spaces, because they would let a text forge other
 * events.
 *
 * @throws TypeError for data that cannot be written as JSON
 */
export function formatEvent({ data, event, id }: ServerSentEvent): string {
  const text = typeof data === "string" ? data : jsonOf(data);
  return (
    (id === undefined ? "" : `id: ${oneLine(id)}\n`) +
    (event === undefined ? "" : `event: ${oneLine(event)}\n`) +
    text
      .split(/\r\n|\r|\n/)
      .map((line) => `data: ${line}\n`)
      .join("") +
    "\n"
  );
}

/** Writes a comment, which a client reads and ignores. */
export function formatComment(text: string): string {
  return `: ${oneLine(text)}\n\n`;
}

export function jsonOf(value: unknown): string {
  const json: string | undefined = JSON.stringify(value);
  return json ?? "null";
}

// A client ignores an id with a NUL.
function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, " ");
}
