import {
  context,
  isSpanContextValid,
  propagation,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import { Observable } from "rxjs";
import { aBoolean, checkOptions, withMethods } from "../core/checks.js";
import { namedAround } from "../core/pipeline/around.js";
import { isStream } from "../core/delivery/consume-stream.js";
import { crossingOf } from "../core/delivery/crossing.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { reportingErrors } from "../core/delivery/reporting-errors.js";
import type { Middleware } from "../core/pipeline/middleware.js";
import { observeCompletion, type Settled } from "../core/pipeline/observe-completion.js";
import { isThenable } from "../core/util/thenable.js";
import { CANCELLED, ERROR_TYPE, errorType, operationOf } from "./conventions.js";
import { beginTrace, causingTrace, runningTrace } from "./message-traces.js";
import { extracted, under, withBaggage } from "./propagation.js";
import { unrecorded } from "./trace-parent.js";

/** Options of {@link tracing}. */
export interface TracingOptions {
  /** Starts the spans. @defaultValue the tracer "cqrx" of the registered SDK, even if it is registered later */
  readonly tracer?: Tracer;
  /**
   * Records texts and stacks of errors, not only their type. A handler may have put data into them.
   * @defaultValue true
   */
  readonly exceptions?: boolean;
}

/**
 * Makes a span around the rest of the pipeline for each message, named like `dispatch CreateUser`, by OpenTelemetry's
 * messaging conventions. Its place decides what it sees: inside `retrying` it makes a span of every attempt.
 *
 * The parent of the span is the one in the `traceparent` header of the envelope, else the span of its
 * `causedBy`, else the active span. The handler runs in the context that the headers carried, baggage
 * included, with the span active, if the SDK has a context manager. Without an SDK nothing is recorded, but
 * trace ids still travel, as {@link traceHeaders} shows.
 *
 * Guarantees: payloads are never recorded; synchronous when everything below is; an error of the SDK goes to
 * `faults$`. The span of a cancelled message ends at once.
 *
 * @throws InvalidOptionsError
 * @example
 * const commandBus = new CommandBus({ middleware: [tracing()] });
 * const eventBus = new EventBus({ middleware: [tracing()] });
 */
export function tracing(options: TracingOptions = {}): Middleware {
  checkOptions<TracingOptions>("tracing()", options, {
    tracer: withMethods("a tracer of OpenTelemetry", "startSpan"),
    exceptions: aBoolean,
  });
  const { tracer = trace.getTracer("cqrx"), exceptions = true } = options;
  return namedAround("tracing", (_message, next, each) => {
    const delivery = each as LiveDelivery;
    const started = harmless(delivery, () => start(delivery, tracer));
    if (started === undefined) return next();
    const { span, inside } = started;
    const endTrace = beginTrace(delivery, {
      span: span.spanContext(),
      baggage: propagation.getBaggage(inside),
    });
    return observeCompletion(
      delivery,
      () => inContext(delivery, inside, () => next()),
      (settled) => {
        endTrace();
        harmless(delivery, () => end(span, settled, exceptions));
      },
    );
  });
}

function harmless<T>(delivery: LiveDelivery, run: () => T): T | undefined {
  return reportingErrors(delivery.host, "tracing", run, delivery);
}

/** Runs the rest in the context of the span, and its stream, because that is consumed outside of this call. */
function inContext(delivery: LiveDelivery, inside: Context, rest: () => unknown): unknown {
  const run = <T>(code: () => T): T => runWith(delivery, inside, code);
  const result = run(rest);
  return isThenable(result)
    ? Promise.resolve(result).then((value) => streamIn(run, value))
    : streamIn(run, result);
}

function streamIn(run: <T>(code: () => T) => T, value: unknown): unknown {
  if (!isStream(value)) return value;
  if (!(Symbol.asyncIterator in value))
    return new Observable((subscriber) => run(() => value.subscribe(subscriber)));
  return {
    [Symbol.asyncIterator](): AsyncIterator<unknown> {
      const iterator = run(() => value[Symbol.asyncIterator]());
      const next = (): Promise<IteratorResult<unknown>> => run(() => iterator.next());
      // Absent if the iterator has none, because a reader that leaves calls what is there.
      return iterator.return === undefined ? { next } : { next, return: () => run(() => iterator.return!()) };
    },
  };
}

/**
 * Runs `run` exactly once, even if the context manager throws before or after it; errors of `run` are told
 * from errors of the manager.
 */
function runWith<T>(delivery: LiveDelivery, inside: Context, run: () => T): T {
  let ended: (() => T) | undefined;
  const kept = (): void => {
    try {
      const value = run();
      ended = () => value;
    } catch (error) {
      ended = () => {
        throw error;
      };
    }
  };
  harmless(delivery, () => context.with(inside, kept));
  if (ended === undefined) kept();
  return ended!();
}

function start(delivery: LiveDelivery, tracer: Tracer): { span: Span; inside: Context } {
  const { name, destination, attributes } = operationOf(delivery);
  const { parent, remote } = parentOf(delivery);
  const received = crossingOf(delivery.envelope);
  const receives = received && { call: SpanKind.SERVER, stored: SpanKind.CONSUMER }[received];
  const sends = receives === undefined ? sendingKind(delivery) : undefined;
  const recorded = tracer.startSpan(
    `${name} ${destination}`,
    {
      kind: sends ?? receives ?? (remote ? SpanKind.CONSUMER : SpanKind.INTERNAL),
      attributes: {
        ...attributes,
        ...(sends === undefined ? {} : { "messaging.operation.type": "send" }),
        "messaging.message.id": delivery.id,
        "messaging.message.conversation_id": delivery.correlationId,
      },
    },
    parent,
  );
  const above = trace.getSpanContext(parent);
  const made = recorded.spanContext();
  // Without an SDK, the API returns the parent or an invalid span.
  const own = isSpanContextValid(made) && made.spanId !== above?.spanId;
  const span = own ? recorded : trace.wrapSpanContext(unrecorded(above));
  return { span, inside: trace.setSpan(parent, span) };
}

/** Returns the kind of the span of a message that a handler of it sends to another process. */
function sendingKind({ handlers }: LiveDelivery): SpanKind | undefined {
  for (const { handler } of handlers ?? []) {
    const sent = crossingOf(handler as object);
    if (sent !== undefined) return { call: SpanKind.CLIENT, stored: SpanKind.PRODUCER }[sent];
  }
  return undefined;
}

function parentOf(delivery: LiveDelivery): { parent: Context; remote: boolean } {
  const active = context.active();
  const outer = runningTrace(delivery);
  const local = under(outer ?? causingTrace(delivery), active);
  const { headers } = delivery.envelope.meta;
  // The outer middleware has read the headers already.
  if (outer !== undefined || Object.keys(headers).length === 0) return { parent: local, remote: false };
  const parent = extracted(headers, active);
  const span = trace.getSpanContext(parent);
  const localSpan = trace.getSpan(local);
  if (span !== undefined && span.spanId !== localSpan?.spanContext().spanId) return { parent, remote: true };
  // The headers name no span, or one of this process: keep the local span, and join the baggage of both.
  const baggage = propagation.getBaggage(parent);
  const joined = withBaggage(withBaggage(parent, propagation.getBaggage(local)), baggage);
  return {
    parent: localSpan === undefined ? trace.deleteSpan(joined) : trace.setSpan(joined, localSpan),
    remote: false,
  };
}

function end(span: Span, settled: Settled, exceptions: boolean): void {
  try {
    if (settled.status === "fulfilled") return;
    span.setAttribute(ERROR_TYPE, errorType(settled.reason));
    if (settled.cancelled) span.setAttribute(CANCELLED, true);
    else fail(span, settled.reason, exceptions);
  } finally {
    span.end();
  }
}

function fail(span: Span, reason: unknown, exceptions: boolean): void {
  const error = exceptions && reason instanceof Error ? reason : undefined;
  span.setStatus({
    code: SpanStatusCode.ERROR,
    ...(error === undefined ? {} : { message: error.message }),
  });
  if (error !== undefined) span.recordException(error);
}
