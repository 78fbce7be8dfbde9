import { metrics, type Counter, type Histogram, type Meter } from "@opentelemetry/api";
import { checkOptions, withMethods } from "../core/checks.js";
import { namedAround } from "../core/pipeline/around.js";
import { monotonicNow } from "../core/util/clock.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { reportingErrors } from "../core/delivery/reporting-errors.js";
import type { Middleware } from "../core/pipeline/middleware.js";
import { observeCompletion } from "../core/pipeline/observe-completion.js";
import { CANCELLED, ERROR_TYPE, errorType, operationOf } from "./conventions.js";

/** Options of {@link metering}. */
export interface MeteringOptions {
  /**
   * Creates the instruments.
   * @defaultValue the meter "cqrx" of the registered SDK, even if it is registered later
   */
  readonly meter?: Meter;
}

interface Instruments {
  readonly duration: Histogram;
  readonly messages: Counter;
}

/** The bucket boundaries that the conventions advise. */
const SECONDS = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];

/**
 * Counts the messages that reach it (`messaging.client.consumed.messages`) and measures how long the rest of
 * the pipeline takes (`messaging.process.duration`, in seconds), by bus and message type. A failed message
 * has an `error.type`.
 *
 * Guarantees: synchronous when everything below is; an error of the SDK goes to `faults$`. Durations are
 * measured by the clock of the bus.
 *
 * @throws InvalidOptionsError
 * @example
 * const commandBus = new CommandBus({ middleware: [metering(), tracing()] });
 */
export function metering(options: MeteringOptions = {}): Middleware {
  checkOptions<MeteringOptions>("metering()", options, {
    meter: withMethods("a meter of OpenTelemetry", "createHistogram", "createCounter"),
  });
  const { meter } = options;
  const instruments = instrumentsOf(meter);

  return namedAround("metering", (_message, next, each) => {
    const delivery = each as LiveDelivery;
    const { host } = delivery;
    const startedMs = reportingErrors(host, "metering", () => monotonicNow(host.clock), delivery);
    if (startedMs === undefined) return next();
    return observeCompletion(
      delivery,
      () => next(),
      (settled) => {
        const record = (): void => {
          const seconds = (monotonicNow(host.clock) - startedMs) / 1_000;
          const { duration, messages } = instruments();
          const { attributes } = operationOf(delivery);
          if (settled.status === "rejected") {
            attributes[ERROR_TYPE] = errorType(settled.reason);
            if (settled.cancelled) attributes[CANCELLED] = true;
          }
          messages.add(1, attributes);
          duration.record(seconds, attributes);
        };
        reportingErrors(host, "metering", record, delivery);
      },
    );
  });
}

/**
 * Creates the instruments again for each provider, because a meter, unlike a tracer, does not follow an SDK
 * that is registered after it.
 */
function instrumentsOf(meter: Meter | undefined): () => Instruments {
  let made: { readonly by: unknown; readonly instruments: Instruments } | undefined;
  return () => {
    const by = meter ?? metrics.getMeterProvider();
    if (made?.by !== by) made = { by, instruments: instrumentsBy(meter ?? metrics.getMeter("cqrx")) };
    return made.instruments;
  };
}

function instrumentsBy(meter: Meter): Instruments {
  return {
    duration: meter.createHistogram("messaging.process.duration", {
      description: "Duration of processing operation.",
      unit: "s",
      advice: { explicitBucketBoundaries: SECONDS },
    }),
    messages: meter.createCounter("messaging.client.consumed.messages", {
      description: "Number of messages that were delivered to the application.",
      unit: "{message}",
    }),
  };
}
