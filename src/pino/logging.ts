import type { Logger } from "pino";
import { around } from "../core/pipeline/around.js";
import { monotonicNow } from "../core/util/clock.js";
import type { LiveDelivery } from "../core/delivery/live-delivery.js";
import type { Middleware } from "../core/pipeline/middleware.js";
import { observeCompletion, type Settled } from "../core/pipeline/observe-completion.js";
import { Lines } from "./log-lines.js";
import type { AnyLogger, LogOptions } from "./options.js";

/**
 * The lines of {@link logTo} as a middleware: one before the rest of the pipeline, one after it with its duration and outcome. Where it stands
 * decides what it sees: inside `retrying` it writes every attempt.
 *
 * Guarantees: as `logTo`; synchronous when everything below is. An error of the logger goes to `faults$`. A cancelled message has its line at
 * once, however long its handler goes on.
 *
 * @throws TypeError for a logger or an option that is none, a level that the logger does not have, and a path that cannot be redacted.
 * @example
 * new CommandBus({ middleware: [logging(pino({ level: "debug" })), retrying({ count: 3 })] });
 */
export function logging<CustomLevels extends string = never>(
  logger: Logger<CustomLevels>,
  options: LogOptions<CustomLevels> = {},
): Middleware {
  const any = logger as unknown as AnyLogger;
  // Each bus has its name in its lines. Made here once for nobody, so that what is wrong with the options shows at once.
  new Lines(any, "", options);
  const buses = new WeakMap<object, Lines>();
  const linesOf = (bus: LiveDelivery["host"]): Lines => {
    let lines = buses.get(bus);
    if (lines === undefined) buses.set(bus, (lines = new Lines(any, bus.name, options)));
    return lines;
  };

  return around(function logging(_message, next, delivery) {
    const bus = (delivery as LiveDelivery).host;
    const attempt = (write: (lines: Lines) => boolean): boolean => {
      try {
        return write(linesOf(bus));
      } catch (error) {
        bus.report({ kind: "observer", source: "logging", error, envelope: delivery.envelope });
        return true;
      }
    };

    if (!attempt((lines) => lines.message(delivery) || lines.writesOutcomes)) return next();
    const startedMs = monotonicNow(bus.clock);
    const ended = (settled: Settled): void =>
      void attempt((lines) => lines.outcome(delivery, settled, monotonicNow(bus.clock) - startedMs));

    return observeCompletion(delivery as LiveDelivery, next, ended);
  });
}
