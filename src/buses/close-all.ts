import { Bus } from "../core/bus/bus.js";
import type { CloseOptions, CloseReport } from "../core/bus/options.js";
import { checkCopy, checkOptions, invalidOption, milliseconds } from "../core/checks.js";
import type { MessageKind } from "../core/messages/message.js";

/** The order in which buses end and report. */
const ORDER: readonly MessageKind[] = ["event", "command", "query"];

/**
 * Closes several buses together, in any order: with one deadline and one report.
 *
 * From the call on, no bus accepts messages from outside. What is caused by work in flight still passes, on each of
 * them: messages with a handler's context as `causedBy`, and the commands of sagas on event buses in the list. Once no
 * command and no event is in flight, or at half of the time, the sagas complete; their commands run. Then all
 * buses end. At the deadline, messages still in flight are aborted with `BusClosedError`.
 *
 * Guarantees: every promise settles, and the promise returned never rejects. A bus may be listed twice, be
 * closing or be closed; its own report is counted in. Called again, the shorter of the deadlines holds.
 *
 * @throws InvalidOptionsError for a value that is not a bus, or a wrong option; no bus is closed then.
 * @example
 * process.once("SIGTERM", async () => {
 *   server.close();
 *   console.log(await closeAll([commandBus, eventBus, queryBus], { timeoutMs: 5_000 }));
 * });
 */
export function closeAll(buses: Iterable<Bus>, options: CloseOptions = {}): Promise<CloseReport> {
  const listed = checkedBuses(buses);
  checkOptions<CloseOptions>("closeAll()", options, { timeoutMs: milliseconds });
  const engines = [...listed].map(({ engine }) => engine);
  engines.sort((a, b) => ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind));
  // Begin to close all buses before flushing the first, because the messages that it releases must find the others
  // closing.
  const closings = engines.map((engine) => engine.beginToClose());
  const [first] = closings;
  for (const { group } of closings) first!.group.join(group);
  for (const closing of closings) closing.flush();
  first?.group.endWhenIdle();
  first?.group.endAfter(options.timeoutMs ?? 10_000, closings);
  return Promise.all(closings.map(({ report }) => report)).then(merged);
}

function checkedBuses(buses: Iterable<Bus>): ReadonlySet<Bus> {
  const refuse = (value: unknown): never => {
    throw invalidOption("closeAll()", "buses", "a list of buses", value);
  };
  if (typeof (buses as Partial<Iterable<Bus>> | null | undefined)?.[Symbol.iterator] !== "function")
    return refuse(buses);
  const listed = new Set(buses);
  for (const bus of listed) {
    checkCopy("a bus of closeAll()", bus);
    if (!(bus instanceof Bus)) refuse(bus);
  }
  return listed;
}

function merged(reports: readonly CloseReport[]): CloseReport {
  const unfinished = reports.flatMap((report) => report.unfinished ?? []);
  return {
    finished: reports.reduce((sum, { finished }) => sum + finished, 0),
    aborted: reports.flatMap(({ aborted }) => aborted),
    abandoned: reports.flatMap(({ abandoned }) => abandoned),
    ...(unfinished.length > 0 && { unfinished }),
  };
}
