import type { Observable, Subscription } from "rxjs";
import { Bus } from "../core/bus/bus.js";
import { callOne } from "../core/bus/call-handlers.js";
import type { BusKind } from "../core/bus/engine.js";
import {
  BUS_OPTIONS,
  HANDLER_OPTIONS,
  type BusDescription,
  type BusOptions,
  type DeliveriesOptions,
  type DispatchOptions,
  type HandlerOptions,
} from "../core/bus/options.js";
import { anObject, checkOptions, type Checks } from "../core/checks.js";
import type { Delivery } from "../core/delivery/delivery.js";
import type { Handler } from "../core/handlers/handler.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageOf, MessageType } from "../core/messages/message.js";
import { Background, type BackgroundOptions, type EnqueueOptions } from "../reactive/background.js";

/** A command, or an envelope of one, which is dispatched under its own metadata. */
export type CommandInput = MessageOf<"command"> | Envelope<MessageOf<"command">>;

export interface CommandBusOptions extends BusOptions {
  /** The options of enqueued commands. */
  readonly background?: BackgroundOptions;
}

const COMMANDS: BusKind = { kind: "command", name: "CommandBus", handle: callOne };
const OPTIONS: Checks<CommandBusOptions> = { ...BUS_OPTIONS, background: anObject };

/**
 * Takes each command to the one handler of its type, now or in the background.
 *
 * @typeParam Local - the local context of its messages, see `DispatchOptions.context`
 * @example
 * const commandBus = new CommandBus();
 * commandBus.register(CreateUser, ({ userId, email }) => void users.set(userId, email));
 * await commandBus.dispatch(new CreateUser("u1", "ada@example.com"));
 */
export class CommandBus<Local extends object = object> extends Bus {
  readonly #background: Background;

  constructor(options: CommandBusOptions = {}) {
    super(COMMANDS, options, OPTIONS);
    this.#background = new Background("CommandBus", options.background);
  }

  /**
   * Makes `handler` the handler of a type, with `middleware` around it; unsubscribing unregisters it.
   *
   * @throws HandlerAlreadyRegisteredError when the type has a handler; the first handler stays.
   * @throws InvalidHandlerError for a value that cannot be called, and for generators.
   * @throws InvalidOptionsError, InvalidMiddlewareError
   * @example
   * commandBus.register(ChargeCard, chargeCard, { middleware: [retrying({ count: 3 }), timeLimit(5_000)] });
   */
  register<C extends MessageOf<"command">>(
    type: MessageType<C>,
    handler: Handler<C, unknown, Local>,
    options: HandlerOptions<C> = {},
  ): Subscription {
    checkOptions("register()", options, HANDLER_OPTIONS);
    return this.addHandler(type, handler as Handler<C>, options.middleware as never);
  }

  /**
   * Returns the commands of a type as a stream: its subscriber is their handler, and settles each of them within
   * `holdTimeoutMs`.
   * @throws InvalidOptionsError
   */
  deliveries<C extends MessageOf<"command">>(
    type: MessageType<C>,
    options?: DeliveriesOptions,
  ): Observable<Delivery<C, void, Local>> {
    return this.streamOf(type, options);
  }

  /**
   * Runs a command. Everything up to the first real suspension has happened when it returns.
   *
   * Guarantees: never throws, always settles, always to `undefined`. Handler errors arrive as they were thrown.
   */
  dispatch(command: CommandInput, options?: DispatchOptions<Local>): Promise<void> {
    return this.engine.send(command, options).promise() as Promise<void>;
  }

  /** Returns a cold `dispatch`: each subscription dispatches, emits `undefined` and completes; unsubscribing aborts. */
  dispatch$(command: CommandInput, options?: DispatchOptions<Local>): Observable<void> {
    return this.cold(command, options) as Observable<void>;
  }

  /**
   * Accepts a command now and runs it in the background: once its `causedBy` has succeeded, if that is in flight,
   * or else in a microtask; with `delayMs` that much later. When the cause fails, the command is dropped with
   * `MessageDroppedError`.
   *
   * Guarantees: the command is on `messages$` when this returns, in flight until it has ended, and exactly once
   * on `outcomes$`, with the id of the envelope returned. No failure becomes an unhandled rejection; a failure
   * without an observer of `outcomes$` is on `faults$`, but for a command that is dropped, because the promise of
   * its cause carries the error. `close()` waits for it, but not for one that would start after the deadline.
   *
   * @throws QueueFullError when `background.maxQueued` commands wait already.
   * @throws InvalidOptionsError for a wrong `delayMs`.
   * @throws HandlerNotFoundError, BusClosedError and every other error that `dispatch` would reject with at the door.
   * @example
   * commandBus.register(PlaceOrder, async (order, context) => {
   *   await orders.save(order);
   *   commandBus.enqueue(new SendConfirmation(order.id), { causedBy: context });
   *   commandBus.enqueue(new AskForReview(order.id), { causedBy: context, delayMs: 3_600_000 });
   * });
   */
  enqueue<C extends MessageOf<"command">>(
    command: C | Envelope<C>,
    options?: EnqueueOptions<Local>,
  ): Envelope<C> {
    return this.#background.enqueue(this.engine, command, options);
  }

  override describe(): BusDescription {
    return { ...super.describe(), background: this.#background.describe() };
  }

  /**
   * Resolves when no enqueued command is waiting or running, however they ended. An enqueued command must not await it.
   */
  drain(): Promise<void> {
    return this.#background.drain();
  }
}
