import type { Logger } from "pino";
import { Subscription } from "rxjs";
import type { Bus } from "../core/bus/bus.js";
import { follow } from "./follow.js";
import { Lines } from "./log-lines.js";
import type { LogOptions } from "./options.js";

/** What {@link logTo} needs of a bus. */
export type LoggedBus = Pick<Bus, "messages$" | "outcomes$" | "faults$" | "describe">;

/**
 * Writes what happens on a bus to a pino logger: one line per message, per outcome and per fault. Unsubscribing stops it.
 *
 * Guarantees: a logger that throws breaks no dispatch. One record is one line, and no control character of a name, id, header or error reaches
 * a terminal. Payloads and headers are left out unless asked for. No part of a line is made whose level is disabled.
 *
 * @throws TypeError for a bus, a logger or an option that is none, a level that the logger does not have, and a path that cannot be redacted.
 * @example
 * const logs = logTo(commandBus, pino(), { levels: { message: "silent" }, payload: true, redact: ["password"] });
 * await commandBus.dispatch(new CreateUser("u1", "secret"));
 * // {"level":30,"bus":"CommandBus","event":"outcome","messageType":"CreateUser",...,"outcome":"fulfilled","durationMs":0.2,"msg":"CreateUser fulfilled"}
 * logs.unsubscribe();
 */
export function logTo<CustomLevels extends string = never>(
  bus: LoggedBus,
  logger: Logger<CustomLevels>,
  options: LogOptions<CustomLevels> = {},
): Subscription {
  if (typeof (bus as Partial<LoggedBus> | null | undefined)?.describe !== "function")
    throw new TypeError("logTo() takes a bus.");
  const lines = new Lines(logger, bus.describe().name, options);
  const subscription = new Subscription();
  // A bus that nobody watches saves itself the work, and one whose faults nobody watches says them on the console.
  if (lines.canWrite("message"))
    subscription.add(follow(bus.messages$, (envelope) => lines.message({ envelope })));
  if (lines.canWrite("fulfilled") || lines.canWrite("rejected") || lines.canWrite("cancelled"))
    subscription.add(follow(bus.outcomes$, (outcome) => lines.outcome(outcome, outcome, outcome.durationMs)));
  if (lines.canWrite("fault")) subscription.add(follow(bus.faults$, (fault) => lines.fault(fault)));
  return subscription;
}
