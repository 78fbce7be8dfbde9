export interface ServerSentEvent {
  /** The last id of the stream, as `Last-Event-ID` gives it back. */
  readonly id: string;
  readonly data: string;
}

/**
 * Parses server-sent events from pieces of text, wherever the pieces are cut. `EventSource` would do it, too, but
 * sends no `Authorization`.
 */
export class EventParser {
  #rest = "";
  #id = "";
  #data: string[] = [];

  push(text: string): readonly ServerSentEvent[] {
    const lines = (this.#rest + text).split("\n");
    this.#rest = lines.pop()!;
    const events: ServerSentEvent[] = [];
    for (const line of lines) {
      const [, field, value] = /^(\w*):? ?(.*?)\r?$/.exec(line) ?? [];
      if (field === "data") this.#data.push(value!);
      else if (field === "id") this.#id = value!;
      else if (!field && !value && this.#data.length > 0) {
        events.push({ id: this.#id, data: this.#data.join("\n") });
        this.#data = [];
      }
    }
    return events;
  }
}
