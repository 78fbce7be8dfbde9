import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { around, CommandBus, EventBus, QueryBus, saga, when, type BusDescription } from "cqrx";
import { batching, caching, coalescing, overlap, retrying } from "cqrx/middleware";
import { NEVER } from "rxjs";
import { canaries, macrotask } from "../../support/traps.js";

class Work {
  constructor(
    readonly key: string,
    readonly until: Promise<void> = Promise.resolve(),
  ) {}
}
class Find {
  constructor(readonly id: number) {}
}

const gaugesOf = (bus: { describe(): BusDescription }): unknown =>
  Object.fromEntries((bus.describe().gauges ?? []).map(({ middleware, values }) => [middleware, values]));

function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe("describe()", () => {
  it("leaves out parts that a bus does not have", () => {
    expect(new QueryBus().describe()).toEqual({
      name: "QueryBus",
      kind: "query",
      middleware: [],
      handlers: [],
      inFlight: 0,
      closed: false,
    });
  });

  it("counts running and waiting messages of overlap, also inside when()", async () => {
    const bus = new CommandBus({
      middleware: [when(Work, overlap({ strategy: "concat", key: (work: Work) => work.key }))],
    });
    bus.register(Work, ({ until }) => until);
    expect(gaugesOf(bus)).toEqual({ "overlap(concat)": { running: 0, waiting: 0, keys: 0 } });
    const { opened, open } = gate();
    const all = ["a", "a", "a", "b"].map((key) => bus.dispatch(new Work(key, opened)));
    expect(gaugesOf(bus)).toEqual({ "overlap(concat)": { running: 2, waiting: 2, keys: 2 } });
    open();
    await Promise.all(all);
    expect(gaugesOf(bus)).toEqual({ "overlap(concat)": { running: 0, waiting: 0, keys: 0 } });
    await canaries(bus);
  });

  it("counts hits, shared runs and batches", async () => {
    const bus = new QueryBus({
      middleware: [
        caching({ store: new Map() }),
        coalescing(),
        batching({ load: (queries) => queries.map((query) => (query as Find).id) }),
      ],
    });
    bus.register(Find, () => 0);
    await Promise.all([1, 1, 2].map((id) => bus.ask(new Find(id))));
    await bus.ask(new Find(1));
    expect(gaugesOf(bus)).toEqual({
      caching: { hits: 1, misses: 3 },
      coalescing: { shared: 1 },
      batching: { loads: 1, queries: 2 },
    });
  });

  it("counts retries", async () => {
    const bus = new CommandBus({ middleware: [retrying({ count: 3 })] });
    let failures = 2;
    bus.register(Work, () => {
      if (failures-- > 0) throw new Error("again");
    });
    await bus.dispatch(new Work("a"));
    await bus.dispatch(new Work("a"));
    expect(gaugesOf(bus)).toEqual({ "retrying(3)": { retries: 2 } });
    await canaries(bus);
  });

  it("keeps the gauges of one middleware on several buses apart", async () => {
    const limit = overlap({ strategy: "merge", concurrency: 5 });
    const [one, other] = [new CommandBus({ middleware: [limit] }), new CommandBus({ middleware: [limit] })];
    one.register(Work, ({ until }) => until);
    const { opened, open } = gate();
    const held = one.dispatch(new Work("a", opened));
    expect([gaugesOf(one), gaugesOf(other)]).toMatchObject([
      { "overlap(merge)": { running: 1 } },
      { "overlap(merge)": { running: 0 } },
    ]);
    open();
    await held;
  });

  it("takes the gauges of a middleware of the application", () => {
    let open = 0;
    const breaker = Object.assign(
      around(function breaker(_, next) {
        return next();
      }),
      { gauges: () => ({ open }) },
    );
    const bus = new CommandBus({ middleware: [breaker] });
    open = 1;
    expect(bus.describe().gauges).toEqual([{ middleware: "breaker", values: { open: 1 } }]);
  });

  it("lists sagas, and counts their restarts", async () => {
    const [events, commands] = [new EventBus(), new CommandBus()];
    let failures = 1;
    events.faults$.subscribe();
    const subscription = saga(
      events,
      commands,
      () => {
        if (failures-- > 0) throw new Error("at first");
        return NEVER;
      },
      { name: "checkout", restart: { delayMs: 0 } },
    );
    while (events.describe().sagas?.[0]?.state !== "running") await macrotask();
    expect(events.describe().sagas).toEqual([{ name: "checkout", state: "running", restarts: 1 }]);
    subscription.unsubscribe();
    expect(events.describe()).not.toHaveProperty("sagas");
    await canaries(events, commands);
  });

  it("counts watchers, those of equal queries together", () => {
    const bus = new QueryBus();
    bus.register(Find, ({ id }) => id);
    const watchers = [1, 1, 2].map((id) => bus.watch(new Find(id)).subscribe());
    expect(bus.describe().watchers).toEqual([{ messageType: "Find", watchers: 3, shared: 2 }]);
    for (const watcher of watchers) watcher.unsubscribe();
    expect(bus.describe()).not.toHaveProperty("watchers");
  });

  it("counts enqueued commands", async () => {
    const bus = new CommandBus({ background: { concurrency: 1 } });
    bus.register(Work, ({ until }) => until);
    const { opened, open } = gate();
    for (const key of ["a", "b", "c"]) bus.enqueue(new Work(key, opened));
    expect(bus.describe().background).toEqual({ queued: 3, running: 0 });
    await macrotask();
    expect(bus.describe().background).toEqual({ queued: 2, running: 1 });
    open();
    await bus.drain();
    expect(bus.describe().background).toEqual({ queued: 0, running: 0 });
    await canaries(bus);
  });
});

