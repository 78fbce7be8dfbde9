/** Wakes what polls a table in this process, because a poll alone would add its interval to each message. */
export class WakeUps {
  readonly #sleepers = { events: new Set<() => void>(), commands: new Set<() => void>() };
  // One function each, so that a transaction that appends twice wakes once.
  readonly events = (): void => wakeAll(this.#sleepers.events);
  readonly commands = (): void => wakeAll(this.#sleepers.commands);

  /** Calls `wake` when rows were committed; the returned function ends that. */
  add(table: "events" | "commands", wake: () => void): () => void {
    this.#sleepers[table].add(wake);
    return () => this.#sleepers[table].delete(wake);
  }
}

function wakeAll(sleepers: ReadonlySet<() => void>): void {
  for (const wake of [...sleepers]) wake();
}
