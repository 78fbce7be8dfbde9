import { type Subscription, type Observable } from "rxjs";
import type { Bus } from "../buses/bus.js";
import type { CommandBus } from "../buses/command-bus.js";
import type { EventBus } from "../buses/event-bus.js";
import { onHandled } from "../core/bus/after-handlers.js";
import {
  aBoolean,
  anObject,
  aText,
  checkCopy,
  checkOptions,
  milliseconds,
  positiveMilliseconds,
  wholeNumber,
} from "../core/checks.js";
import { InvalidHandlerError } from "../core/errors.js";
import type { MessageKind } from "../core/messages/message.js";
import { functionName } from "../core/util/function-name.js";
import { CommandSender } from "./command-sender.js";
import { SagaInbox } from "./saga-inbox.js";
import type { SagaSettings } from "./saga-settings.js";
import { SagaSupervisor, type RestartOptions, type SagaFunction, type SagaState } from "./saga-supervisor.js";

export interface SagaOptions {
  readonly restart?: RestartOptions;
  /**
   * How many reactions of sagas may lead to each other before the chain is cut with `LoopDetectedError`;
   * `Infinity` for a process that keeps itself going by timers. @defaultValue 64
   */
  readonly maxHops?: number;
  /**
   * `true` finds the cause of a command after a promise or a timer, too, by `AsyncLocalStorage`. While such a saga
   * has received an event and runs, every promise of the process takes three to seven times as long on Node 20 and 22;
   * Node 24 is not slower. With `false`, a command that is not emitted synchronously has no cause unless it says one,
   * and loops that pause are found by `causedBy` or `maxPerSecond` only. @defaultValue true
   */
  readonly asyncCauses?: boolean;
  /**
   * How many commands the saga may dispatch within a second; others are dropped, and the first of them is reported with
   * `LoopDetectedError`. Stops loops that no chain of causes shows.
   * @defaultValue `Infinity`, and 1_000 with `asyncCauses: false`
   */
  readonly maxPerSecond?: number;
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
 * A saga sees an event when its handlers have been called, as if it were the last of them: behind the bus's
 * middleware, after the work of synchronous handlers, without waiting for asynchronous ones (with `strategy:
 * "sequential"`, in its turn), and whether or not they fail. It sees the effects of an event after the event.
 * `publish` neither waits for a saga nor rejects with its failures.
 *
 * Guarantees: supervised. When a saga errors, the error is on the event bus's `faults$` under the saga's name,
 * and a new instance goes on with the next event; a saga that keeps failing is restarted with longer and longer
 * waits, and in the end given up. Its commands are dispatched with the event as `causedBy` whose arrival emitted
 * them, or in whose async context they are emitted. They have no cause rather than a wrong one: none after a
 * promise or a timer if the saga has received another event since, because operators such as `concatMap` handle a
 * kept event in the async context of another. `Envelope.of(command, { causedBy: event })` says the cause in any
 * case. A rejected command, or an emission that is not a command, is reported, and the saga goes on. `close()` of
 * the event bus completes `events$` once no event is in flight, and waits, within its time, for the saga to
 * complete; a saga that does not is in the report and on `faults$`.
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
  checkOptions<SagaOptions>("saga()", options, {
    restart: anObject,
    maxHops: wholeNumber(1),
    asyncCauses: aBoolean,
    maxPerSecond: wholeNumber(1),
    name: aText,
  });
  const { restart = {}, maxHops = 64, asyncCauses = true, name = functionName(project) || "saga" } = options;
  const { maxPerSecond = asyncCauses ? Infinity : 1_000 } = options;
  checkOptions<RestartOptions>(
    "saga()",
    restart,
    { count: wholeNumber(0), delayMs: milliseconds, maxDelayMs: positiveMilliseconds },
    "restart.",
  );
  const { engine } = eventBus;
  const settings: SagaSettings = {
    name,
    maxHops,
    maxPerSecond,
    asyncCauses,
    report: (error, envelope) => engine.report({ kind: "saga", source: name, error, envelope }),
  };
  const inbox = new SagaInbox(settings);
  const sender = new CommandSender(settings, inbox, eventBus, commandBus);
  const supervisor = new SagaSupervisor(settings, project, restart, inbox, sender);
  const { subscription } = supervisor;
  if (engine.closed) supervisor.stop();
  else {
    subscription.add(onHandled(engine, inbox));
    subscription.add(
      engine.attach({
        name,
        complete: (done) => supervisor.complete(done),
        stop: () => supervisor.stop(),
        describe: ({ sagas }) => sagas.push({ name, state: supervisor.state, restarts: supervisor.restarts }),
      }),
    );
    supervisor.start();
  }
  return Object.defineProperties(subscription, {
    state: { get: () => supervisor.state, enumerable: true },
    state$: { value: supervisor.state$ },
  }) as SagaSubscription;
}

function checkBus(bus: Bus, kind: MessageKind): void {
  checkCopy(`the ${kind} bus of saga()`, bus);
  if ((bus as Partial<Bus> | null | undefined)?.engine?.kind !== kind)
    throw new InvalidHandlerError("saga() takes an event bus, a command bus, and a function of the events.");
}
