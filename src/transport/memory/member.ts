/** A connection, as the broker knows it. */
export interface Member {
  /** The broker has crashed, or this connection is cut off. */
  disconnected(): void;
  connected(): void;
}
