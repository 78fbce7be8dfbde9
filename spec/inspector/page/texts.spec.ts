import { describe, expect, it } from "@jest/globals";
import type { DescribedPart } from "../../../src/inspector/protocol.js";
import { Clock } from "../../../src/inspector/page/model/clock.js";
import { gaugesOf } from "../../../src/inspector/page/model/gauges.js";
import { jsonTokens, prettyJson, valueOf } from "../../../src/inspector/page/model/json.js";
import { Lane } from "../../../src/inspector/page/model/lane.js";
import { failingShare, totalsOf } from "../../../src/inspector/page/model/series.js";
import { messageJson } from "../../../src/inspector/page/parts/copy.js";
import { MessageList } from "../../../src/inspector/page/parts/message-list.js";
import { nearest } from "../../../src/inspector/page/parts/pointer.js";
import { Store } from "../../../src/inspector/page/model/store.js";
import { entry, figures, hello, message, START } from "./make.js";

describe("JSON", () => {
  const text = '{"a":"x: \\"y\\"","n":-1.5e3,"t":true,"z":null,"l":[1,"<b>"]}';

  it("is indented, or a text if it does not parse", () => {
    expect(prettyJson(valueOf('{"a":[1]}'))).toBe('{\n  "a": [\n    1\n  ]\n}');
    expect(prettyJson(valueOf("not json"))).toBe('"not json"');
  });

  it("is coloured without a change of the text", () => {
    for (const each of [text, prettyJson(valueOf(text)), "", "not json", '"unclosed', '{"a":"\\\\"}']) {
      expect(
        jsonTokens(each)
          .map((token) => token.text)
          .join(""),
      ).toBe(each);
    }
  });

  it("tells keys from texts and values", () => {
    const kinds = jsonTokens(text).flatMap(({ kind, text: part }) => (kind ? [[kind, part]] : []));
    expect(kinds.slice(0, 5)).toEqual([
      ["key", '"a":'],
      ["string", '"x: \\"y\\""'],
      ["key", '"n":'],
      ["value", "-1.5e3"],
      ["key", '"t":'],
    ]);
  });

  it("of a copied message holds values, not texts of values", () =>
    expect(JSON.parse(messageJson(message(1, 0, { result: "[1]", headers: "broken" })))).toMatchObject({
      order: 1,
      payload: { orderId: "o-1" },
      result: [1],
      headers: "broken",
    }));
});

describe("the clock", () => {
  it("goes on between frames, and is not moved back by one that was delayed", () => {
    const clock = new Clock();
    clock.sync(START, 100);
    expect(clock.now(150)).toBe(START + 50);
    clock.sync(START + 100, 260);
    expect(clock.now(260)).toBe(START + 160);
  });

  it("follows a jump of the recorder's clock", () => {
    const clock = new Clock();
    clock.sync(START, 100);
    clock.sync(START - 60_000, 200);
    expect(clock.now(200)).toBe(START - 60_000);
  });

  it("stands still after it was stopped, until the next frame", () => {
    const clock = new Clock();
    clock.sync(START, 100);
    clock.stop(START + 5);
    expect(clock.now(999)).toBe(START + 5);
    clock.sync(START + 10, 1000);
    expect(clock.now(1001)).toBe(START + 11);
  });
});

describe("totals of seconds", () => {
  const second = START / 1000;
  const lane = (kind: Lane["kind"], ...series: [number, number, number, number, number][]): Lane => {
    const made = new Lane(kind, kind, kind);
    made.setFigures(figures({ kind, series }));
    return made;
  };
  const lanes = [
    lane("command", [second - 1, 4, 2, 1, 0], [second, 2, 2, 0, 0]),
    lane("query", [second, 10, 8, 0, 2]),
  ];

  it("add up the lanes of a kind", () =>
    expect(totalsOf(lanes, START + 300, 2)).toEqual([
      { second: second - 1, accepted: { command: 4, query: 0, event: 0 }, settled: 3, rejected: 1 },
      { second, accepted: { command: 2, query: 10, event: 0 }, settled: 12, rejected: 0 },
    ]));

  it("tell the share of failures, if any message settled", () => {
    expect(failingShare(totalsOf(lanes, START, 2))).toBeCloseTo(1 / 15);
    expect(failingShare(totalsOf([], START, 2))).toBeUndefined();
  });
});

