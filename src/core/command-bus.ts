import type { Observable, Subscription } from "rxjs";
import { Background, type BackgroundOptions } from "./background.js";
import { Bus } from "./bus.js";
import type { Delivery } from "./delivery.js";
import type { Kind } from "./engine.js";
import type { Envelope } from "./envelope.js";
import type { MessageOf, MessageType } from "./message.js";
import type { BusOptions, DispatchOptions } from "./options.js";
import type { Handler } from "./registry.js";

/** A command, or an envelope of one, which is dispatched under its own metadata. */
export type CommandInput = MessageOf<"command"> | Envelope<MessageOf<"command">>;

export interface CommandBusOptions extends BusOptions {
  /** How enqueued commands are run. */
  readonly background?: BackgroundOptions;
}

const COMMANDS: Kind = { kind: "command", returnsValue: false, needsHandler: true };

/**
 * Takes commands to their one handler each.
 *
 * @example
 * const commandBus = new CommandBus();
 * commandBus.register(CreateUser, ({ userId, email }) => void users.set(userId, email));
 * await commandBus.dispatch(new CreateUser("u1", "ada@example.com"));
 */
export class CommandBus extends Bus {
  readonly #background: Background;

  constructor({ background, ...options }: CommandBusOptions = {}) {
    super(COMMANDS, options);
    this.#background = new Background(background);
  }

  /**
   * Makes `handler` the handler of a type; unsubscribing unregisters it.
   *
   * @throws HandlerAlreadyRegisteredError when the type has one; the first stays.
   * @throws InvalidHandlerError for what cannot be called, and for generators.
   */
  register<C extends MessageOf<"command">>(type: MessageType<C>, handler: Handler<C>): Subscription {
    return this.handle(type, handler);
  }

  /** The commands of a type as a stream: whoever subscribes is their handler, and settles each of them. */
  deliveries<C extends MessageOf<"command">>(type: MessageType<C>): Observable<Delivery<C, void>> {
    return this.lane(type);
  }

  /**
   * Runs a command. Everything up to the first real suspension has happened when it returns.
   *
   * Guarantees: never throws, always settles, always to `undefined`. Handler errors arrive as they were thrown.
   */
  dispatch(command: CommandInput, options?: DispatchOptions): Promise<void> {
    return this.engine.send(command, options).promise() as Promise<void>;
  }

  /** The same, cold: each subscription dispatches, emits `undefined` and completes; unsubscribing aborts. */
  dispatch$(command: CommandInput, options?: DispatchOptions): Observable<void> {
    return this.cold(command, options) as Observable<void>;
  }

  /**
   * Accepts a command now and runs it in the background: once what it is `causedBy` has succeeded, if that is in flight, or else in a microtask.
   * When that fails, the command is dropped with `MessageDroppedError`.
   *
   * Guarantees: it is on `messages$` when this returns, in flight until it has ended, and exactly once on `outcomes$`, with the id of the envelope
   * returned. No failure becomes an unhandled rejection; one that nobody on `outcomes$` sees is on `faults$`.
   *
   * @throws HandlerNotFoundError, BusClosedError and whatever else `dispatch` would be refused with at the door.
   * @example
   * commandBus.register(PlaceOrder, async (order, context) => {
   *   await orders.save(order);
   *   commandBus.enqueue(new SendConfirmation(order.id), { causedBy: context });
   * });
   */
  enqueue<C extends MessageOf<"command">>(command: C | Envelope<C>, options?: DispatchOptions): Envelope<C> {
    const delivery = this.engine.send(command, options, undefined, (accepted, run) =>
      this.#background.keep(accepted, run, options?.causedBy, this.engine),
    );
    // Refused at the door: it has no depth, and will have no outcome.
    if (delivery.depth === 0) throw delivery.result;
    return delivery.envelope as Envelope<C>;
  }

  /** Resolves when no enqueued command is waiting or running, whatever became of them. Not to be awaited by one of them. */
  drain(): Promise<void> {
    return this.#background.drain();
  }
}
