import { afterEach, beforeEach, describe, expect, it, jest } from "@jest/globals";
import { CommandBus } from "cqrx";
import { inspect, type ChangesFrame, type Frame, type HelloFrame, type Inspector } from "cqrx/inspector";
import { Feed, type Pipe } from "../../src/inspector/feed.js";
import { settingsOf } from "../../src/inspector/options.js";
import { partsOf } from "../../src/inspector/parts.js";
import { Recorder } from "../../src/inspector/recorder.js";
import { watchBuses } from "../../src/inspector/watch.js";
import { canaries } from "../support/traps.js";
import { Reader } from "./raw.js";
import { PlaceOrder, shop, until, type Shop } from "./support.js";

const TOKEN = "the-token-of-these-specs";

const ofType = <T extends Frame["type"]>(frames: readonly Frame[], type: T): Extract<Frame, { type: T }>[] =>
  frames.filter((frame): frame is Extract<Frame, { type: T }> => frame.type === type);

/** The records that a listener knows after these frames, as [name, state]. */
function known(frames: readonly Frame[]): string[] {
  const records = new Map<number, string>();
  const names = new Map<number, string>();
  for (const frame of frames) {
    const added =
      frame.type === "history" ? frame.messages : frame.type === "changes" ? (frame.accepted ?? []) : [];
    for (const { order, name, state } of added) {
      names.set(order, name);
      records.set(order, `${name} ${state}`);
    }
    if (frame.type === "changes")
      for (const { order, state } of frame.settled ?? []) records.set(order, `${names.get(order)} ${state}`);
  }
  return [...records.values()];
}

