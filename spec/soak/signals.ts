// One signal, and one message in flight as the cause, shared by 100,000 dispatches and asks; deadlines that are not reached.
import { getEventListeners } from "node:events";
import { CommandBus, QueryBus, shared, type HandlerContext } from "cqrx";
import { timeLimit } from "cqrx/middleware";
import { tap } from "rxjs";
import { activeResources, growthOf, report, timersFromNow } from "./heap.js";

class Work {}
class Ask {}

const warnings: string[] = [];
process.on("warning", ({ name }) => warnings.push(name));

const timers = timersFromNow();
const shutdown = new AbortController();
const { signal } = shutdown;
const commandBus = new CommandBus({ middleware: [shared(tap(), { holdTimeoutMs: 60_000 })] });
const queryBus = new QueryBus();
commandBus.register(Work, () => Promise.resolve());
queryBus.register(Ask, () => Promise.resolve(1));

const one = await growthOf(100_000, () => commandBus.dispatch(new Work(), { signal }));

let cause!: HandlerContext;
class Long {}
commandBus.register(Long, (_, context) => {
  cause = context;
  return new Promise(() => undefined);
});
const long = commandBus.dispatch(new Long()).catch(() => "closed");
const caused = await growthOf(100_000, () => queryBus.ask(new Ask(), { signal, causedBy: cause }));

// All at once: one listener, however many wait for it.
let let_go!: () => void;
const gate = new Promise<void>((resolve) => (let_go = resolve));
class Wait {}
commandBus.register(Wait, () => gate);
const waiting = Array.from({ length: 20_000 }, () => commandBus.dispatch(new Wait(), { signal }));
const together = getEventListeners(signal, "abort").length;
let_go();
await Promise.all(waiting);

const after = getEventListeners(signal, "abort").length;

// Deadlines of a minute, for messages that end at once.
const limited = new CommandBus({ middleware: [timeLimit(60_000)] });
limited.register(Work, () => Promise.resolve());
const inTime = await growthOf(10_000, () => limited.dispatch(new Work()));
const timersWithin = timers.size;
const closed = await commandBus.close({ timeoutMs: 0 });
await queryBus.close({ timeoutMs: 60_000 });
const result = {
  one,
  caused,
  inTime,
  timersWithin,
  together,
  after,
  warnings,
  aborted: closed.aborted.length,
  long: await long,
  timers: timers.size,
  resources: activeResources(),
};
await report(result, limited);
