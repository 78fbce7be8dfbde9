import type { Observable, Subscription } from "rxjs";
import { Bus } from "../core/bus/bus.js";
import type { Delivery } from "../core/delivery/delivery.js";
import { callTheOne, type Kind } from "../core/bus/engine.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageOf, MessageType } from "../core/messages/message.js";
import type { BusOptions, DispatchOptions } from "../core/bus/options.js";
import type { Handler } from "../core/handlers/registry.js";

/** A command, or an envelope of one, which is dispatched under its own metadata. */
export type CommandInput = MessageOf<"command"> | Envelope<MessageOf<"command">>;

const COMMANDS: Kind = { kind: "command", returnsValue: false, needsHandler: true, handle: callTheOne };

/**
 * Takes commands to their one handler each. The `CommandBus` that is exported adds background work, which is layered on this.
 */
export class CoreCommandBus extends Bus {
  constructor(options?: BusOptions) {
    super(COMMANDS, options);
  }

  /**
   * Makes `handler` the handler of a type; unsubscribing unregisters it.
   *
   * @throws HandlerAlreadyRegisteredError when the type has one; the first stays.
   * @throws InvalidHandlerError for what cannot be called, and for generators.
   */
  register<C extends MessageOf<"command">>(type: MessageType<C>, handler: Handler<C>): Subscription {
    return this.engine.registry.register(type, handler);
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
}
