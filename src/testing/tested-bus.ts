import { isObservable } from "rxjs";
import type { CommandBus } from "../buses/command-bus.js";

/** A bus of any kind, as far as tests see it. */
export type TestedBus = Pick<CommandBus, "messages$" | "outcomes$" | "faults$" | "inFlight">;

/** @throws TypeError with this text if one of the values is not a bus */
export function checkBuses(buses: readonly unknown[], text: string): void {
  for (const bus of buses)
    if (!isObservable((bus as Partial<TestedBus> | null | undefined)?.messages$)) throw new TypeError(text);
}

/** A `Database` of `cqrx/postgres`, as far as tests see it. */
export interface TestedDatabase {
  transaction<T>(run: () => Promise<T>): Promise<T>;
}
