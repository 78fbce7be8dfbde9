import { type Entry } from "./entry.js";
import { type Extent } from "./ui.js";

export interface TreeRow {
  readonly entry: Entry;
  readonly depth: number;
  readonly cause: Entry | undefined;
}

/**
 * Returns a conversation as the rows of a tree: each message below its cause, siblings in the order of their
 * times. A message whose cause was not kept is a root. Messages that cause each other in a circle, as wrong
 * headers may claim, are listed as roots.
 */
export function treeOf(conversation: readonly Entry[]): readonly TreeRow[] {
  const byId = new Map(conversation.map((entry) => [entry.message.id, entry]));
  const children = new Map<Entry | undefined, Entry[]>();
  for (const entry of conversation) {
    const { causationId, id } = entry.message;
    const cause = causationId === undefined || causationId === id ? undefined : byId.get(causationId);
    const siblings = children.get(cause);
    if (siblings) siblings.push(entry);
    else children.set(cause, [entry]);
  }
  const rows: TreeRow[] = [];
  const seen = new Set<Entry>();
  // A stack of our own: a chain of causes may be longer than the call stack.
  const walk = (root: TreeRow): void => {
    const stack = [root];
    for (let row = stack.pop(); row; row = stack.pop()) {
      if (seen.has(row.entry)) continue;
      seen.add(row.entry);
      rows.push(row);
      const { entry: cause, depth } = row;
      const below = byTime(children.get(cause) ?? []).map((entry) => ({ entry, depth: depth + 1, cause }));
      stack.push(...below.reverse());
    }
  };
  for (const entry of byTime(children.get(undefined) ?? [])) walk({ entry, depth: 0, cause: undefined });
  for (const entry of conversation) walk({ entry, depth: 0, cause: undefined });
  return rows;
}

/** Returns the first acceptance and the last settlement of messages; an open message lasts until `now`. */
export function extentOf(entries: readonly Entry[], now: number): Extent {
  const from = Math.min(...entries.map(({ message }) => message.time));
  return { from, to: Math.max(from, ...entries.map(({ end }) => (end === Infinity ? now : end))) };
}

function byTime(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((a, b) => a.message.time - b.message.time || a.message.order - b.message.order);
}
