/** How a message crosses between processes: as a call, whose result is waited for, or stored. */
export type Crossing = "call" | "stored";

const crossings = new WeakMap<object, Crossing>();

/** Marks a handler that sends messages to other processes, or an envelope that came from one. */
export function markCrossing(of: object, crossing: Crossing): void {
  crossings.set(of, crossing);
}

export function crossingOf(of: object): Crossing | undefined {
  return crossings.get(of);
}
