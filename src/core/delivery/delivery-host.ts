import type { Clock } from "../util/clock.js";
import type { Delivery } from "./delivery.js";
import type { MessageKind } from "../messages/message.js";
import type { Fault } from "./outcome.js";

/** The lists in the description of a bus that its parts add to. */
export interface PartsDescription {
  readonly gauges: GaugesDescription[];
  readonly sagas: SagaDescription[];
  /** By message type. */
  readonly watchers: Map<string, WatchersDescription>;
}

/** The values of a middleware at this moment, such as `running` and `waiting` of `overlap`. */
export interface GaugesDescription {
  /** The name of the middleware, as in the list of middleware. */
  readonly middleware: string;
  readonly values: { readonly [name: string]: number };
}

/** The state of a saga that listens to the bus. */
export interface SagaDescription {
  readonly name: string;
  readonly state: "running" | "restarting" | "failed" | "stopped";
  /** How often it was restarted since it was created. */
  readonly restarts: number;
}

/** The live queries of one type. */
export interface WatchersDescription {
  readonly messageType: string;
  readonly watchers: number;
  /** How many runs they share: one for each group of equal queries. */
  readonly shared: number;
}

/** A part of a bus that ends with it. */
export interface Closeable {
  /** Releases the messages that are held, because the bus is closing. */
  flush?(): void;
  /** The name in the report of `close()`, for a part that completes. */
  readonly name?: string;
  /** Begins to complete, because the bus is closing and no message is in flight, and calls `done` when it has. */
  complete?(done: () => void): void;
  /**
   * The messages in flight that it starts later, by the time of `performance.now()`. At most one part of a bus has
   * some.
   */
  readonly delayed?: ReadonlyMap<unknown, number>;
  /** Stops, because the bus is closed; absent for a part that ends with its messages. */
  stop?(): void;
  /** Adds itself to the description of the bus. Costs nothing until it is called. */
  describe?(parts: PartsDescription): void;
}

/** The bus that a delivery runs on, as far as the delivery needs it. */
export interface DeliveryHost {
  readonly name: string;
  /** Absent outside a bus, as in tests of operators. */
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
