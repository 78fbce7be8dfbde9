import { type InspectedMessage, type InspectedState } from "../../protocol.js";
import { type Entry } from "./entry.js";

export const STATES: readonly InspectedState[] = ["fulfilled", "rejected", "cancelled", "open"];

/**
 * The filter of the page: words that all must occur, words with a minus that must not, and outcomes that are
 * shown. A word is looked for in the type, the ids and every text of the message.
 */
export class Filter {
  readonly states = new Set<InspectedState>(STATES);
  #text = "";
  #words: readonly string[] = [];
  #version = 0;

  get text(): string {
    return this.#text;
  }

  set text(text: string) {
    this.#text = text;
    this.#words = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.#version++;
  }

  get active(): boolean {
    return this.#words.length > 0 || this.states.size < STATES.length;
  }

  toggle(state: InspectedState): void {
    if (!this.states.delete(state)) this.states.add(state);
    this.#version++;
  }

  /** Decides once per entry and version of the filter, because the canvas asks for each marble of each picture. */
  readonly matches = (entry: Entry): boolean => {
    if (entry.checked !== this.#version) {
      entry.checked = this.#version;
      entry.matched = this.states.has(entry.message.state) && hasWords(entry.message, this.#words);
    }
    return entry.matched;
  };
}

function hasWords(message: InspectedMessage, words: readonly string[]): boolean {
  if (words.length === 0) return true;
  const text = textOf(message);
  return words.every((word) =>
    word.length > 1 && word.startsWith("-") ? !text.includes(word.slice(1)) : text.includes(word),
  );
}

function textOf(message: InspectedMessage): string {
  const values: unknown[] = [message, message.error ?? {}].flatMap((each) => Object.values(each));
  return values
    .filter((value) => typeof value === "string")
    .join("\n")
    .toLowerCase();
}