describe("onlookers", () => {
  afterEach(() => void jest.restoreAllMocks());

  /** The console takes one report a second for all buses. */
  function consoleReports(): jest.Mock {
    const report = jest.spyOn(console, "error").mockImplementation(() => undefined);
    const start = performance.now() + Math.random() * 1e9;
    jest.spyOn(performance, "now").mockReturnValue(start + 1e9);
    return report as unknown as jest.Mock;
  }

  it("see faults, and the console still does", () => {
    const report = consoleReports();
    const bus = new CommandBus();
    const seen: unknown[] = [];
    bus.engine.observers.faults.look(({ error }) => seen.push(error));
    const error = new Error("reported");
    bus.engine.report({ kind: "observer", source: "spec", error });
    expect(seen).toEqual([error]);
    expect(report).toHaveBeenCalledTimes(1);
    bus.faults$.subscribe(() => undefined);
    bus.engine.report({ kind: "observer", source: "spec", error });
    expect(seen).toHaveLength(2);
    expect(report).toHaveBeenCalledTimes(1);
  });

  it("of outcomes do not take failures of the background from faults$", async () => {
    const bus = new CommandBus();
    const error = new Error("in the background");
    bus.register(Work, () => {
      throw error;
    });
    const faults: unknown[] = [];
    const seen: string[] = [];
    bus.faults$.subscribe((fault) => faults.push(fault.error));
    const onlooker = bus.engine.observers.outcomes.look(({ status }) => seen.push(status));
    bus.enqueue(new Work("a"));
    await bus.drain();
    expect([faults, seen]).toEqual([[error], ["rejected"]]);
    onlooker.unsubscribe();
    const handled = bus.outcomes$.subscribe(() => undefined);
    bus.enqueue(new Work("a"));
    await bus.drain();
    handled.unsubscribe();
    expect([faults, seen]).toEqual([[error], ["rejected"]]);
    await canaries(bus);
  });

  it("end with the bus", async () => {
    const bus = new CommandBus();
    const { messages, outcomes } = bus.engine.observers;
    const early = messages.look(() => undefined);
    await bus.close();
    const late = outcomes.look(() => undefined);
    expect([early.closed, late.closed]).toEqual([true, true]);
  });
});
