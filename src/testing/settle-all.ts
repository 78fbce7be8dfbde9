import { endWith, firstValueFrom, merge, NEVER, Observable, startWith, switchMap } from "rxjs";
import { checkBuses, type TestedBus } from "./tested-bus.js";

/** The part of a bus that {@link settleAll} reads. */
export type SettlingBus = Pick<TestedBus, "inFlight" | "messages$" | "outcomes$">;

// Taken before a test can install fake timers, because settleAll() waits for the event loop and not for time.
const { setTimeout, clearTimeout } = globalThis;

/** Emits once, at the next macrotask. */
const macrotask$ = new Observable<void>((subscriber) => {
  const timer = setTimeout(() => subscriber.next(), 0);
  return () => clearTimeout(timer);
});

/**
 * Resolves when all work on these buses has finished, with everything that it caused on them: handlers that no caller
 * awaits, effects of sagas, enqueued commands. That is when all buses have been idle for a whole macrotask.
 *
 * Guarantees: rejects only if an argument is not a bus, however the messages end; does not poll, but is woken
 * by messages and outcomes. A message that never settles keeps it waiting.
 *
 * Work outside of the buses, such as a saga in a `delay` or a timer of the application, is not in flight: let
 * its time pass first. Under fake timers, messages that wait for a timer (`timeLimit`, `retrying`,
 * `batching`, ...) stay in flight until the test advances it.
 *
 * @throws TypeError if an argument is not a bus
 * @example
 * void commandBus.dispatch(new PlaceOrder("o1")); // its saga goes on after it
 * await settleAll(commandBus, eventBus);
 *
 * @example
 * jest.useFakeTimers();
 * const settled = settleAll(commandBus);
 * await jest.advanceTimersByTimeAsync(5_000);
 * await settled;
 */
export async function settleAll(...buses: readonly SettlingBus[]): Promise<void> {
  checkBuses(buses, "settleAll() takes buses.");
  // The end of a bus counts as a change, because a bus that is closed or reset emits its last outcome before
  // it completes.
  const changes = buses.flatMap(({ messages$, outcomes$ }) => [
    messages$,
    outcomes$.pipe(endWith(undefined)),
  ]);
  const settled$ = merge(...changes).pipe(
    startWith(undefined),
    // A change during the macrotask starts over.
    switchMap(() => (buses.every(({ inFlight }) => inFlight === 0) ? macrotask$ : NEVER)),
  );
  await firstValueFrom(settled$, { defaultValue: undefined });
}
