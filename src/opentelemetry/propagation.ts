import {
  context,
  propagation,
  trace,
  type Baggage,
  type Context,
  type TextMapGetter,
} from "@opentelemetry/api";
import { checkCopy } from "../core/checks.js";
import type { Cause } from "../core/delivery/delivery.js";
import { envelopeOf, type Headers } from "../core/messages/envelope.js";
import { traceOf, type Trace } from "./message-traces.js";
import { formatTraceParent, parseTraceParent } from "./trace-parent.js";

const getter: TextMapGetter<Headers> = {
  keys: (headers) => Object.keys(headers),
  get(headers, name) {
    // Header names are compared in any case.
    const found = Object.keys(headers).find((each) => each.toLowerCase() === name.toLowerCase());
    return found === undefined ? undefined : headers[found];
  },
};

/**
 * Returns `base` with everything that the registered propagator reads from the headers. The span comes from
 * `traceparent` if the propagator finds none; without both, the context has no span.
 */
export function extracted(headers: Headers, base: Context): Context {
  const read = propagation.extract(trace.deleteSpan(base), headers, getter);
  if (trace.getSpanContext(read) !== undefined) return read;
  const traceparent = getter.get(headers, "traceparent") as string | undefined;
  const parent =
    traceparent === undefined
      ? undefined
      : parseTraceParent(traceparent, getter.get(headers, "tracestate") as string | undefined);
  return parent === undefined ? read : trace.setSpanContext(read, parent);
}

/**
 * Returns the context for work under a trace. An active span of the same trace stays, because it may be a
 * span further in.
 */
export function under(traced: Trace | undefined, active: Context): Context {
  if (traced === undefined || trace.getSpanContext(active)?.traceId === traced.span.traceId) return active;
  return withBaggage(trace.setSpanContext(active, traced.span), traced.baggage);
}

/** Returns a context whose baggage has the given entries, too. */
export function withBaggage(base: Context, added: Baggage | undefined): Context {
  const present = propagation.getBaggage(base);
  if (added === undefined || added === present) return base;
  const entries = [...(present?.getAllEntries() ?? []), ...added.getAllEntries()];
  return propagation.setBaggage(base, propagation.createBaggage(Object.fromEntries(entries)));
}

/**
 * Returns the headers that take a trace along: `traceparent`, `tracestate`, and what else the registered
 * propagator writes, such as `baggage`. For messages that leave the process; within it, `causedBy` and the
 * active context carry the trace.
 *
 * Guarantees: `{}` without a trace and baggage; works without an SDK, too.
 *
 * @param of - a handler's context or an envelope of a message that `tracing` has seen; the active span if it
 * is left out
 * @throws InvalidMessageError if `of` is neither
 * @example
 * commandBus.register(PlaceOrder, async (order, context) => {
 *   await fetch(shippingUrl, { method: "POST", headers: traceHeaders(context) });
 * });
 */
export function traceHeaders(of?: Cause): Headers {
  const active = context.active();
  checkCopy("the message of traceHeaders()", of);
  const id = of === undefined ? undefined : envelopeOf(of, "of").meta.id;
  const from = id === undefined ? active : under(traceOf(of!, id), active);
  const headers: { [name: string]: string } = {};
  propagation.inject(from, headers);
  const span = trace.getSpanContext(from);
  if (span !== undefined && headers.traceparent === undefined) {
    headers.traceparent = formatTraceParent(span);
    const tracestate = span.traceState?.serialize();
    if (tracestate !== undefined && tracestate !== "") headers.tracestate = tracestate;
  }
  return headers;
}
