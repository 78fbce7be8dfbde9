import { ignored, isThenable } from "../core/util/thenable.js";

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
 * Writes an event. Line breaks in `id` and `event` become spaces, because they would let a text forge other events.
 *
 * @throws TypeError for data that cannot be written as JSON, and for a promise
 */
export function formatEvent(given: ServerSentEvent): string {
  refusePromise(given);
  const { data, event, id } = given;
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

/** @throws TypeError for a value that cannot be written as JSON, and for a promise */
export function jsonOf(value: unknown): string {
  refusePromise(value);
  const json: string | undefined = JSON.stringify(value);
  return json ?? "null";
}

/** Refuses a promise, because JSON writes it as `{}`. */
function refusePromise(value: unknown): void {
  if (!isThenable(value)) return;
  ignored(value);
  throw new TypeError(
    "An event cannot be written from a promise; wait for it before, such as with concatMap.",
  );
}

// A client ignores an id with a NUL.
function oneLine(text: string): string {
  return text.replace(/[\r\n\0]+/g, " ");
}
