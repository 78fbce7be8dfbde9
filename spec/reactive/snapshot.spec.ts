import { beforeEach, describe, expect, it } from "@jest/globals";
import { Query, QueryBus, type LiveQuery, type LiveSnapshot } from "cqrx";
import { Subject } from "rxjs";
import { deferred, microtasks } from "../conformance/support.js";
import { canaries, withTraps } from "../support/traps.js";

class Users extends Query<readonly string[]> {
  constructor(readonly team = "red") {
    super();
  }
}

let bus: QueryBus;
let refresh$: Subject<void>;
let users: string[];
let broken: Error | undefined;
let handled: number;

beforeEach(() => {
  bus = new QueryBus();
  refresh$ = new Subject();
  users = ["ada"];
  broken = undefined;
  handled = 0;
  bus.register(
    Users,
    () => {
      handled++;
      if (broken !== undefined) throw broken;
      return [...users];
    },
    { refreshOn: refresh$ },
  );
});

const PENDING = { status: "pending" };

async function refresh(): Promise<void> {
  refresh$.next();
  await microtasks();
}

/** Reads a live query as React's useSyncExternalStore does. */
function rendered<R>(live: LiveQuery<R>): { renders: LiveSnapshot<R>[]; unmount(): void } {
  const { getSnapshot } = live;
  const renders = [getSnapshot()];
  const changed = (): void => {
    if (!Object.is(renders.at(-1), getSnapshot())) renders.push(getSnapshot());
  };
  const subscription = live.snapshot$.subscribe(changed);
  changed();
  return { renders, unmount: () => subscription.unsubscribe() };
}

describe("getSnapshot()", () => {
  it("is pending at first, asks nothing, and is the same object at each call", async () => {
    const live = bus.watch(new Users());
    expect(live.getSnapshot()).toEqual(PENDING);
    expect(live.getSnapshot()).toBe(live.getSnapshot());
    expect(live.getSnapshot()).toBe(bus.watch(new Users("blue")).getSnapshot());
    expect(handled).toBe(0);
    await canaries(bus);
  });

  it("is pending while the first run takes its time, then the value", async () => {
    class Slow extends Query<number> {}
    const gate = deferred<number>();
    bus.register(Slow, () => gate.promise);
    const live = bus.watch(new Slow());
    live.subscribe();
    expect(live.getSnapshot()).toEqual(PENDING);
    gate.resolve(7);
    await microtasks();
    expect(live.getSnapshot()).toEqual({ status: "value", value: 7 });
  });

  it("has the new value before the subscriber receives it", async () => {
    const live = bus.watch(new Users());
    const seen: unknown[] = [];
    live.subscribe((value) => seen.push([value, live.getSnapshot()]));
    users.push("grace");
    await refresh();
    expect(seen).toEqual([
      [["ada"], { status: "value", value: ["ada"] }],
      [["ada", "grace"], { status: "value", value: ["ada", "grace"] }],
    ]);
  });

  it("stays the same object while the result stays equal, also when subscribers come", async () => {
    const live = bus.watch(new Users());
    live.subscribe();
    const before = live.getSnapshot();
    await refresh();
    expect(handled).toBe(2);
    expect(live.getSnapshot()).toBe(before);
    live.subscribe();
    expect(live.getSnapshot()).toBe(before);
    users.push("grace");
    await refresh();
    expect(live.getSnapshot()).not.toBe(before);
  });

  it("is a new object at each result with distinct: false, for a handler that changes its result in place", async () => {
    class Mutable extends Query<string[]> {}
    bus.register(Mutable, () => users, { refreshOn: refresh$ });
    const live = bus.watch(new Mutable(), { distinct: false });
    live.subscribe();
    const before = live.getSnapshot();
    users.push("grace");
    await refresh();
    expect(live.getSnapshot()).not.toBe(before);
    expect(live.getSnapshot()).toBe(live.getSnapshot());
  });

  it("follows a distinct function", async () => {
    const live = bus.watch(new Users(), { distinct: (a, b) => a.length === b.length });
    live.subscribe();
    const before = live.getSnapshot();
    users = ["grace"];
    await refresh();
    expect(live.getSnapshot()).toBe(before);
    users = ["grace", "ada"];
    await refresh();
    expect(live.getSnapshot()).toEqual({ status: "value", value: ["grace", "ada"] });
  });

  it("shows the result of another watcher of an equal query at once, and subscribing changes nothing then", async () => {
    bus.watch(new Users()).subscribe();
    const live = bus.watch(new Users());
    const first = live.getSnapshot();
    expect(first).toEqual({ status: "value", value: ["ada"] });
    expect(live.getSnapshot()).toBe(first);
    live.subscribe();
    expect(live.getSnapshot()).toBe(first);
    expect(bus.watch(new Users("blue")).getSnapshot()).toEqual(PENDING);
    expect(bus.watch(new Users(), { headers: { tenant: "t1" } }).getSnapshot()).toEqual(PENDING);
    expect(handled).toBe(1);
  });

  it("keeps the last value after the last subscriber left, and follows again with the next", async () => {
    const live = bus.watch(new Users());
    live.subscribe().unsubscribe();
    const left = live.getSnapshot();
    expect(left).toEqual({ status: "value", value: ["ada"] });
    users.push("grace");
    expect(live.getSnapshot()).toBe(left);
    live.subscribe();
    expect(live.getSnapshot()).toEqual({ status: "value", value: ["ada", "grace"] });
  });

  it("is the error of a failed run with the last value, then the next value", async () => {
    const live = bus.watch(new Users(), { onError: () => undefined });
    live.subscribe();
    broken = new Error("down");
    await refresh();
    const failed = live.getSnapshot();
    expect(failed).toEqual({ status: "error", error: broken, value: ["ada"] });
    expect(failed.error).toBe(broken);
    broken = undefined;
    await refresh();
    expect(live.getSnapshot()).toEqual({ status: "value", value: ["ada"] });
  });

  it("is an error without a value if the first run fails, and when the signal ends the watcher", async () => {
    broken = new Error("down");
    const live = bus.watch(new Users());
    const errors: unknown[] = [];
    live.subscribe({ error: (error: unknown) => errors.push(error) });
    expect(errors).toEqual([broken]);
    expect(live.getSnapshot()).toEqual({ status: "error", error: broken });

    const ended = bus.watch(new Users(), { signal: AbortSignal.abort("enough") });
    ended.subscribe({ error: (error: unknown) => errors.push(error) });
    expect(errors).toEqual([broken, "enough"]);
    expect(ended.getSnapshot()).toEqual({ status: "error", error: "enough" });
    await canaries(bus);
  });

  it("cannot be changed, and is the last one after the bus was closed", async () => {
    const live = bus.watch(new Users());
    live.subscribe();
    const snapshot = live.getSnapshot();
    expect(Object.isFrozen(snapshot)).toBe(true);
    await bus.close();
    expect(live.getSnapshot()).toBe(snapshot);
  });
});

