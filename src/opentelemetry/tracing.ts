import {
  context,
  isSpanContextValid,
  SpanKind,
  SpanStatusCode,
  trace,
  type Context,
  type Span,
  type Tracer,
} from "@opentelemetry/api";
import { isObservable, Observable } from "rxjs";
import { around } from "../core/pipeline/around.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import type { Middleware } from "../core/pipeline/middleware.js";
import { ERROR_TYPE, errorType, operationOf } from "./conventions.js";
import { observeCompletion, type Settled } from "../core/pipeline/observe-completion.js";
import { harmless } from "./harmless.js";
import { checkOptions } from "./options.js";
import { carried, under } from "./propagation.js";
import { begun, causingSpan, runningSpan } from "./spans.js";
import { unrecorded } from "./trace-parent.js";

export interface TracingOptions {
  /** Makes the spans. @defaultValue the tracer "cqrx" of the SDK that is registered, also when that is later */
  readonly tracer?: Tracer;
  /** Whether the texts and stacks of errors are recorded, not only their type: a handler may have put data into them. @defaultValue true */
  readonly exceptions?: boolean;
}

/**
 * A span around the rest of the pipeline for each message, named like `dispatch CreateUser`, as OpenTelemetry's messaging conventions have it.
 * Where it stands decides what it sees: inside `retrying` it makes a span of every attempt.
 *
 * Its parent is what the `traceparent` header of the envelope says; else the span of what it is `causedBy`; else the active one. In the handler it is
 * the active span itself, if the SDK has a context manager. Without an SDK nothing is recorded, but trace ids still travel, as {@link traceHeaders} shows.
 *
 * Guarantees: payloads are never recorded; synchronous when everything below is; an error of the SDK goes to `faults$`. The span of a cancelled message
 * ends at once.
 *
 * @example
 * const commandBus = new CommandBus({ middleware: [tracing()] });
 * const eventBus = new EventBus({ middleware: [tracing()] });
 */
export function tracing(options: TracingOptions = {}): Middleware {
  checkOptions("tracing", options, "tracer", "startSpan");
  const { tracer = trace.getTracer("cqrx"), exceptions = true } = options;
  return around(function tracing(_message, next, each) {
    const delivery = each as LiveDelivery;
    const started = harmless(delivery, "tracing", () => start(delivery, tracer));
    if (started === undefined) return next();
    const { span, inside } = started;
    const ended = begun(delivery, span.spanContext());
    return observeCompletion(
      delivery,
      () => inContext(delivery, inside, () => next()),
      (settled) => {
        ended();
        harmless(delivery, "tracing", () => end(span, settled, exceptions));
      },
    );
  });
}

/** Under `ask$` an Observable is subscribed further out, when the context is another. */
function inContext(delivery: LiveDelivery, inside: Context, rest: () => unknown): unknown {
  const result = runWith(delivery, inside, rest);
  return isObservable(result)
    ? new Observable((subscriber) => runWith(delivery, inside, () => result.subscribe(subscriber)))
    : result;
}

/** Runs it once, also where the context manager fails: what that throws is not to be taken for what `run` throws. */
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
  harmless(delivery, "tracing", () => context.with(inside, kept));
  if (ended === undefined) kept();
  return ended!();
}

function start(delivery: LiveDelivery, tracer: Tracer): { span: Span; inside: Context } {
  const { name, destination, attributes } = operationOf(delivery);
  const { parent, remote } = parentOf(delivery);
  const recorded = tracer.startSpan(
    `${name} ${destination}`,
    {
      // One that came from another process has been produced there.
      kind: remote ? SpanKind.CONSUMER : SpanKind.INTERNAL,
      attributes: {
        ...attributes,
        "messaging.message.id": delivery.id,
        "messaging.message.conversation_id": delivery.correlationId,
      },
    },
    parent,
  );
  const above = trace.getSpanContext(parent);
  const made = recorded.spanContext();
  // Without an SDK, the API hands back the parent or nothing valid.
  const own = isSpanContextValid(made) && made.spanId !== above?.spanId;
  const span = own ? recorded : trace.wrapSpanContext(unrecorded(above));
  return { span, inside: trace.setSpan(parent, span) };
}

function parentOf(delivery: LiveDelivery): { parent: Context; remote: boolean } {
  const active = context.active();
  const outer = runningSpan(delivery);
  const local = under(outer ?? causingSpan(delivery), active);
  const { headers } = delivery.envelope.meta;
  if (outer !== undefined || Object.keys(headers).length === 0) return { parent: local, remote: false };
  const parent = carried(headers, active);
  const span = trace.getSpanContext(parent);
  if (span === undefined || span.spanId === trace.getSpanContext(local)?.spanId)
    return { parent: local, remote: false };
  return { parent, remote: true };
}

function end(span: Span, settled: Settled, exceptions: boolean): void {
  try {
    if (settled.status === "rejected") fail(span, settled.reason, exceptions);
  } finally {
    span.end();
  }
}

function fail(span: Span, reason: unknown, exceptions: boolean): void {
  span.setAttribute(ERROR_TYPE, errorType(reason));
  const error = exceptions && reason instanceof Error ? reason : undefined;
  span.setStatus({
    code: SpanStatusCode.ERROR,
    ...(error === undefined ? {} : { message: error.message }),
  });
  if (error !== undefined) span.recordException(error);
}