describe("the feed over HTTP", () => {
  let buses: Shop;
  let inspector: Inspector;
  let port: number;
  const readers: Reader[] = [];
  const read = (...headers: string[]): Reader => {
    const reader = new Reader(port, TOKEN, ...headers);
    readers.push(reader);
    return reader;
  };

  beforeEach(async () => {
    buses = shop();
    inspector = inspect({ ...buses }, { token: TOKEN, maxClients: 3 });
    port = (await inspector.listen()).port!;
  });
  afterEach(async () => {
    for (const { socket } of readers.splice(0)) socket.destroy();
    await inspector.close();
    await canaries(buses.commands, buses.queries, buses.events);
  });

  it("tells what was kept, and then the changes", async () => {
    await buses.commands.dispatch(new PlaceOrder("o1"));
    const reader = read();
    await reader.until((frames) => frames.length >= 2);
    await buses.commands.dispatch(new PlaceOrder("o2"));
    const frames = await reader.until((all) => known(all).length === 6);
    expect(frames[0]).toMatchObject({
      type: "hello",
      protocol: 1,
      history: 3,
      counts: { accepted: 3, fulfilled: 3, kept: 3, inFlight: 0 },
      parts: [
        { name: "commands", bus: { kind: "command", handlers: [{ messageType: "PlaceOrder" }] } },
        {},
        {},
      ],
    });
    const types = (frames[0] as HelloFrame).types;
    expect(types.map(({ name }) => name)).toEqual(["PlaceOrder", "GetOrder", "OrderPlaced"]);
    // Summed, because a second may end between a message and its outcome.
    const totals = [1, 2, 3, 4].map((column) =>
      types[0]!.series.reduce((sum, second) => sum + second[column]!, 0),
    );
    expect(totals).toEqual([1, 1, 0, 0]);
    expect(known(frames)).toContain("OrderPlaced fulfilled");
    const last = ofType(frames, "changes").at(-1)!;
    expect(last.counts).toMatchObject({ accepted: 6, fulfilled: 6 });
  });

  it("156 is one event for each frame, even when a message holds line ends", async () => {
    const hostile = "\n\ndata: {}\r\nid: 9\n\n\u2028";
    class Hostile {
      static readonly messageName = `x${hostile}`;
      readonly [hostile] = hostile;
    }
    buses.commands.register(Hostile, () => {
      throw new Error(hostile);
    });
    const reader = read();
    await buses.commands.dispatch(new Hostile()).catch(() => undefined);
    await reader.until((frames) => known(frames).length === 1);
    for (const { id, frame } of reader.events) expect(id).toBe(`${frame.run}-${frame.seq}`);
    const [change] = ofType(reader.frames, "changes").flatMap(({ accepted = [] }) => accepted);
    const [kept] = ofType(reader.frames, "history").flatMap(({ messages }) => messages);
    const record = (change ?? kept)!;
    expect(record.name).toBe(Hostile.messageName);
    expect(JSON.parse(record.payload!)).toEqual({ [hostile]: hostile });
    expect(record.error!.message).toBe(hostile);
  });

  it("goes on after the last id, and begins anew for an id of another run", async () => {
    await buses.commands.dispatch(new PlaceOrder("o1"));
    const first = read();
    await first.until((frames) => known(frames).length === 3);
    const { id } = first.events.at(-1)!;
    first.socket.destroy();
    await buses.commands.dispatch(new PlaceOrder("o2"));
    const second = read(`Last-Event-ID: ${id}`);
    const frames = await second.until((all) => known(all).length === 3);
    expect(ofType(frames, "hello")).toEqual([]);
    const other = read("Last-Event-ID: other-1");
    await other.until((all) => known(all).length === 6);
    expect(other.frames[0]!.type).toBe("hello");
  });

  it.each([
    ["nothing", ""],
    ["a text", "x"],
    ["a negative number", "-1"],
    ["no number", "RUN-"],
    ["a negative number of the run", "RUN--1"],
    ["an exponent", "RUN-1e3"],
    ["a huge number", "RUN-99999999999999999999"],
    ["the future", "RUN-9999999"],
    ["a long text", "y".repeat(8_000)],
  ])("163 answers %s for the last id by a new beginning", async (_, id) => {
    const probe = read();
    await probe.until((frames) => frames.length > 0);
    const reader = read(`Last-Event-ID: ${id.replace("RUN", probe.frames[0]!.run)}`);
    const [first] = await reader.until((frames) => frames.length > 0);
    expect(first!.type).toBe("hello");
  });

  it("163 is not reached by a header of a megabyte", async () => {
    const reader = read(`Last-Event-ID: ${"z".repeat(2 ** 20)}`);
    await until(() => reader.closed);
    expect(reader.text.length).toBeLessThan(1_000);
  });

  it("159 160 forgets readers that leave, also before they were answered", async () => {
    const reader = read();
    await until(() => inspector.counts.clients === 1);
    reader.socket.destroy();
    await until(() => inspector.counts.clients === 0);
    for (let n = 0; n < 20; n++) read().socket.destroy();
    const last = read();
    await last.until((frames) => frames.length > 0);
    await until(() => inspector.counts.clients === 1);
  });

  it("161 answers 503 above the limit, and readers may come and go", async () => {
    const three = [read(), read(), read()];
    await until(() => inspector.counts.clients === 3);
    const fourth = read();
    await until(() => fourth.closed);
    expect(fourth.text).toMatch(/^HTTP\/1\.1 503 .*retry-after: 5/is);
    for (const { socket } of three) socket.destroy();
    await until(() => inspector.counts.clients === 0);
    const request = new Request("http://localhost/feed", { headers: { authorization: `Bearer ${TOKEN}` } });
    for (let n = 0; n < 1_000; n++) {
      const { body } = await inspector.handler(request);
      expect(inspector.counts.clients).toBe(1);
      await body!.cancel();
    }
    expect(inspector.counts.clients).toBe(0);
    const next = read();
    await next.until((frames) => frames.length > 0);
  });

  it("176 warns of nothing while a reader is slow", async () => {
    const warnings: Error[] = [];
    const warn = (warning: Error): void => void warnings.push(warning);
    process.on("warning", warn);
    const reader = read();
    reader.socket.pause();
    for (let n = 0; n < 50; n++) await buses.commands.dispatch(new PlaceOrder(`o${n}`, "x".repeat(50_000)));
    reader.socket.resume();
    await reader.until((frames) => known(frames).length === 150);
    process.off("warning", warn);
    expect(warnings).toEqual([]);
  });
});

