import { type Subscription, type Observable } from "rxjs";
import type { Bus } from "../buses/bus.js";
import type { CommandBus } from "../buses/command-bus.js";
import type { EventBus } from "../buses/event-bus.js";
import { onHandled } from "../core/bus/after-handlers.js";
import { anObject, aText, checkOptions, milliseconds, wholeNumber } from "../core/checks.js";
import { InvalidHandlerError } from "../core/errors.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageKind } from "../core/messages/message.js";
import { CommandSender } from "./command-sender.js";
import { SagaInbox } from "./saga-inbox.js";
import { SagaSupervisor, type RestartOptions, type SagaFunction, type SagaState } from "./saga-supervisor.js";

export interface SagaOptions {
  readonly restart?: RestartOptions;
  /**
   * How many reactions of sagas may lead to each other before the chain is cut with `LoopDetectedError`; `Infinity` for a process that
   * keeps itself going by timers. @defaultValue 64
   */
  readonly maxHops?: number;
  /** The name in faults and errors. @defaultValue the name of the function */
  readonly name?: string;
}

/** Unsubscribing stops the saga. */
export interface SagaSubscription extends Subscription {
  readonly state: SagaState;
  /** The state, now and as it changes; completes when the saga has stopped or failed. */
  readonly state$: Observable<SagaState>;
}

/**
 * Turns events into commands, for processes that take several steps.
 *
 * A saga sees an event when its handlers have been called, as if it were the last of them: behind the bus's middleware, after the work of
 * synchronous handlers, without waiting for asynchronous ones (with `strategy: "sequential"`, in its turn), and whether or not they fail. It sees
 * the effects of an event after the event. `publish` neither waits for a saga nor rejects with its failures.
 *
 * Guarantees: supervised. When a saga errors, the error is on the event bus's `faults$` under the saga's name, and a new instance goes on with the
 * next event; a saga that keeps failing is restarted with longer and longer waits, and in the end given up. Its commands are dispatched with the
 * event as `causedBy`: the event that it handles, or the one whose async context it emits in. A rejected command, or an emission that is not a
 * command, is reported, and the saga goes on.
 *
 * @throws InvalidOptionsError for a wrong option, InvalidHandlerError for other wrong arguments
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
  checkOptions<SagaOptions>("saga()", options, { restart: anObject, maxHops: wholeNumber(1), name: aText });
  const { restart = {}, maxHops = 64, name = project.name || "saga" } = options;
  checkOptions<RestartOptions>(
    "saga()",
    restart,
    { count: wholeNumber(0), delayMs: milliseconds, maxDelayMs: milliseconds },
    "restart.",
  );
  const { engine } = eventBus;
  const report = (error: unknown, envelope?: Envelope): void =>
    engine.report({ kind: "saga", source: name, error, envelope });
  const inbox = new SagaInbox(name, report);
  const sender = new CommandSender(name, inbox, commandBus, maxHops, report);
  const supervisor = new SagaSupervisor(name, project, restart, engine, inbox, sender);
  const { subscription } = supervisor;
  const stop = (): void => {
    // The operators of the saga may still emit what they keep.
    inbox.complete();
    subscription.unsubscribe();
  };
  if (engine.closed) stop();
  else {
    subscription.add(onHandled(engine, (event) => inbox.push(event)));
    subscription.add(engine.attach({ stop }));
    supervisor.start();
  }
  return Object.defineProperties(subscription, {
    state: { get: () => supervisor.state, enumerable: true },
    state$: { value: supervisor.state$ },
  }) as SagaSubscription;
}

function checkBus(bus: Bus, kind: MessageKind): void {
  if ((bus as Partial<Bus> | null | undefined)?.engine?.kind !== kind)
    throw new InvalidHandlerError("saga() takes an event bus, a command bus, and a function of the events.");
}
