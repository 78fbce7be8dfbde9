import type { Observable, Subscription } from "rxjs";
import { Bus } from "../core/bus/bus.js";
import { callOne } from "../core/bus/call-handlers.js";
import type { BusKind } from "../core/bus/engine.js";
import {
  BUS_OPTIONS,
  type BusDescription,
  type BusOptions,
  type DispatchOptions,
} from "../core/bus/options.js";
import { anObject, checkCopy, type Checks } from "../core/checks.js";
import type { Delivery } from "../core/delivery/delivery.js";
import { REFUSED } from "../core/delivery/settlement.js";
import type { Handler } from "../core/handlers/handler.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageOf, MessageType } from "../core/messages/message.js";
import { Background, type BackgroundOptions } from "../reactive/background.js";

/** A command, or an envelope of one, which is dispatched under its own metadata. */
export type CommandInput = MessageOf<"command"> | Envelope<MessageOf<"command">>;

export interface CommandBusOptions extends BusOptions {
  /** How enqueued commands run. */
  readonly background?: BackgroundOptions;
}

const COMMANDS: BusKind = {
  kind: "command",
  name: "CommandBus",
  returnsValue: false,
  needsHandler: true,
  handle: callOne,
};
const OPTIONS: Checks<CommandBusOptions> = { ...BUS_OPTIONS, background: anObject };

/**
 * Takes each command to the one handler of its type, now or in the background.
 *
 * @example
 * const commandBus = new CommandBus();
 * commandBus.register(CreateUser, ({ userId, email }) => void users.set(userId, email));
 * await commandBus.dispatch(new CreateUser("u1", "ada@example.com"));
 */
export class CommandBus extends Bus {
  readonly #background: Background;

  constructor(options: CommandBusOptions = {}) {
    super(COMMANDS, options, OPTIONS);
    this.#background = new Background(options.background);
  }

  /**
   * Makes `handler` the handler of a type; unsubscribing unregisters it.
   *
   * @throws HandlerAlreadyRegisteredError when the type has a handler; the first handler stays.
   * @throws InvalidHandlerError for a value that cannot be called, and for generators.
   */
  register<C extends MessageOf<"command">>(type: MessageType<C>, handler: Handler<C>): Subscription {
    return this.engine.registry.register(type, handler);
  }

  /** The commands of a type as a stream: its subscriber is their handler, and settles each of them. */
  deliveries<C extends MessageOf<"command">>(type: MessageType<C>): Observable<Delivery<C, void>> {
    return this.streamOf(type);
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
   * Accepts a command now and runs it in the background: once its `causedBy` has succeeded, if that is in flight, or else in a microtask.
   * When the cause fails, the command is dropped with `MessageDroppedError`.
   *
   * Guarantees: the command is on `messages$` when this returns, in flight until it has ended, and exactly once on `outcomes$`, with the id
   * of the envelope returned. No failure becomes an unhandled rejection; a failure without an observer of `outcomes$` is on `faults$`.
   *
   * @throws QueueFullError when `background.maxQueued` commands wait already.
   * @throws HandlerNotFoundError, BusClosedError and every other error that `dispatch` would reject with at the door.
   * @example
   * commandBus.register(PlaceOrder, async (order, context) => {
   *   await orders.save(order);
   *   commandBus.enqueue(new SendConfirmation(order.id), { causedBy: context });
   * });
   */
  enqueue<C extends MessageOf<"command">>(command: C | Envelope<C>, options?: DispatchOptions): Envelope<C> {
    const { engine } = this;
    checkCopy("causedBy", options?.causedBy);
    this.#background.checkRoom(command, engine);
    const delivery = engine.send(command, options, {
      defer: (accepted, run) => this.#background.keep(accepted, run, options?.causedBy, engine),
    });
    if (delivery.status === REFUSED) throw delivery.result;
    return delivery.envelope as Envelope<C>;
  }

  override describe(): BusDescription {
    return { ...super.describe(), background: this.#background.describe() };
  }

  /** Resolves when no enqueued command is waiting or running, however they ended. An enqueued command must not await it. */
  drain(): Promise<void> {
    return this.#background.drain();
  }
}
