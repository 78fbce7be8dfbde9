import type { Baggage, SpanContext } from "@opentelemetry/api";
import type { Cause } from "../core/delivery/delivery.js";
import { LiveDelivery } from "../core/delivery/live-delivery.js";

/** The part of a context that travels with a message. */
export interface Trace {
  readonly span: SpanContext;
  readonly baggage: Baggage | undefined;
}

/**
 * The number of messages that are remembered after they settled, for later effects such as a command of a saga.
 */
const REMEMBERED = 1_000;

/** The trace of the innermost span of each message, by the delivery that was dispatched. */
const running = new WeakMap<LiveDelivery, Trace>();
// Two generations by message id, because a Map that deletes its oldest entry at each insertion gets slow.
let newest = new Map<string, Trace>();
let older = newest;

/** Records that a span of a message has begun. Returns a function that records its end. */
export function beginTrace(delivery: LiveDelivery, trace: Trace): () => void {
  const { origin, id } = delivery;
  const outer = running.get(origin);
  running.set(origin, trace);
  newest.set(id, trace);
  if (newest.size >= REMEMBERED) {
    older = newest;
    newest = new Map();
  }
  return () => {
    if (running.get(origin) !== trace) return;
    if (outer === undefined) running.delete(origin);
    else running.set(origin, outer);
  };
}

/** Returns the trace that the same middleware has begun further out. */
export function runningTrace(delivery: LiveDelivery): Trace | undefined {
  return running.get(delivery.origin);
}

/** Returns the trace of the message that caused this one. */
export function causingTrace(delivery: LiveDelivery): Trace | undefined {
  const [cause] = delivery.causes();
  const trace = cause === undefined ? undefined : running.get(cause);
  const { causationId } = delivery.envelope.meta;
  return trace ?? (causationId === undefined ? undefined : remembered(causationId));
}

/** Returns the trace of a handler's context, or of a message by its id. */
export function traceOf(cause: Cause, id: string): Trace | undefined {
  const live = cause instanceof LiveDelivery ? running.get((cause as LiveDelivery).origin) : undefined;
  return live ?? remembered(id);
}

function remembered(id: string): Trace | undefined {
  return newest.get(id) ?? older.get(id);
}
