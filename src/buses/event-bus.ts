import type { Observable, Subscription } from "rxjs";
import { Bus } from "../core/bus/bus.js";
import { callAll, callInTurn } from "../core/bus/call-handlers.js";
import type { BusKind } from "../core/bus/engine.js";
import { BUS_OPTIONS, type BusOptions, type DispatchOptions } from "../core/bus/options.js";
import { oneOf, type Checks } from "../core/checks.js";
import type { Delivery } from "../core/delivery/delivery.js";
import type { Handler } from "../core/handlers/handler.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageOf, MessageType } from "../core/messages/message.js";

export interface EventBusOptions extends BusOptions {
  /**
   * Whether a handler starts without waiting for the handlers before it, or after they have ended. Either way in order of registration.
   * @defaultValue "parallel"
   */
  readonly strategy?: "parallel" | "sequential";
}

const EVENTS = { kind: "event", name: "EventBus", returnsValue: false, needsHandler: false } as const;
const PARALLEL: BusKind = { ...EVENTS, handle: callAll };
const SEQUENTIAL: BusKind = { ...EVENTS, handle: callInTurn };
const OPTIONS: Checks<EventBusOptions> = { ...BUS_OPTIONS, strategy: oneOf("parallel", "sequential") };

/**
 * Tells any number of handlers what happened.
 *
 * @example
 * const eventBus = new EventBus();
 * eventBus.register(OrderPlaced, sendConfirmation);
 * eventBus.register(OrderPlaced, updateStock);
 * await eventBus.publish(new OrderPlaced("o1"));
 */
export class EventBus extends Bus {
  constructor(options: EventBusOptions = {}) {
    super(options?.strategy === "sequential" ? SEQUENTIAL : PARALLEL, options, OPTIONS);
  }

  /**
   * Adds a handler for a type and all classes below it; unsubscribing removes it. An abstract base class names a family of events.
   *
   * @throws InvalidHandlerError for a value that cannot be called, and for generators.
   */
  register<E extends MessageOf<"event">>(type: MessageType<E>, handler: Handler<E>): Subscription {
    return this.engine.registry.register(type, handler);
  }

  /** The events of a type, and of all classes below it, as a stream: each subscriber is one handler more, and settles each delivery it gets. */
  deliveries<E extends MessageOf<"event">>(type: MessageType<E>): Observable<Delivery<E, void>> {
    return this.streamOf(type);
  }

  /**
   * Calls the handlers that an event has at this moment and settles when all of them have; an event without handlers is fine.
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
