import type { Handler } from "../handlers/handler.js";
import type { Clock } from "../util/clock.js";
import type { Cause } from "../delivery/delivery.js";
import type { GaugesDescription, SagaDescription, WatchersDescription } from "../delivery/delivery-host.js";
import type { Headers } from "../messages/envelope.js";
import {
  aFunction,
  anArray,
  anObject,
  aSignal,
  aText,
  check,
  checkOptions,
  wholeNumber,
  withMethods,
  type Checks,
} from "../checks.js";
import type { MessageKind } from "../messages/message.js";
import type { Middleware } from "../pipeline/middleware.js";
import type { HandlerRegistry } from "../handlers/registry.js";

/** The options of every bus. */
export interface BusOptions {
  /** Middleware, the first one outermost; fixed at construction. @defaultValue [] */
  readonly middleware?: readonly Middleware[];
  /** The registry of handlers, which other buses of the same kind may share. @defaultValue a new registry */
  readonly registry?: HandlerRegistry;
  /** The handler of messages whose type has none. Without it they are rejected with `HandlerNotFoundError`. */
  readonly fallback?: Handler<object>;
  /** The name in errors, faults and `describe()`. @defaultValue `CommandBus`, `QueryBus` or `EventBus` */
  readonly name?: string;
  /**
   * How deep dispatches may be nested in each other. The stack may end earlier, with many middleware.
   * @defaultValue 256
   */
  readonly maxDepth?: number;
  /** The source of times and durations. @defaultValue the clock of the system */
  readonly clock?: Clock;
  /** Makes the ids of messages. @defaultValue a random UUID of this process and a counter */
  readonly ids?: () => string;
}

/** The rules for the options of all buses; a bus with more options adds its own. */
export const BUS_OPTIONS: Checks<BusOptions> = {
  middleware: anArray,
  registry: withMethods("a HandlerRegistry", "register", "has"),
  // Accept any value, because the check of handlers throws an error that says more.
  fallback: check("a handler", () => true),
  name: aText,
  maxDepth: check("a number from 1", (value) => typeof value === "number" && value >= 1),
  clock: withMethods("a clock, which has a method now()", "now"),
  ids: aFunction,
};

export interface DispatchOptions<Local extends object = object> {
  /** Aborting it rejects the dispatch with its reason at once, and aborts the handler's `signal`. */
  readonly signal?: AbortSignal | undefined;
  /** Headers for the envelope, added to those of the envelope that the message came in. Copied. */
  readonly headers?: Headers | undefined;
  /**
   * The cause of this message: it inherits correlation and causation, and from a handler's context also
   * cancellation and the local context.
   */
  readonly causedBy?: Cause | undefined;
  /**
   * The number of this attempt, from 1, for a message that was tried before it was dispatched here, such as one
   * that a queue delivers again. Handlers read it as `context.attempt`, observers as `attempts`. @defaultValue 1
   */
  readonly attempt?: number | undefined;
  /**
   * The local context of the message, such as the user, the tenant or the transaction: handlers, middleware and
   * `authorization` read it as `context.local`. An object, passed on as it is to everything that the message causes
   * with `causedBy`. Never serialised, logged or sent to another process.
   */
  readonly context?: Local | undefined;
}

const DISPATCH_OPTIONS: Checks<DispatchOptions> = {
  signal: aSignal,
  headers: anObject,
  causedBy: anObject,
  attempt: wholeNumber(1),
  context: anObject,
};

/**
 * Walks the given options only, because checking every known option would cost more than the rest of a dispatch.
 *
 * @throws InvalidOptionsError
 */
export function checkDispatchOptions(bus: string, options: DispatchOptions): void {
  let known = anObject.accepts(options);
  for (const name in options) {
    const option = name as keyof DispatchOptions;
    known &&= Object.hasOwn(DISPATCH_OPTIONS, option) && DISPATCH_OPTIONS[option].accepts(options[option]);
  }
  if (!known) checkOptions(bus, options, DISPATCH_OPTIONS);
}

/** Options of a registration. */
export interface HandlerOptions<M extends object = never, R = unknown> {
  /**
   * Middleware around this handler alone, the first one outermost, inside the middleware of the bus. Repeating or
   * limiting it changes no other handler of the message. @defaultValue []
   */
  readonly middleware?: readonly Middleware<M, R>[];
}

export const HANDLER_OPTIONS: Checks<HandlerOptions> = { middleware: anArray };

/** Options of `deliveries`. */
export interface DeliveriesOptions {
  /**
   * How long a delivery may be left unsettled before it is rejected with `MessageHeldError` and reported, in
   * milliseconds; `Infinity` for no limit. Raise it for handlers that work longer. @defaultValue 30_000
   */
  readonly holdTimeoutMs?: number;
}

export interface CloseOptions {
  /**
   * How long to wait for messages in flight before aborting them, in milliseconds; `Infinity` for no limit.
   * @defaultValue 10_000
   */
  readonly timeoutMs?: number;
}

/** The result of closing a bus. */
export interface CloseReport {
  /** How many messages in flight settled before the deadline. */
  readonly finished: number;
  /** The ids of messages that were aborted at the deadline. */
  readonly aborted: readonly string[];
  /** The ids of aborted messages whose handler did not stop when its signal was aborted. */
  readonly abandoned: readonly string[];
  /** The names of the sagas that had not completed at the deadline; absent if all had. */
  readonly unfinished?: readonly string[];
}

/** Plain data about the handlers of a message type. */
export interface HandlersDescription {
  readonly messageType: string;
  /** Names in order of registration. */
  readonly handlers: readonly string[];
  /** Names of the middleware around each of the handlers alone, in the same order; absent if none has any. */
  readonly middleware?: readonly (readonly string[])[];
}

/** Plain data about a bus. */
export interface BusDescription {
  readonly name: string;
  readonly kind: MessageKind;
  /** Names, outermost first. */
  readonly middleware: readonly string[];
  readonly handlers: readonly HandlersDescription[];
  /** Names of the middleware around each handler, outermost first; for event buses that have some. */
  readonly handlerMiddleware?: readonly string[];
  /** The values of middleware that have some, outermost first; absent if none has. */
  readonly gauges?: readonly GaugesDescription[];
  /** The sagas that listen to an event bus; absent if none does. */
  readonly sagas?: readonly SagaDescription[];
  /** The live queries of a query bus by message type; absent without any. */
  readonly watchers?: readonly WatchersDescription[];
  /** The enqueued commands of a command bus. */
  readonly background?: BackgroundDescription;
  readonly inFlight: number;
  readonly closed: boolean;
}

/** How many enqueued messages wait for their cause, a free place or a retry, and how many run. */
export interface BackgroundDescription {
  readonly queued: number;
  readonly running: number;
}
