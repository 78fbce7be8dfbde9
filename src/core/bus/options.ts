import type { Handler } from "../handlers/handler.js";
import type { Clock } from "../util/clock.js";
import type { Cause } from "../delivery/delivery.js";
import type { Headers } from "../messages/envelope.js";
import { aFunction, anArray, aText, check, withMethods, type Checks } from "../checks.js";
import type { MessageKind } from "../messages/message.js";
import type { Middleware } from "../pipeline/middleware.js";
import type { HandlerRegistry } from "../handlers/registry.js";

/** What all buses can be told when they are made. */
export interface BusOptions {
  /** First one outermost; fixed at construction. @defaultValue none */
  readonly middleware?: readonly Middleware[];
  /** Handlers, possibly shared with other buses of the kind. @defaultValue a registry of its own */
  readonly registry?: HandlerRegistry;
  /** Handles messages of types that have no handler. @defaultValue none: such messages are rejected with `HandlerNotFoundError` */
  readonly fallback?: Handler<object>;
  /** For errors, faults and `describe()`. @defaultValue the name of the class */
  readonly name?: string;
  /** How deep dispatches may be nested in each other, as far as the stack goes: with many middleware that may be less. @defaultValue 256 */
  readonly maxDepth?: number;
  /** @defaultValue the system's */
  readonly clock?: Clock;
  /** Makes message ids. @defaultValue unique ones: a random UUID of this process and a counter */
  readonly ids?: () => string;
}

/** The rules for the options of all buses; a bus with more options adds its own. */
export const BUS_OPTIONS: Checks<BusOptions> = {
  middleware: anArray,
  registry: withMethods("a HandlerRegistry", "register", "has"),
  // Checked as a handler, whose errors say more.
  fallback: check("a handler", () => true),
  name: aText,
  maxDepth: check("a number from 1", (value) => (value as number) >= 1),
  clock: withMethods("a clock, which has a method now()", "now"),
  ids: aFunction,
};

export interface DispatchOptions {
  /** Aborting it rejects the dispatch with its reason at once, and aborts the handler's `signal`. */
  readonly signal?: AbortSignal | undefined;
  /** Go into the envelope, on top of those that it has if the message comes in one; copied. */
  readonly headers?: Headers | undefined;
  /** What this message is an effect of: it inherits correlation and causation, and from a handler's context also cancellation. */
  readonly causedBy?: Cause | undefined;
}

export interface CloseOptions {
  /** How long to wait for messages in flight before they are aborted, in milliseconds; `Infinity` for ever. @defaultValue 10_000 */
  readonly timeoutMs?: number;
}

/** How a bus was closed. */
export interface CloseReport {
  /** How many messages in flight ended by themselves. */
  readonly finished: number;
  /** The ids of messages that were aborted at the deadline. */
  readonly aborted: readonly string[];
  /** Those among the aborted whose handler did not stop when its signal told it to. */
  readonly abandoned: readonly string[];
}

/** A bus as plain data. */
export interface BusDescription {
  readonly name: string;
  readonly kind: MessageKind;
  /** Names, outermost first. */
  readonly middleware: readonly string[];
  readonly handlers: readonly { readonly messageType: string; readonly handlers: readonly string[] }[];
  readonly inFlight: number;
  readonly closed: boolean;
}
