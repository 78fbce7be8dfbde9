import { continueFrom } from "../delivery/attempts.js";
import type { DeliveryHost } from "../delivery/delivery-host.js";
import { dispatchDepth, hasStackRoom } from "../delivery/dispatch-depth.js";
import { LiveDelivery } from "../delivery/live-delivery.js";
import { addHeaders, adoptEnvelope } from "../delivery/metadata.js";
import { BusClosedError, DispatchDepthExceededError, InvalidMessageError } from "../errors.js";
import { registrationOf } from "../handlers/check-handler.js";
import { checkKind } from "../handlers/check-kind.js";
import type { Registration } from "../handlers/handler.js";
import type { HandlerRegistry } from "../handlers/registry.js";
import { isEnvelope } from "../messages/envelope.js";
import { typeOf, type MessageKind } from "../messages/message.js";
import { isThenable } from "../util/thenable.js";
import type { Closing } from "./closing.js";
import { checkDispatchOptions, type BusOptions, type DispatchOptions } from "./options.js";

/** The door of a bus: refuses messages before any middleware and any observer sees them. */
export class Admission {
  middlewareCount = 0;
  readonly #bus: string;
  readonly #kind: MessageKind;
  readonly #registry: HandlerRegistry;
  readonly #maxDepth: number;
  /** The depth from which on the stack is probed, because probing costs as much as a dispatch. */
  readonly probeFrom: number;
  readonly #fallback: readonly Registration[] | undefined;

  constructor(
    bus: string,
    kind: MessageKind,
    registry: HandlerRegistry,
    { maxDepth = 256, fallback }: BusOptions,
  ) {
    this.#bus = bus;
    this.#kind = kind;
    this.#registry = registry;
    this.#maxDepth = maxDepth;
    this.probeFrom = Math.min(maxDepth, 16);
    this.#fallback = fallback && [{ ...registrationOf("The fallback", fallback), name: "fallback" }];
  }

  /**
   * Checks a message and its options, and adds the options to the delivery.
   *
   * @returns the delivery, or another one if the message came in an envelope
   * @throws the error that the dispatch is rejected with
   */
  admit(
    delivery: LiveDelivery,
    options: DispatchOptions,
    closing: Pick<Closing, "over" | "group"> | undefined,
    from?: DeliveryHost,
  ): LiveDelivery {
    const { message } = delivery;
    if (message == null) throw this.#notAMessage(String(message));
    checkDispatchOptions(this.#bus, options);
    const { headers, causedBy, attempt, context } = options;
    if (delivery.handlers === undefined && isEnvelope(message)) {
      delivery = new LiveDelivery(delivery.host, message.payload, this.#registry.find(message.payload));
      adoptEnvelope(delivery, message);
    }
    // While the bus closes, messages in flight may still cause what they need to finish, also those of another
    // copy of the library.
    const partOfWork =
      (causedBy as { pending?: unknown } | undefined)?.pending === true || closing?.group.has(from) === true;
    if (closing !== undefined && (closing.over || !partOfWork))
      throw new BusClosedError(this.#bus, delivery.typeName);
    if (this.tooDeep())
      throw new DispatchDepthExceededError(this.#bus, delivery.typeName, dispatchDepth.current);
    delivery.handlers ??= this.handlersOf(delivery.message);
    if (headers !== undefined) addHeaders(delivery, headers);
    if (causedBy !== undefined) delivery.inherit(causedBy);
    if (attempt !== undefined) continueFrom(delivery, attempt);
    if (context !== undefined) delivery.links.local = context;
    return delivery;
  }

  tooDeep(): boolean {
    const depth = dispatchDepth.current;
    if (depth < this.probeFrom) return false;
    // A middleware usually takes one to two kilobytes of the stack, a dispatch four; code that is not compiled
    // yet takes more.
    return depth >= this.#maxDepth || !hasStackRoom(8 + 3 * this.middlewareCount);
  }

  /** @throws HandlerNotFoundError, InvalidMessageError */
  handlersOf(message: object): readonly Registration[] {
    const handlers = this.#registry.find(message);
    if (handlers !== undefined) return handlers;
    const type = typeOf(message);
    if (type !== undefined) checkKind(type, this.#kind);
    if (this.#fallback === undefined && this.#kind !== "event" && typeof message !== "function")
      throw this.#registry.notFound(type);
    // An unregistered type is fine for events and fallbacks. A value that is not a message at all would pass
    // unnoticed, so reject it.
    if (typeof message !== "object" || Array.isArray(message) || isThenable(message))
      throw this.#notAMessage(
        typeof message === "function"
          ? "a function or class (did you forget new?)"
          : "a value that is not a message",
      );
    return this.#fallback ?? [];
  }

  #notAMessage(received: string): InvalidMessageError {
    return new InvalidMessageError(`${this.#bus} received ${received}; pass an instance of a message class.`);
  }
}