describe("gauges", () => {
  const bus = (kind: "command" | "query", values: Record<string, number>, queued = 0): DescribedPart => ({
    name: kind,
    bus: {
      name: kind,
      kind,
      middleware: [],
      handlers: [],
      gauges: [{ middleware: "m", values }],
      background: { queued, running: 0 },
      inFlight: 0,
      closed: false,
    },
  });

  it("tell queues and hit rates of the buses of a kind", () => {
    const parts = [
      bus("command", { running: 1, waiting: 7 }, 4),
      bus("command", { running: 2 }),
      bus("query", { hits: 88, misses: 12 }),
      { name: "worker", other: 1 },
    ];
    expect(gaugesOf(parts, "command")).toEqual(["3 running", "7 waiting", "4 queued"]);
    expect(gaugesOf(parts, "query")).toEqual(["88 % cache hits"]);
    expect(gaugesOf(parts, "event")).toEqual([]);
  });
});

describe("the list of messages", () => {
  const storeOf = (count: number): Store => {
    const store = new Store();
    store.apply(hello({ limits: { capacity: 9999, maxBytes: 1, maxPerSecond: 1 } }), 0);
    add(store, 1, count);
    return store;
  };
  const add = (store: Store, from: number, to: number): void => {
    const messages = Array.from({ length: to - from + 1 }, (_, index) => message(from + index, from + index));
    store.apply({ type: "history", run: "run-1", seq: 1, messages }, 0);
  };
  const all = (): boolean => true;
  const ends = ({ rows }: MessageList): unknown[] => [rows[0]?.message.order, rows.at(-1)?.message.order];

  it("shows the newest forty, and more on demand", () => {
    const [list, store] = [new MessageList(), storeOf(100)];
    list.update(store, all, false, undefined);
    expect([...ends(list), list.hasMore]).toEqual([100, 61, true]);
    list.more();
    list.more();
    list.update(store, all, false, undefined);
    expect([...ends(list), list.hasMore]).toEqual([100, 1, false]);
  });

  it("holds still and counts what comes meanwhile, then catches up", () => {
    const [list, store] = [new MessageList(), storeOf(50)];
    list.update(store, all, false, undefined);
    add(store, 51, 57);
    list.update(store, all, true, undefined);
    expect([...ends(list), list.newer]).toEqual([50, 11, 7]);
    list.update(store, all, false, undefined);
    expect([...ends(list), list.newer]).toEqual([57, 18, 0]);
  });

  it("begins anew with a new run, also while it is held", () => {
    const [list, store] = [new MessageList(), storeOf(50)];
    list.update(store, all, true, undefined);
    store.apply(hello({ run: "run-2" }), 0);
    store.apply({ type: "history", run: "run-2", seq: 1, messages: [message(1, 0)] }, 0);
    list.update(store, all, true, undefined);
    expect([...ends(list), list.newer]).toEqual([1, 1, 0]);
  });

  it("reaches to the selected message, and shows the rows around one far below", () => {
    const [list, store] = [new MessageList(), storeOf(500)];
    list.update(store, all, true, store.byOrder(430));
    expect(ends(list)).toEqual([500, 430]);
    list.update(store, all, true, store.byOrder(100));
    expect(ends(list)).toEqual([120, 100]);
    expect(list.rows).toContain(store.byOrder(100));
  });
});

describe("the marble at a point", () => {
  const hits = [
    { x: 10, y: 10, entry: entry(1, 0) },
    { x: 16, y: 10, entry: entry(2, 0) },
    { x: 16, y: 10, entry: entry(3, 0) },
  ];
  it("is the nearest one within reach, the upper one of two in one place", () => {
    expect(nearest(hits, 11, 10, 10)?.message.order).toBe(1);
    expect(nearest(hits, 15, 10, 10)?.message.order).toBe(3);
    expect(nearest(hits, 60, 10, 10)).toBeUndefined();
  });
});
