import type { Observable, Subscription } from "rxjs";
import { Bus } from "./bus.js";
import type { Delivery, LiveDelivery } from "./delivery.js";
import type { Kind } from "./engine.js";
import type { Envelope } from "./envelope.js";
import { asError, EventHandlersFailedError } from "./errors.js";
import type { MessageOf, MessageType } from "./message.js";
import type { BusOptions, DispatchOptions } from "./options.js";
import type { Handler, Registration } from "./registry.js";
import { asPromise, isThenable } from "./thenable.js";

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
  constructor({ strategy = "parallel", ...options }: EventBusOptions = {}) {
    super(strategy === "sequential" ? SEQUENTIAL : PARALLEL, options);
  }

  /** Adds a handler for a type; unsubscribing removes it. @throws InvalidHandlerError for what cannot be called, and for generators. */
  register<E extends MessageOf<"event">>(type: MessageType<E>, handler: Handler<E>): Subscription {
    return this.handle(type, handler);
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
  const failures = new Failures(handlers, delivery);
  let waiting: PromiseLike<unknown>[] | undefined;
  for (const [index, handler] of handlers.entries()) {
    const running = failures.catching(index, () => handler.run(delivery));
    if (running !== undefined) (waiting ??= []).push(running);
  }
  return waiting === undefined ? failures.raise() : Promise.all(waiting).then(() => failures.raise());
}

function callInTurn(handlers: readonly Registration[], delivery: LiveDelivery): unknown {
  const failures = new Failures(handlers, delivery);
  const callFrom = (start: number): unknown => {
    for (let index = start; index < handlers.length; index++) {
      // An event that was aborted is not taken any further.
      if (!delivery.pending) return undefined;
      const running = failures.catching(index, () => handlers[index]!.run(delivery));
      if (running !== undefined) return running.then(() => callFrom(index + 1));
    }
    return failures.raise();
  };
  return callFrom(0);
}

/** What handlers of one event failed with, by their place. */
class Failures {
  readonly #handlers: readonly Registration[];
  readonly #delivery: LiveDelivery;
  readonly #errors: unknown[] = [];

  constructor(handlers: readonly Registration[], delivery: LiveDelivery) {
    this.#handlers = handlers;
    this.#delivery = delivery;
  }

  /** Runs a handler; what it returns can be waited for and does not reject. */
  catching(index: number, run: () => unknown): PromiseLike<unknown> | undefined {
    const failed = (error: unknown): void => {
      this.#errors[index] = asError(error, this.#delivery.typeName);
    };
    try {
      const result = run();
      return isThenable(result) ? asPromise(result).then(undefined, failed) : undefined;
    } catch (error) {
      failed(error);
      return undefined;
    }
  }

  raise(): void {
    const errors = Object.values(this.#errors);
    if (errors.length > 0)
      throw new EventHandlersFailedError(this.#delivery.typeName, errors, this.#handlers.length);
  }
}
