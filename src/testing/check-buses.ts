import { isObservable } from "rxjs";
import type { Bus } from "../core/bus/bus.js";

/** @throws TypeError with this text when one of them is no bus */
export function checkBuses(buses: readonly unknown[], text: string): void {
  for (const bus of buses)
    if (!isObservable((bus as Partial<Bus> | null | undefined)?.messages$)) throw new TypeError(text);
}
