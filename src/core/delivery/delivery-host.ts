import type { Clock } from "../util/clock.js";
import type { Delivery } from "./delivery.js";
import type { MessageKind } from "../messages/message.js";
import type { Fault } from "./outcome.js";

/** Something that ends with the bus. */
export interface Closeable {
  /** The bus is closing: let go of the messages that are held. */
  flush?(): void;
  /** The bus is closed. */
  stop(): void;
}

/** What a delivery needs of the bus it runs on. */
export interface DeliveryHost {
  readonly name: string;
  /** None where there is no bus, as in tests of operators. */
  readonly kind?: MessageKind;
  readonly clock: Clock;
  readonly ids: () => string;
  /** Called once, when a delivery that was accepted has been settled, before anybody else learns of it. */
  ended(delivery: Delivery): void;
  report(fault: Fault): void;
  /** For what has to be ended with the bus; the returned function takes it back. */
  attach(part: Closeable): () => void;
  /** Queries do; what the handler of a command or event returns is dropped. */
  readonly returnsValue: boolean;
}