describe("snapshot$", () => {
  it("emits the snapshot at each change, now included, and nothing for an equal result", async () => {
    const { renders } = rendered(bus.watch(new Users()));
    expect(renders).toEqual([PENDING, { status: "value", value: ["ada"] }]);
    await refresh();
    users.push("grace");
    await refresh();
    expect(renders).toEqual([
      PENDING,
      { status: "value", value: ["ada"] },
      { status: "value", value: ["ada", "grace"] },
    ]);
  });

  it("goes on after a failure, and calls onError as well", () =>
    withTraps(async () => {
      const errors: unknown[] = [];
      for (const options of [{}, { onError: (error: unknown) => void errors.push(error) }]) {
        broken = undefined;
        const { renders, unmount } = rendered(bus.watch(new Users(), options));
        const failure = (broken = new Error("down"));
        await refresh();
        broken = undefined;
        await refresh();
        expect(renders.slice(-3)).toEqual([
          { status: "value", value: ["ada"] },
          { status: "error", error: failure, value: ["ada"] },
          { status: "value", value: ["ada"] },
        ]);
        unmount();
      }
      expect(errors).toHaveLength(1);
    }));

  it("completes with the bus, and ends with the signal as a snapshot", async () => {
    const controller = new AbortController();
    const live = bus.watch(new Users(), { signal: controller.signal });
    const seen: unknown[] = [];
    live.snapshot$.subscribe({
      next: ({ status }) => seen.push(status),
      complete: () => seen.push("complete"),
    });
    controller.abort(new Error("enough"));
    bus.watch(new Users()).snapshot$.subscribe({ complete: () => seen.push("closed") });
    await bus.close();
    expect(seen).toEqual(["pending", "value", "error", "complete", "closed"]);
  });

  it("unsubscribing stops the run that no other watcher waits for", () => {
    class Endless extends Query<number> {}
    let signal!: AbortSignal;
    bus.register(Endless, (_, context) => {
      signal = context.signal;
      return new Promise<number>(() => undefined);
    });
    const { renders, unmount } = rendered(bus.watch(new Endless()));
    expect(renders).toEqual([PENDING]);
    unmount();
    expect(signal.aborted).toBe(true);
  });

  it("renders a remounted component from the last value, without a pending state in between", async () => {
    const live = bus.watch(new Users());
    rendered(live).unmount();
    const { renders } = rendered(live);
    await microtasks();
    expect(renders[0]).toEqual({ status: "value", value: ["ada"] });
    expect(renders.map(({ status }) => status)).not.toContain("pending");
  });
});
