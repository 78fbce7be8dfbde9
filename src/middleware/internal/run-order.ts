import type { LiveDelivery } from "../../core/delivery/live-delivery.js";

let lastNumber = 0;

/** Returns a number that is higher than that of every run that began before, on any bus of the process. */
export function nextRunNumber(): number {
  return ++lastNumber;
}

/** The numbers of the shared runs that messages joined, by the delivery whose result they are. */
const joined = new WeakMap<LiveDelivery, number>();

export function joinedRun({ settlingRun }: LiveDelivery, number: number): void {
  joined.set(settlingRun, number);
}

/** Forgets a run that an earlier attempt of the message joined. */
export function ownRun({ settlingRun }: LiveDelivery): void {
  joined.delete(settlingRun);
}

/**
 * Returns the number of the run whose result a delivery got: its own, or that of a run that it joined, which may
 * have begun earlier.
 */
export function numberOfResult({ settlingRun }: LiveDelivery, ownNumber: number): number {
  return Math.min(ownNumber, joined.get(settlingRun) ?? ownNumber);
}

interface Flight {
  runs: number;
  stored: number;
}

/** The runs in flight by key, so that the result of an older run never replaces that of a newer one. */
export class RunOrder {
  readonly #flights = new Map<unknown, Flight>();

  /** Begins a run; returns its number, for {@link end}. */
  begin(key: unknown): number {
    const flight = this.#flights.get(key);
    if (flight === undefined) this.#flights.set(key, { runs: 1, stored: 0 });
    else flight.runs++;
    return nextRunNumber();
  }

  /** Ends a run. Call {@link mayStore} before, because the last run in flight takes the memory of the key with it. */
  end(key: unknown): void {
    const flight = this.#flights.get(key);
    if (flight !== undefined && --flight.runs === 0) this.#flights.delete(key);
  }

  /** Returns whether no run that began later has stored a result; the caller then stores one. */
  mayStore(key: unknown, number: number): boolean {
    const flight = this.#flights.get(key);
    if (flight === undefined) return true;
    if (number < flight.stored) return false;
    flight.stored = number;
    return true;
  }
}
