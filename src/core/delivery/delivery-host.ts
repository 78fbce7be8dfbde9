import type { Clock } from "../util/clock.js";
import type { Delivery } from "./delivery.js";
import type { MessageKind } from "../messages/message.js";
import type { Fault } from "./outcome.js";

/** A part of a bus that ends with it. */
export interface Closeable {
  /** Releases the messages that are held, because the bus is closing. */
  flush?(): void;
  /** The name in the report of `close()`, for a part that completes. */
  readonly name?: string;
  /** Begins to complete, because the bus is closing and no message is in flight, and calls `done` when it has. */
  complete?(done: () => void): void;
  /** The messages in flight that it starts later, by the time of `performance.now()`. At most one part of a bus has some. */
  readonly delayed?: ReadonlyMap<unknown, number>;
  /** Stops, because the bus is closed. */
  stop(): void;
}

/** The bus that a delivery runs on, as far as the delivery needs it. */
export interface DeliveryHost {
  readonly name: string;
  /** Absent where there is no bus, as in tests of operators. */
  readonly kind?: MessageKind;
  readonly clock: Clock;
  readonly ids: () => string;
  /** `false` if no middleware can run the handlers of a message again. */
  readonly hasMiddleware?: boolean;
  /** Called once, when an accepted delivery has been settled, before its callers and observers learn of it. */
  ended(delivery: Delivery): void;
  report(fault: Fault): void;
  /** Registers something that ends with the bus; the returned function takes it back. */
  attach(part: Closeable): () => void;
  /** True for queries; the result of a command's or event's handler is dropped. */
  readonly returnsValue: boolean;
}
