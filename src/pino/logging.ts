import type { Logger } from "pino";
import { around } from "../core/around.js";
import { monotonicNow } from "../core/clock.js";
import type { Delivery } from "../core/delivery.js";
import type { LiveDelivery } from "../core/live-delivery.js";
import type { Middleware } from "../core/middleware.js";
import { isStream } from "../core/results.js";
import { isThenable } from "../core/thenable.js";
import { follow } from "./follow.js";
import { Lines } from "./lines.js";
import type { AnyLogger, LogOptions } from "./options.js";

type Settled = PromiseSettledResult<unknown>;

/**
 * The lines of {@link logTo} as a middleware: one before the rest of the pipeline, one after it with its duration and outcome. Where it stands
 * decides what it sees: inside `retrying` it writes every attempt.
 *
 * Guarantees: as `logTo`; synchronous when everything below is. An error of the logger goes to `faults$`. A cancelled message has its line at
 * once, however long its handler goes on.
 *
 * @throws TypeError for a level that the logger does not have, and for a path that cannot be redacted.
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
  const linesOf = (bus: LiveDelivery["owner"]): Lines => {
    let lines = buses.get(bus);
    if (lines === undefined) buses.set(bus, (lines = new Lines(any, bus.name, options)));
    return lines;
  };

  return around(function logging(_message, next, delivery) {
    const bus = (delivery as LiveDelivery).owner;
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

    let result: unknown;
    try {
      result = next();
    } catch (error) {
      ended({ status: "rejected", reason: error });
      throw error;
    }
    if (isThenable(result)) return watched(result, delivery, ended);
    // A stream is consumed by whoever asked.
    if (isStream(result)) follow(delivery.settled$, ended);
    else ended({ status: "fulfilled", value: result });
    return result;
  });
}

/** The promise, watched for its end and for the delivery being settled before, by a cancellation for one. */
function watched(
  result: PromiseLike<unknown>,
  delivery: Delivery,
  ended: (settled: Settled) => void,
): Promise<unknown> {
  const settled = follow(delivery.settled$, ended);
  const end = (how: Settled): void => {
    if (settled.closed) return;
    settled.unsubscribe();
    ended(how);
  };
  // Not watched on the side: `then` of a lazy thenable, such as a query builder, runs it, and must be called once.
  return Promise.resolve(result).then(
    (value) => {
      if (!isStream(value)) end({ status: "fulfilled", value });
      return value;
    },
    (error: unknown) => {
      end({ status: "rejected", reason: error });
      throw error;
    },
  );
}
