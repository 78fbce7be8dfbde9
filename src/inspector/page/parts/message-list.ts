import { type Entry } from "../model/entry.js";
import { type Store } from "../model/store.js";

/** How many rows more a page of the list has. */
export const PAGE_ROWS = 40;

/**
 * The rows of the table of messages, newest first. While it is held, it keeps to the messages of that moment and
 * counts those that come: rows that move away from below the pointer, or from a screen reader, are useless.
 */
export class MessageList {
  rows: readonly Entry[] = [];
  /** Messages that came since the list was held. */
  newer = 0;
  /** There are older messages than the last row. */
  hasMore = false;
  #limit = PAGE_ROWS;
  #top: number | undefined;

  more(): void {
    this.#limit += PAGE_ROWS;
  }

  /** Goes to the newest message at the next update. */
  reset(): void {
    this.#top = undefined;
    this.#limit = PAGE_ROWS;
  }

  update(store: Store, matches: (entry: Entry) => boolean, hold: boolean, selected: Entry | undefined): void {
    const newest = store.entries.at(-1)?.message.order ?? 0;
    // A new run counts from the beginning.
    if (!hold || this.#top === undefined || this.#top > newest) this.#top = newest;
    if (selected) this.#top = Math.max(this.#top, selected.message.order);
    this.newer = 0;
    this.hasMore = false;
    const rows: Entry[] = [];
    const top = this.#top;
    for (let index = store.entries.length - 1; index >= 0; index--) {
      const entry = store.entries[index]!;
      if (!matches(entry) && entry !== selected) continue;
      if (entry.message.order > top) this.newer++;
      else if (rows.length < this.#limit || (selected && entry.message.order >= selected.message.order)) {
        rows.push(entry);
      } else {
        this.hasMore = true;
        break;
      }
    }
    // A selection far below would make a table of thousands of rows: show the page around it.
    const at = selected ? rows.indexOf(selected) : -1;
    const far = Math.max(this.#limit, PAGE_ROWS * 3);
    this.rows = at >= far ? rows.slice(at - PAGE_ROWS / 2) : rows;
  }
}
