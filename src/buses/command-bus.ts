import { CoreCommandBus } from "./core-command-bus.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageOf } from "../core/messages/message.js";
import type { BusOptions, DispatchOptions } from "../core/bus/options.js";
import { Background, type BackgroundOptions } from "../reactive/background.js";

export interface CommandBusOptions extends BusOptions {
  /** How enqueued commands are run. */
  readonly background?: BackgroundOptions;
}

/**
 * Takes commands to their one handler each, now or in the background.
 *
 * @example
 * const commandBus = new CommandBus();
 * commandBus.register(CreateUser, ({ userId, email }) => void users.set(userId, email));
 * await commandBus.dispatch(new CreateUser("u1", "ada@example.com"));
 */
export class CommandBus extends CoreCommandBus {
  readonly #background: Background;

  constructor(options: CommandBusOptions = {}) {
    super(options);
    this.#background = new Background(options.background);
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
    const { engine } = this;
    const delivery = engine.send(command, options, {
      keep: (accepted, run) => this.#background.keep(accepted, run, options?.causedBy, engine),
    });
    // Refused at the door: it has no depth, and will have no outcome.
    if (delivery.depth === 0) throw delivery.result;
    return delivery.envelope as Envelope<C>;
  }

  /** Resolves when no enqueued command is waiting or running, whatever became of them. Not to be awaited by one of them. */
  drain(): Promise<void> {
    return this.#background.drain();
  }
}
