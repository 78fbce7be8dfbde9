import {
  context,
  propagation,
  trace,
  type Context,
  type SpanContext,
  type TextMapGetter,
} from "@opentelemetry/api";
import type { Cause } from "../core/delivery/delivery.js";
import { envelopeOf, type Headers } from "../core/messages/envelope.js";
import { spanOf } from "./spans.js";
import { formatTraceParent, parseTraceParent } from "./trace-parent.js";

const getter: TextMapGetter<Headers> = {
  keys: (headers) => Object.keys(headers),
  get(headers, name) {
    // Names of headers are the same in any case.
    const found = Object.keys(headers).find((each) => each.toLowerCase() === name.toLowerCase());
    return found === undefined ? undefined : headers[found];
  },
};

/** The context that headers carry, on top of `base`: by the propagator that is registered, or else by `traceparent`. Without a span if they carry none. */
export function carried(headers: Headers, base: Context): Context {
  const extracted = propagation.extract(trace.deleteSpan(base), headers, getter);
  if (trace.getSpanContext(extracted) !== undefined) return extracted;
  const traceparent = getter.get(headers, "traceparent") as string | undefined;
  const parent =
    traceparent === undefined
      ? undefined
      : parseTraceParent(traceparent, getter.get(headers, "tracestate") as string | undefined);
  return parent === undefined ? extracted : trace.setSpanContext(extracted, parent);
}

/** A context with the span of what a message belongs to; the active one stays when it is of the same trace, for it may be further in. */
export function under(span: SpanContext | undefined, active: Context): Context {
  return span === undefined || trace.getSpanContext(active)?.traceId === span.traceId
    ? active
    : trace.setSpanContext(active, span);
}

/**
 * The headers that take a trace along: `traceparent`, `tracestate` and what else the registered propagator writes. Dispatches within a process need
 * none of them, since `causedBy` and the active context say as much; they are for what leaves it, and for buses that are told nothing else.
 *
 * Guarantees: `{}` where there is no trace; works without an SDK, too.
 *
 * @param of - a handler's context or an envelope, of a message that `tracing` has seen
 * @defaultValue `of` is whatever span is active
 * @throws InvalidMessageError when `of` is neither
 * @example
 * commandBus.register(PlaceOrder, async (order, context) => {
 *   await fetch(shippingUrl, { method: "POST", headers: traceHeaders(context) });
 * });
 */
export function traceHeaders(of?: Cause): Headers {
  const active = context.active();
  const id = of === undefined ? undefined : envelopeOf(of, "of").meta.id;
  const from = id === undefined ? active : under(spanOf(of!, id), active);
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
