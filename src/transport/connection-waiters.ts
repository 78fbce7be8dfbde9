/** Functions that wait for a connection. */
export class ConnectionWaiters {
  readonly #waiting = new Set<() => void>();

  /**
   * Calls `go` at once if there is a connection, otherwise with the next {@link connected}; the returned function
   * takes that back.
   */
  add(isConnected: boolean, go: () => void): () => void {
    if (isConnected) {
      go();
      return () => undefined;
    }
    this.#waiting.add(go);
    return () => void this.#waiting.delete(go);
  }

  /** Calls those that wait now and are not taken back meanwhile, each once. */
  connected(): void {
    for (const go of [...this.#waiting]) if (this.#waiting.delete(go)) go();
  }

  clear(): void {
    this.#waiting.clear();
  }
}
