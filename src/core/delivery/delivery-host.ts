import type { Clock } from "../util/clock.js";
import type { LiveDelivery } from "./live-delivery.js";
import type { MessageKind } from "../messages/message.js";
import type { Part } from "../pipeline/middleware.js";
import type { Fault } from "./outcome.js";

/** What a delivery needs of the bus it runs on. */
export interface Owner {
  readonly name: string;
  /** None where there is no bus, as in tests of operators. */
  readonly kind?: MessageKind;
  readonly clock: Clock;
  readonly ids: () => string;
  /** Called once, when a delivery that was accepted has been settled, before anybody else learns of it. */
  ended(delivery: LiveDelivery): void;
  report(fault: Fault): void;
  /** For what has to be ended with the bus; the returned function takes it back. */
  attach(part: Part): () => void;
  /** Queries do; what the handler of a command or event returns is dropped. */
  readonly returnsValue: boolean;
}
