import { Subscription } from "rxjs";
import type { Bus } from "../core/bus/bus.js";
import { checkBuses } from "./check-buses.js";

/** What {@link settleAll} needs of a bus. */
export type SettlingBus = Pick<Bus, "inFlight" | "messages$" | "outcomes$">;

// The timers of before a test put fake ones in their place: what it waits for is not time.
const { setTimeout } = globalThis;

/**
 * Resolves when everything has finished that is in flight on these buses, with all that it causes on them: handlers that nobody awaits, effects of
 * sagas, enqueued commands. That is when all of them have been idle for a whole macrotask.
 *
 * Guarantees: rejects only for what is no bus, whatever becomes of the messages; does not poll, but is woken by their outcomes. A message that
 * never ends keeps it waiting.
 *
 * What waits outside of the buses, such as a saga in a `delay` or a timer of your own, is in flight nowhere: let its time pass first. Under fake timers, messages that wait for
 * one (`timeLimit`, `retrying`, `batching`, ...) stay in flight until the test advances them:
 *
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
  const isIdle = (): boolean => buses.every(({ inFlight }) => inFlight === 0);
  let accepted = 0;
  let wake = (): void => undefined;
  const watching = new Subscription();
  for (const { messages$, outcomes$ } of buses) {
    const error = (): void => undefined;
    watching.add(messages$.subscribe({ next: () => void accepted++, error }));
    // A bus that is closed, or reset, has its last outcome before it completes.
    watching.add(outcomes$.subscribe({ next: () => wake(), complete: () => wake(), error }));
  }
  try {
    for (let before = -1; before !== accepted || !isIdle();) {
      if (!isIdle())
        await new Promise<void>((resolve) => {
          wake = () => void (isIdle() && resolve());
        });
      before = accepted;
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  } finally {
    watching.unsubscribe();
  }
}
