import type { Logger } from "pino";
import { Subscription, type Observable } from "rxjs";
import type { CommandBus } from "../buses/command-bus.js";
import { LogWriter } from "./log-writer.js";
import { checkLogging, type AnyLogger, type LogOptions } from "./options.js";

/** The part of a bus that {@link logTo} reads. */
export type LoggedBus = Pick<CommandBus, "messages$" | "outcomes$" | "faults$" | "describe">;

/**
 * Writes one line per message, per outcome and per fault of a bus to a pino logger. Unsubscribing stops it.
 *
 * Guarantees: a logger that throws breaks no dispatch. One record is one line, and no control character of a
 * name, id, header or error reaches a terminal. Payloads and headers are written only on request. No part of
 * a line is made whose level is disabled.
 *
 * @throws TypeError if the bus or the logger is invalid
 * @throws InvalidOptionsError if an option is invalid, including a level that the logger does not have and a
 * path that cannot be redacted
 * @example
 * const logs = logTo(commandBus, pino(), { payload: true, redact: ["password"] });
 * await commandBus.dispatch(new CreateUser("u1", "secret"));
 * // {"level":30,"bus":"CommandBus","event":"outcome","messageType":"CreateUser",...,"outcome":"fulfilled",
 * //  "durationMs":0.2,"msg":"CreateUser fulfilled"}
 * logs.unsubscribe();
 */
export function logTo<CustomLevels extends string = never>(
  bus: LoggedBus,
  logger: Logger<CustomLevels>,
  options: LogOptions<CustomLevels> = {},
): Subscription {
  if (typeof (bus as Partial<LoggedBus> | null | undefined)?.describe !== "function")
    throw new TypeError("logTo() takes a bus.");
  const anyLogger = logger as unknown as AnyLogger;
  checkLogging("logTo()", anyLogger, options);
  const writer = new LogWriter(anyLogger, bus.describe().name, options);
  const subscription = new Subscription();
  const write = <T>(stream: Observable<T>, line: (value: T) => void): void =>
    // eslint-disable-next-line rxjs-x/no-ignored-error -- the streams of a bus never fail
    subscription.add(stream.subscribe(line));
  // Leave out what is silent, because a bus without observers makes no envelopes, and one without a subscriber
  // of faults$ uses the console.
  if (writer.canWrite("message")) write(bus.messages$, (envelope) => writer.message({ envelope }));
  if (writer.canWrite("fulfilled") || writer.canWrite("rejected") || writer.canWrite("cancelled"))
    write(bus.outcomes$, (outcome) => writer.outcome(outcome, outcome, outcome.durationMs, outcome.attempts));
  if (writer.canWrite("fault")) write(bus.faults$, (fault) => writer.fault(fault));
  return subscription;
}
