import { Subscription } from "rxjs";
import type { CommandBus } from "../buses/command-bus.js";
import type { Bus } from "../core/bus/bus.js";
import { checkObject, InvalidHandlerError } from "../core/errors.js";
import type { EventBus } from "../buses/event-bus.js";
import type { MessageKind } from "../core/messages/message.js";
import { SagaRunner, type SagaFunction, type SagaOptions, type SagaSubscription } from "./saga-supervisor.js";

/**
 * Turns events into commands, for processes that take several steps.
 *
 * A saga sees an event when its handlers have been called, as if it were the last of them: behind the bus's middleware, after everything that
 * synchronous handlers do about it, without waiting for those that take time (with `strategy: "sequential"`, in its turn), and whether or not
 * they fail. What it causes, it sees after it has dealt with the cause. `publish` neither waits for a saga nor hears of its failures.
 *
 * Guarantees: supervised. When it errors, that is reported on the event bus's `faults$` under its name and a fresh one goes on with the next event;
 * one that keeps failing is restarted less and less often, and in the end given up. What it emits is dispatched with the event as `causedBy`:
 * the event being dealt with, or the one whose async context it emits in. A rejection, or an emission that is no command, is reported, and it lives.
 *
 * @example
 * saga(eventBus, commandBus, (events$) =>
 *   events$.pipe(
 *     ofType(OrderPlaced),
 *     map(({ payload }) => new ReserveStock(payload.orderId)),
 *   ),
 * );
 */
export function saga(
  eventBus: EventBus,
  commandBus: CommandBus,
  project: SagaFunction,
  options: SagaOptions = {},
): SagaSubscription {
  if (typeof project !== "function")
    throw new InvalidHandlerError(
      "A saga is a function of the events, which returns the commands as an Observable.",
    );
  checkBus(eventBus, "event");
  checkBus(commandBus, "command");
  checkObject(options, "options");
  const runner = new SagaRunner(eventBus.engine, commandBus, project, options);
  const subscription = new Subscription(() => runner.stop());
  runner.run(() => subscription.unsubscribe());
  return Object.defineProperties(subscription, {
    state: { get: () => runner.state, enumerable: true },
    state$: { value: runner.state$ },
  }) as SagaSubscription;
}

function checkBus(bus: Bus, kind: MessageKind): void {
  if ((bus as Partial<Bus> | null | undefined)?.engine?.kind !== kind)
    throw new InvalidHandlerError("saga() takes an event bus, a command bus, and a function of the events.");
}
