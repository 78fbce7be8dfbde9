import { describe, expect, it } from "@jest/globals";
import type { ChangesFrame } from "../../../src/inspector/protocol.js";
import { Store } from "../../../src/inspector/page/model/store.js";
import { figures, hello, message, NO_COUNTS, open, START } from "./make.js";

const changes = (more: Partial<ChangesFrame>): ChangesFrame => ({
  type: "changes",
  run: "run-1",
  seq: 2,
  time: START + 100,
  oldest: 1,
  counts: NO_COUNTS,
  ...more,
});

function started(): Store {
  const store = new Store();
  store.apply(hello({ types: [figures()] }), 0);
  return store;
}

const orders = (store: Store): number[] => store.entries.map((entry) => entry.message.order);

describe("the store", () => {
  it("takes history and changes into lanes", () => {
    const store = started();
    store.apply({ type: "history", run: "run-1", seq: 1, messages: [message(1, 0), message(2, 1)] }, 0);
    store.apply(changes({ accepted: [message(3, 2, { name: "Ship" })] }), 0);
    expect(orders(store)).toEqual([1, 2, 3]);
    expect([...store.lanes.values()].map(({ name, entries }) => [name, entries.length])).toEqual([
      ["PlaceOrder", 2],
      ["Ship", 1],
    ]);
  });

  it("settles an open message", () => {
    const store = started();
    store.apply(changes({ accepted: [message(1, 0, open)] }), 0);
    const [entry] = store.entries;
    expect(entry!.end).toBe(Infinity);
    const error = { name: "E", message: "no" };
    store.apply(
      changes({ settled: [{ order: 1, state: "rejected", durationMs: 7, attempts: 2, error }] }),
      50,
    );
    expect(entry).toMatchObject({
      end: START + 7,
      failed: 50,
      message: { state: "rejected", attempts: 2, error },
    });
    expect(store.laneOf(entry!).open.size).toBe(0);
  });

  it("ignores the end of a message that it does not have", () => {
    const store = started();
    store.apply(changes({ settled: [{ order: 9, state: "fulfilled", attempts: 1 }] }), 0);
    expect(orders(store)).toEqual([]);
  });

  it("does not take a record twice", () => {
    const store = started();
    store.apply(changes({ accepted: [message(1, 0), message(2, 1)] }), 0);
    store.apply(changes({ accepted: [message(2, 1), message(3, 2)] }), 0);
    expect(orders(store)).toEqual([1, 2, 3]);
  });

  it("drops what has left the ring, in lanes as well", () => {
    const store = started();
    store.apply(changes({ accepted: [message(1, 0), message(2, 1, open), message(3, 2)] }), 0);
    store.apply(changes({ oldest: 3 }), 0);
    expect(orders(store)).toEqual([3]);
    const [lane] = store.lanes.values();
    expect([lane!.entries.length, lane!.open.size]).toEqual([1, 0]);
  });

  it("keeps old records while the user looks at them, within a bound", () => {
    const store = started();
    store.holding = true;
    for (let order = 1; order <= 100; order++) {
      store.apply(changes({ accepted: [message(order, order)], oldest: Math.max(1, order - 9) }), 0);
    }
    expect(orders(store)).toHaveLength(30);
    store.holding = false;
    store.apply(changes({ oldest: 91 }), 0);
    expect(orders(store)[0]).toBe(91);
  });

  it("drops the old run when a new one begins, and frames of the old one that come late", () => {
    const store = started();
    store.apply(changes({ accepted: [message(1, 0)] }), 0);
    store.apply(hello({ run: "run-2" }), 0);
    store.apply(changes({ accepted: [message(2, 0)] }), 0);
    expect([orders(store), store.hello?.run]).toEqual([[], "run-2"]);
  });

  it("replaces a second of the series, and counts frames that were left out", () => {
    const store = started();
    const second = START / 1000;
    store.apply(changes({ types: [figures({ series: [[second, 1, 1, 0, 0]] })] }), 0);
    store.apply(changes({ types: [figures({ series: [[second, 5, 4, 1, 0]] })] }), 0);
    store.apply({ type: "gap", run: "run-1", seq: 3, frames: 4 }, 0);
    const [lane] = store.lanes.values();
    expect([...lane!.series.values()]).toEqual([[second, 5, 4, 1, 0]]);
    expect(store.gaps).toBe(4);
  });
});
