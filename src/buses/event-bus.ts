import type { Observable, Subscription } from "rxjs";
import { Bus } from "../core/bus/bus.js";
import { callAll, callInTurn } from "../core/bus/call-handlers.js";
import type { BusKind } from "../core/bus/engine.js";
import {
  BUS_OPTIONS,
  HANDLER_OPTIONS,
  type BusOptions,
  type DeliveriesOptions,
  type DispatchOptions,
  type HandlerOptions,
} from "../core/bus/options.js";
import { anArray, anObject, checkOptions, oneOf, type Checks } from "../core/checks.js";
import type { Delivery } from "../core/delivery/delivery.js";
import type { Handler, Registration } from "../core/handlers/handler.js";
import {
  withMiddleware,
  type HandlerRelease,
  type WrappedRegistration,
} from "../core/pipeline/handler-middleware.js";
import type { Middleware } from "../core/pipeline/middleware.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageOf, MessageType } from "../core/messages/message.js";
import { Background, type EnqueueOptions, type EventBackgroundOptions } from "../reactive/background.js";

export interface EventBusOptions extends BusOptions {
  /**
   * `"parallel"` starts each handler without waiting for those before it, `"sequential"` after they have ended.
   * Either way they start in order of registration.
   * @defaultValue "parallel"
   */
  readonly strategy?: "parallel" | "sequential";
  /**
   * Middleware around each handler of an event by itself, the first one outermost, inside `middleware`, which
   * runs once per event. So `retrying` repeats the handler that failed, and never one that succeeded. Each
   * handler has a state of its own.
   * @defaultValue []
   */
  readonly handlerMiddleware?: readonly Middleware[];
  /** The options of enqueued events. */
  readonly background?: EventBackgroundOptions;
}

const PARALLEL: BusKind = { kind: "event", name: "EventBus", handle: callAll };
const SEQUENTIAL: BusKind = { ...PARALLEL, handle: callInTurn };
const OPTIONS: Checks<EventBusOptions> = {
  ...BUS_OPTIONS,
  strategy: oneOf("parallel", "sequential"),
  handlerMiddleware: anArray,
  background: anObject,
};

/**
 * Tells any number of handlers what happened.
 *
 * @typeParam Local - the local context of its messages, see `DispatchOptions.context`
 * @example
 * const eventBus = new EventBus();
 * eventBus.register(OrderPlaced, sendConfirmation);
 * eventBus.register(OrderPlaced, updateStock);
 * await eventBus.publish(new OrderPlaced("o1"));
 */
export class EventBus<Local extends object = object> extends Bus {
  readonly #background: Background;

  constructor(options: EventBusOptions = {}) {
    super(kindFor(options), options, OPTIONS);
    // Build the middleware once around a handler that is never called, so that a wrong one is refused here.
    const probe = aroundHandler(NO_HANDLER, options.handlerMiddleware ?? []);
    probe.build(this.engine);
    probe.release();
    this.#background = new Background("EventBus", options.background);
  }

  /**
   * Adds a handler for a type and all classes below it; unsubscribing removes it. An abstract base class names a
   * family of events.
   *
   * @throws InvalidHandlerError for a value that cannot be called, and for generators.
   * @throws InvalidOptionsError, InvalidMiddlewareError
   * @example
   * eventBus.register(OrderPlaced, sendConfirmation, { middleware: [retrying({ count: 3 })] });
   */
  register<E extends MessageOf<"event">>(
    type: MessageType<E>,
    handler: Handler<E, unknown, Local>,
    options: HandlerOptions<E> = {},
  ): Subscription {
    checkOptions("register()", options, HANDLER_OPTIONS);
    return this.addHandler(type, handler as Handler<E>, options.middleware as never);
  }

  /**
   * The events of a type, and of all classes below it, as a stream: each subscriber is one handler more, and
   * settles each delivery it gets.
   */
  deliveries<E extends MessageOf<"event">>(
    type: MessageType<E>,
    options?: DeliveriesOptions,
  ): Observable<Delivery<E, void, Local>> {
    return this.streamOf(type, options);
  }

  /**
   * Calls the handlers that an event has at this moment and settles when all of them have; an event without
   * handlers is fine.
   *
   * Guarantees: never throws, always settles; every handler is called whatever the others do.
   * Rejects with `EventHandlersFailedError`, whose `errors` are in order of registration.
   */
  publish(
    event: MessageOf<"event"> | Envelope<MessageOf<"event">>,
    options?: DispatchOptions<Local>,
  ): Promise<void> {
    return this.engine.send(event, options).promise() as Promise<void>;
  }

  /**
   * Accepts an event now and publishes it in the background: once its `causedBy` has succeeded, if that is in
   * flight, or else in a microtask; with `delayMs` that much later. When the cause fails, the event is dropped
   * with `MessageDroppedError`: neither a handler nor a saga sees it.
   *
   * Guarantees: as for `enqueue` of a command bus. Events of one cause are published in their order. `messages$`
   * shows the event when it is accepted, and `outcomes$` whether it was published.
   *
   * @throws QueueFullError when `background.maxQueued` events wait already.
   * @throws InvalidOptionsError for a wrong `delayMs`.
   * @throws BusClosedError and every other error that `publish` would reject with at the door.
   * @example
   * commandBus.register(PlaceOrder, async (order, context) => {
   *   eventBus.enqueue(new OrderPlaced(order.id), { causedBy: context });
   *   await orders.save(order); // if this fails, the event is dropped
   * });
   */
  enqueue<E extends MessageOf<"event">>(
    event: E | Envelope<E>,
    options?: EnqueueOptions<Local>,
  ): Envelope<E> {
    return this.#background.enqueue(this.engine, event, options);
  }

  /**
   * Resolves when no enqueued event is waiting or being handled, however they ended. A handler of an enqueued
   * event must not await it.
   */
  drain(): Promise<void> {
    return this.#background.drain();
  }
}

const NO_HANDLER: Registration = { handler: undefined, name: "(none)", call: () => undefined };

function aroundHandler(registration: Registration, middleware: readonly Middleware[]): WrappedRegistration {
  return withMiddleware(registration, middleware, "handlerMiddleware", { everyHandler: true });
}

/** Returns a function that calls `make` once for each object, and keeps what it made in `made`. */
function remembered<K extends object, V>(make: (key: K) => V, made = new WeakMap<K, V>()): (key: K) => V {
  return (key) => {
    let value = made.get(key);
    if (value === undefined) made.set(key, (value = make(key)));
    return value;
  };
}

/** Returns the kind of bus for options that are not checked yet. */
function kindFor(options: EventBusOptions | null): BusKind & HandlerRelease {
  const kind = options?.strategy === "sequential" ? SEQUENTIAL : PARALLEL;
  const middleware = options?.handlerMiddleware;
  if (!Array.isArray(middleware) || middleware.length === 0) return kind;
  const wrapped = new WeakMap<Registration, WrappedRegistration>();
  const wrap = remembered((registration) => aroundHandler(registration, middleware), wrapped);
  // Cache by list, too, so that an event costs one lookup. A registry replaces its lists and never changes them.
  const wrapAll = remembered((registrations: readonly Registration[]) => registrations.map(wrap));
  return {
    ...kind,
    handlerMiddleware: middleware,
    handle: (handlers, delivery) => kind.handle(wrapAll(handlers), delivery),
    release: (registration) => wrapped.get(registration)?.release(),
  };
}
