import type { Logger } from "pino";
import type { DeliveryHost } from "../core/delivery/delivery-host.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import { reportingErrors } from "../core/delivery/reporting-errors.js";
import { namedAround } from "../core/pipeline/around.js";
import type { Middleware } from "../core/pipeline/middleware.js";
import { observeCompletion } from "../core/pipeline/observe-completion.js";
import { monotonicNow } from "../core/util/clock.js";
import { LogWriter } from "./log-writer.js";
import { checkLogging, type AnyLogger, type LogOptions } from "./options.js";

/**
 * Writes the lines of {@link logTo} as a middleware: one before the rest of the pipeline, one after it with
 * its duration and outcome. Its place decides what it sees: inside `retrying` it writes every attempt.
 *
 * Guarantees: as `logTo`; synchronous when everything below is. An error of the logger goes to `faults$`. The
 * line of a cancelled message is written at once, even if its handler goes on.
 *
 * @throws TypeError if the logger is invalid
 * @throws InvalidOptionsError if an option is invalid, including a level that the logger does not have and a
 * path that cannot be redacted
 * @example
 * new CommandBus({ middleware: [logging(pino({ level: "debug" })), retrying({ count: 3 })] });
 */
export function logging<CustomLevels extends string = never>(
  logger: Logger<CustomLevels>,
  options: LogOptions<CustomLevels> = {},
): Middleware {
  const anyLogger = logger as unknown as AnyLogger;
  checkLogging("logging()", anyLogger, options);
  // One per bus, because each line holds the name of its bus.
  const writers = new WeakMap<DeliveryHost, LogWriter>();
  const writerOf = (bus: DeliveryHost): LogWriter => {
    let writer = writers.get(bus);
    if (writer === undefined) writers.set(bus, (writer = new LogWriter(anyLogger, bus.name, options)));
    return writer;
  };

  return namedAround("logging", (_message, next, each) => {
    const delivery = each as LiveDelivery;
    const { host } = delivery;
    const write = (line: (writer: LogWriter) => boolean): boolean =>
      reportingErrors(host, "logging", () => line(writerOf(host)), delivery) ?? true;

    if (!write((writer) => writer.message(delivery) || writer.writesOutcomes)) return next();
    let startedMs = NaN;
    reportingErrors(host, "logging", () => (startedMs = monotonicNow(host.clock)), delivery);
    return observeCompletion(delivery, next, (settled) => {
      write((writer) => writer.outcome(delivery, settled, monotonicNow(host.clock) - startedMs));
    });
  });
}
