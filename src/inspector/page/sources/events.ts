export interface ServerSentEvent {
  /** The last id of the stream, as `Last-Event-ID` gives it back. */
  readonly id: string;
  readonly data: string;
}

/**
 * Parses server-sent events from pieces of text, wherever the pieces are cut. `EventSource` would do it, too, but sends no `Authorization`.
 */
export class EventParser {
  #rest = "";
  #id = "";
  #data: string[] = [];

  push(text: string): readonly ServerSentEvent[] {
    const lines = (this.#rest + text).split(/\r\n|\n/);
    this.#rest = lines.pop()!;
    const events: ServerSentEvent[] = [];
    for (const line of lines) {
      if (line === "") {
        if (this.#data.length > 0) events.push({ id: this.#id, data: this.#data.join("\n") });
        this.#data = [];
      } else this.#take(line);
    }
    return events;
  }

  #take(line: string): void {
    const [, field, value] = /^([^:]*):? ?(.*)$/s.exec(line)!;
    if (field === "data") this.#data.push(value!);
    else if (field === "id") this.#id = value!;
  }
}
