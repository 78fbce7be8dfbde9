import type { SpanContext } from "@opentelemetry/api";
import type { Cause } from "../core/delivery/delivery.js";
import { LiveDelivery } from "../core/delivery/live-delivery.js";

/** How many messages are remembered beyond those in flight: for effects that come later, such as what a saga dispatches. */
const REMEMBERED = 1_000;

/** The innermost span of each message, while it lasts; by the delivery that was dispatched. */
const running = new WeakMap<LiveDelivery, SpanContext>();
/** The last span of each of the newest messages, by message id: two generations, because a Map that loses its oldest entry each time gets slow. */
let newest = new Map<string, SpanContext>();
let older = newest;

/** Takes the span of a message; the returned function tells that it has ended. */
export function begun(delivery: LiveDelivery, span: SpanContext): () => void {
  const { origin, id } = delivery;
  const outer = running.get(origin);
  running.set(origin, span);
  newest.set(id, span);
  if (newest.size >= REMEMBERED) {
    older = newest;
    newest = new Map();
  }
  return () => {
    if (running.get(origin) !== span) return;
    if (outer === undefined) running.delete(origin);
    else running.set(origin, outer);
  };
}

/** The span that a message has now, such as of the same middleware further out. */
export function runningSpan(delivery: LiveDelivery): SpanContext | undefined {
  return running.get(delivery.origin);
}

/** The span of what a message is an effect of. */
export function causingSpan(delivery: LiveDelivery): SpanContext | undefined {
  const [cause] = delivery.causes();
  const span = cause === undefined ? undefined : running.get(cause);
  const { causationId } = delivery.envelope.meta;
  return span ?? (causationId === undefined ? undefined : remembered(causationId));
}

/** The span of a handler's context, or of a message by its id. */
export function spanOf(context: Cause, id: string): SpanContext | undefined {
  const live = context instanceof LiveDelivery ? running.get((context as LiveDelivery).origin) : undefined;
  return live ?? remembered(id);
}

function remembered(id: string): SpanContext | undefined {
  return newest.get(id) ?? older.get(id);
}
