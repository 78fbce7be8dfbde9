import type { Observable, Subscription } from "rxjs";
import { Bus } from "../core/bus/bus.js";
import type { Delivery } from "../core/delivery/delivery.js";
import type { Kind } from "../core/bus/engine.js";
import type { Envelope } from "../core/messages/envelope.js";
import { asError, EventHandlersFailedError, refuse } from "../core/errors.js";
import { tellFollowers } from "../core/bus/after-handlers.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import type { MessageOf, MessageType } from "../core/messages/message.js";
import type { BusOptions, DispatchOptions } from "../core/bus/options.js";
import { callHandler, type Handler, type Registration } from "../core/handlers/registry.js";
import { isThenable } from "../core/util/thenable.js";

export interface EventBusOptions extends BusOptions {
  /**
   * Whether a handler starts without waiting for the ones before it, or after they have ended. Either way in order of registration.
   * @defaultValue "parallel"
   */
  readonly strategy?: "parallel" | "sequential";
}

/**
 * Tells handlers, any number of them, what happened.
 *
 * @example
 * const eventBus = new EventBus();
 * eventBus.register(OrderPlaced, sendConfirmation);
 * eventBus.register(OrderPlaced, updateStock);
 * await eventBus.publish(new OrderPlaced("o1"));
 */
export class EventBus extends Bus {
  constructor(options: EventBusOptions = {}) {
    super(options?.strategy === "sequential" ? SEQUENTIAL : PARALLEL, options);
    const { strategy = "parallel" } = options;
    if (strategy !== "sequential" && strategy !== "parallel")
      refuse("options.strategy", 'is not "parallel" or "sequential"');
  }

  /** Adds a handler for a type; unsubscribing removes it. @throws InvalidHandlerError for what cannot be called, and for generators. */
  register<E extends MessageOf<"event">>(type: MessageType<E>, handler: Handler<E>): Subscription {
    return this.engine.registry.register(type, handler);
  }

  /** The events of a type as a stream: each subscriber is one handler more, and settles each delivery it gets. */
  deliveries<E extends MessageOf<"event">>(type: MessageType<E>): Observable<Delivery<E, void>> {
    return this.lane(type);
  }

  /**
   * Calls the handlers that an event has at this moment, none being fine, and settles when all of them have.
   *
   * Guarantees: never throws, always settles; every handler is called whatever the others do.
   * Rejects with `EventHandlersFailedError`, whose `errors` are in order of registration.
   */
  publish(
    event: MessageOf<"event"> | Envelope<MessageOf<"event">>,
    options?: DispatchOptions,
  ): Promise<void> {
    return this.engine.send(event, options).promise() as Promise<void>;
  }
}

const EVENTS = { kind: "event", returnsValue: false, needsHandler: false } as const;
const PARALLEL: Kind = { ...EVENTS, handle: callAll };
const SEQUENTIAL: Kind = { ...EVENTS, handle: callInTurn };

function callAll(handlers: readonly Registration[], delivery: LiveDelivery): unknown {
  const errors: unknown[] = [];
  let running = 0;
  let allEnded: (() => void) | undefined;
  const ended = (): void => {
    if (--running === 0) allEnded!();
  };
  for (let place = 0; place < handlers.length; place++) {
    try {
      const result = callHandler(handlers[place]!, delivery);
      if (!isThenable(result)) continue;
      running++;
      // Not its own then, which may throw: a Proxy of a promise has none that works.
      void Promise.resolve(result).then(ended, (error: unknown) => {
        errors[place] = error;
        ended();
      });
    } catch (error) {
      errors[place] = error;
    }
  }
  tellFollowers(delivery);
  if (running === 0) return raise(errors, handlers, delivery);
  return new Promise<void>((resolve) => (allEnded = resolve)).then(() => raise(errors, handlers, delivery));
}

function callInTurn(handlers: readonly Registration[], delivery: LiveDelivery): unknown {
  const errors: unknown[] = [];
  const callFrom = (start: number): unknown => {
    for (let place = start; place < handlers.length; place++) {
      // An event that was aborted is not taken any further.
      if (!delivery.pending) return undefined;
      try {
        const result = callHandler(handlers[place]!, delivery);
        if (!isThenable(result)) continue;
        const goOn = (): unknown => callFrom(place + 1);
        return result.then(goOn, (error: unknown) => {
          errors[place] = error;
          return goOn();
        });
      } catch (error) {
        errors[place] = error;
      }
    }
    tellFollowers(delivery);
    return raise(errors, handlers, delivery);
  };
  return callFrom(0);
}

/** Throws what handlers failed with, by their place and not by their time, so that it does not depend on who was faster. */
function raise(byPlace: readonly unknown[], handlers: readonly Registration[], delivery: LiveDelivery): void {
  if (byPlace.length === 0) return;
  const { typeName } = delivery;
  const errors = Object.values(byPlace).map((error) => asError(error, delivery));
  throw new EventHandlersFailedError(typeName, errors, handlers.length);
}