describe("frames", () => {
  beforeEach(() => void jest.useFakeTimers());
  afterEach(() => void jest.useRealTimers());

  class TestPipe implements Pipe {
    texts: string[] = [];
    waiting = 0;
    ended = false;
    buffered(): number {
      return this.waiting;
    }
    write(text: string): void {
      this.texts.push(text);
    }
    end(): void {
      this.ended = true;
    }
    get frames(): Frame[] {
      return this.texts
        .filter((text) => text.startsWith("id: "))
        .map((text) => JSON.parse(text.slice(text.indexOf("data: ") + 6)) as Frame);
    }
  }

  function feedOf(bus: CommandBus): { readonly feed: Feed; readonly recorder: Recorder } {
    const parts = partsOf(bus);
    const recorder = new Recorder(parts, settingsOf({}));
    watchBuses(recorder, parts);
    return { recorder, feed: new Feed(recorder, { id: "run", title: "spec" }) };
  }

  function busOfOrders(): CommandBus {
    const bus = new CommandBus();
    bus.register(PlaceOrder, ({ more }) => more as Promise<void>);
    return bus;
  }

  it("are made ten times a second, each once for all pages", () => {
    const bus = busOfOrders();
    const { feed } = feedOf(bus);
    const pipes = [new TestPipe(), new TestPipe(), new TestPipe()];
    for (const pipe of pipes) feed.connect(pipe, undefined);
    jest.advanceTimersByTime(100);
    for (const pipe of pipes) pipe.texts = [];
    const stringify = jest.spyOn(JSON, "stringify");
    for (let n = 0; n < 10; n++) {
      void bus.dispatch(new PlaceOrder(`o${n}`));
      jest.advanceTimersByTime(100);
    }
    const frames = stringify.mock.calls.filter(([value]) => (value as Frame | undefined)?.type === "changes");
    stringify.mockRestore();
    expect(pipes.map(({ texts }) => texts.length)).toEqual([10, 10, 10]);
    expect(pipes[1]!.texts).toEqual(pipes[0]!.texts);
    // The pages that came at different times share their frames from the first one on.
    expect(frames).toHaveLength(10);
    feed.close();
  });

  it("are not made, and no timer runs, while no page listens", () => {
    const bus = busOfOrders();
    const { feed } = feedOf(bus);
    void bus.dispatch(new PlaceOrder("o1"));
    expect(jest.getTimerCount()).toBe(0);
    const leave = feed.connect(new TestPipe(), undefined);
    const unsubscribe = feed.subscribe(() => undefined);
    expect(jest.getTimerCount()).toBe(1);
    leave();
    expect(jest.getTimerCount()).toBe(1);
    unsubscribe();
    expect(jest.getTimerCount()).toBe(0);
  });

  it("tell a message at acceptance and its end alone later", () => {
    const bus = busOfOrders();
    const { feed } = feedOf(bus);
    const pipe = new TestPipe();
    feed.connect(pipe, undefined);
    const controller = new AbortController();
    void bus
      .dispatch(new PlaceOrder("o1", new Promise(() => undefined)), { signal: controller.signal })
      .catch(() => undefined);
    jest.advanceTimersByTime(100);
    controller.abort();
    jest.advanceTimersByTime(100);
    const [accepted, settled] = ofType(pipe.frames, "changes").slice(-2);
    expect(accepted!.accepted).toMatchObject([{ order: 1, state: "open" }]);
    expect(accepted!.types).toMatchObject([{ inFlight: 1 }]);
    expect(settled).not.toHaveProperty("accepted");
    expect(settled!.settled).toMatchObject([{ order: 1, state: "cancelled", error: { name: "AbortError" } }]);
    expect(settled!.types).toMatchObject([{ inFlight: 0, cancelled: 1 }]);
    feed.close();
  });

  it("are left out for a slow reader, which is told how many, and loses nothing that is kept", () => {
    const bus = busOfOrders();
    const { feed } = feedOf(bus);
    const pipe = new TestPipe();
    feed.connect(pipe, undefined);
    pipe.waiting = 2 ** 21;
    for (let n = 0; n < 5; n++) {
      void bus.dispatch(new PlaceOrder(`o${n}`));
      jest.advanceTimersByTime(100);
    }
    expect(known(pipe.frames)).toEqual([]);
    pipe.waiting = 2 ** 19 + 1;
    jest.advanceTimersByTime(100);
    expect(known(pipe.frames)).toEqual([]);
    pipe.waiting = 0;
    jest.advanceTimersByTime(100);
    const [gap, changes] = pipe.frames.slice(-2);
    expect(gap).toMatchObject({ type: "gap", frames: 6 });
    expect((changes as ChangesFrame).accepted).toHaveLength(5);
    feed.close();
    expect(pipe.ended).toBe(true);
  });

  it("give a slow reader the history by and by", async () => {
    const bus = busOfOrders();
    const { feed } = feedOf(bus);
    for (let n = 0; n < 500; n++) void bus.dispatch(new PlaceOrder(`o${n}`));
    const pipe = new TestPipe();
    pipe.waiting = 2 ** 20;
    feed.connect(pipe, undefined);
    void bus.dispatch(new PlaceOrder("late"));
    jest.advanceTimersByTime(300);
    expect(pipe.frames.map(({ type }) => type)).toEqual(["hello"]);
    pipe.waiting = 0;
    jest.advanceTimersByTime(100);
    expect(pipe.frames.map(({ type }) => type)).toEqual(["hello", "history", "history", "changes"]);
    expect(known(pipe.frames)).toHaveLength(500);
    feed.close();
  });

  it("are pings while nothing happens, and describe the parts once a second", () => {
    const bus = busOfOrders();
    const { feed } = feedOf(bus);
    const pipe = new TestPipe();
    feed.connect(pipe, undefined);
    jest.advanceTimersByTime(2_000);
    expect(pipe.texts).toHaveLength(1);
    jest.advanceTimersByTime(4_000);
    expect(pipe.texts.slice(1)).toEqual([": ping\n\n"]);
    class Added {}
    bus.register(Added, () => undefined);
    jest.advanceTimersByTime(1_000);
    const { parts } = ofType(pipe.frames, "changes").at(-1)!;
    expect(parts![0]!.bus!.handlers.map(({ messageType }) => messageType)).toEqual(["PlaceOrder", "Added"]);
    feed.close();
  });

  it("fall back to a rate of nothing", () => {
    const bus = busOfOrders();
    const { feed } = feedOf(bus);
    const pipe = new TestPipe();
    feed.connect(pipe, undefined);
    void bus.dispatch(new PlaceOrder("o1"));
    jest.advanceTimersByTime(1_000);
    const rates = (): number[] =>
      ofType(pipe.frames, "changes").flatMap(({ types = [] }) => types.map(({ rate }) => rate));
    expect(rates().at(-1)).toBeGreaterThan(0);
    jest.advanceTimersByTime(12_000);
    expect(rates().at(-1)).toBe(0);
    const count = pipe.frames.length;
    jest.advanceTimersByTime(10_000);
    expect(pipe.frames).toHaveLength(count);
    feed.close();
  });

  it("reach listeners in the process, and one that throws does not reach the others", () => {
    const log = jest.spyOn(console, "error").mockImplementation(() => undefined);
    const bus = busOfOrders();
    const { feed } = feedOf(bus);
    void bus.dispatch(new PlaceOrder("o1"));
    const frames: Frame[] = [];
    feed.subscribe(() => {
      throw new Error("from a listener");
    });
    feed.subscribe((frame) => frames.push(frame));
    expect(known(frames)).toEqual(["PlaceOrder fulfilled"]);
    void bus.dispatch(new PlaceOrder("o2"));
    jest.advanceTimersByTime(100);
    expect(known(frames)).toHaveLength(2);
    expect(log).toHaveBeenCalled();
    feed.close();
    log.mockRestore();
  });
});

describe("parts", () => {
  it("are described beside the buses, as plain data without secrets", () => {
    const bus = new CommandBus({ name: "orders" });
    const link = { describe: () => ({ state: "up", token: "s-1", self: (): void => undefined }) };
    const broken = {
      describe: (): object => {
        throw new Error("s-2");
      },
    };
    using inspector = inspect({ bus, link, broken });
    const frames: Frame[] = [];
    inspector.subscribe((frame) => frames.push(frame))();
    expect((frames[0] as HelloFrame).parts).toMatchObject([
      { name: "bus", bus: { name: "orders" } },
      { name: "link", other: { state: "up", token: "[Redacted]", self: "[Function]" } },
      { name: "broken", other: "describe() failed: Error" },
    ]);
  });

  it("of an array have the names of their buses, each once", () => {
    expect(partsOf([new CommandBus(), new CommandBus()]).map(({ name }) => name)).toEqual([
      "CommandBus",
      "CommandBus 2",
    ]);
  });
});
