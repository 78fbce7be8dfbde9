import { describe, expect, it, jest } from "@jest/globals";
import { CommandBus, EventBus, QueryBus } from "cqrx";
import { inspect } from "cqrx/inspector";
import { canaries, withTraps } from "../support/traps.js";
import {
  collectGarbage,
  GetOrder,
  macrotask,
  OrderPlaced,
  payloadOf,
  PlaceOrder,
  shop,
  states,
  until,
} from "./support.js";

class Hold {
  constructor(readonly released: Promise<void>) {}
}

/** A bus whose commands do nothing. */
function quietBus(): CommandBus {
  const bus = new CommandBus();
  bus.register(PlaceOrder, () => undefined);
  return bus;
}

describe("the messages that are kept", () => {
  it("have their causes, times, results, errors and buses", async () => {
    const buses = shop();
    using inspector = inspect({ ...buses });
    await buses.commands.dispatch(new PlaceOrder("o1"), { headers: { "x-request-id": "r1" } });
    await buses.commands.dispatch(new PlaceOrder("none")).catch(() => undefined);
    expect(states(inspector)).toEqual([
      "PlaceOrder fulfilled",
      "GetOrder fulfilled",
      "OrderPlaced fulfilled",
      "PlaceOrder rejected",
      "GetOrder fulfilled",
    ]);
    const [placed, asked, published, failed] = inspector.messages();
    expect(placed).toMatchObject({
      order: 1,
      kind: "command",
      bus: "commands",
      payload: '{"orderId":"o1"}',
      headers: '{"x-request-id":"r1"}',
      attempts: 1,
    });
    expect(placed).not.toHaveProperty("causationId");
    expect(asked).toMatchObject({
      kind: "query",
      causationId: placed!.id,
      correlationId: placed!.id,
      result: '{"orderId":"o1","lines":[1,2]}',
    });
    expect(published).toMatchObject({ kind: "event", causationId: placed!.id });
    expect(published).not.toHaveProperty("result");
    expect(failed!.error).toMatchObject({ name: "OutOfStockError", message: "there is none left" });
    expect(failed!.error!.stack).toContain("OutOfStockError");
    expect(placed!.time).toBeLessThanOrEqual(asked!.time);
    expect(placed!.durationMs).toBeGreaterThanOrEqual(0);
    await canaries(buses.commands, buses.queries, buses.events);
  });

  it("are open until they settle, and cancelled if they were aborted", async () => {
    const bus = new CommandBus();
    bus.register(Hold, ({ released }) => released);
    using inspector = inspect(bus);
    let release: () => void = () => undefined;
    const held = bus.dispatch(new Hold(new Promise((resolve) => (release = resolve))));
    const controller = new AbortController();
    const aborted = bus.dispatch(new Hold(new Promise(() => undefined)), { signal: controller.signal });
    expect(states(inspector)).toEqual(["Hold open", "Hold open"]);
    expect(inspector.counts).toMatchObject({ accepted: 2, inFlight: 2 });
    controller.abort();
    await aborted.catch(() => undefined);
    release();
    await held;
    expect(states(inspector)).toEqual(["Hold fulfilled", "Hold cancelled"]);
    expect(inspector.counts).toMatchObject({
      accepted: 2,
      fulfilled: 1,
      cancelled: 1,
      rejected: 0,
      inFlight: 0,
    });
    await canaries(bus);
  });

  it("end when the inspector is closed, and stay readable", async () => {
    const bus = quietBus();
    const inspector = inspect(bus);
    await bus.dispatch(new PlaceOrder("o1"));
    await inspector.close();
    await bus.dispatch(new PlaceOrder("o2"));
    expect(inspector.messages().map(payloadOf)).toEqual([{ orderId: "o1" }]);
    expect(inspector.toJSONLines()).toBe(`${JSON.stringify(inspector.messages()[0])}\n`);
    await canaries(bus);
  });

  it("150 are not kept when the inspector is off, as it is in production", async () => {
    const bus = quietBus();
    const { NODE_ENV } = process.env;
    process.env["NODE_ENV"] = "production";
    try {
      for (const inspector of [inspect(bus), inspect(bus, { enabled: false })]) {
        await bus.dispatch(new PlaceOrder("o1"));
        expect(inspector.messages()).toEqual([]);
        expect(inspector.counts.accepted).toBe(0);
        expect(await inspector.listen()).toMatchObject({ url: undefined, port: undefined });
      }
      const on = inspect(bus, { enabled: true });
      await bus.dispatch(new PlaceOrder("o1"));
      expect(on.messages()).toHaveLength(1);
      await on.close();
    } finally {
      process.env["NODE_ENV"] = NODE_ENV;
    }
  });

  it("174 are bounded in bytes and in number", async () => {
    const bus = quietBus();
    using inspector = inspect(bus, { capacity: 50, maxBytes: 50_000, maxPerSecond: 10_000 });
    const large = "x".repeat(10 * 2 ** 20);
    for (let n = 0; n < 1_000; n++) await bus.dispatch(new PlaceOrder(`o${n}`, large));
    expect(inspector.counts.bytes).toBeLessThanOrEqual(50_000);
    expect(inspector.messages().length).toBeLessThanOrEqual(12);
    expect(payloadOf(inspector.messages().at(-1))).toMatchObject({ orderId: "o999" });
    for (let n = 0; n < 1_000; n++) await bus.dispatch(new PlaceOrder(`s${n}`));
    expect(inspector.messages()).toHaveLength(50);
    expect(inspector.counts).toMatchObject({ accepted: 2_000, kept: 2_000 });
    await canaries(bus);
  });

  it("count the text of results and errors in", async () => {
    const bus = new QueryBus();
    bus.register(GetOrder, () => "y".repeat(3_000));
    using inspector = inspect(bus, { maxBytes: 20_000 });
    for (let n = 0; n < 100; n++) await bus.ask(new GetOrder(`o${n}`));
    expect(inspector.counts.bytes).toBeLessThanOrEqual(20_000);
    expect(inspector.messages().length).toBeLessThan(8);
  });

  it("hold no object of the application", async () => {
    const bus = new QueryBus();
    class Large {
      readonly text = "x".repeat(2 ** 20);
      readonly self = this;
    }
    bus.register(Large, (message) => ({ message, text: "y".repeat(2 ** 20) }));
    using inspector = inspect(bus);
    const references: WeakRef<object>[] = [];
    const send = async (): Promise<void> => {
      for (let n = 0; n < 20; n++) {
        const message = new Large();
        const result = (await bus.ask(message)) as object;
        references.push(new WeakRef(message), new WeakRef(result));
      }
    };
    await send();
    await until(async () => {
      await macrotask();
      collectGarbage();
      return references.every((reference) => reference.deref() === undefined);
    });
    expect(inspector.messages()).toHaveLength(20);
    await canaries(bus);
  });

  it("37 hold no secret, and the handler still gets it", async () => {
    const bus = new CommandBus();
    const seen: unknown[] = [];
    bus.register(PlaceOrder, (message) => void seen.push(message));
    using inspector = inspect(bus, {
      redact: ["more.customer.mail", "more.items.*.price", "note", "headers.x-tenant"],
    });
    const more = {
      customer: { name: "Ada", mail: "ada@example.com", API_KEY: "s-1" },
      mail: "kept",
      items: [{ price: 987_654_321, sku: "A" }],
      deep: { note: "s-2", "set-cookie": "s-3", card: { number: "s-4" }, accessToken: "s-5" },
      map: new Map([["password", "s-6"]]),
    };
    const message = new PlaceOrder("o1", more);
    const before = structuredClone(more);
    await bus.dispatch(message, { headers: { "x-tenant": "s-7", authorization: "s-8", "x-id": "kept" } });
    const [record] = inspector.messages();
    expect(JSON.stringify(inspector.messages()) + inspector.toJSONLines()).not.toMatch(/s-\d|ada@|987654321/);
    expect(payloadOf(record)).toEqual({
      orderId: "o1",
      more: {
        customer: { name: "Ada", mail: "[Redacted]", API_KEY: "[Redacted]" },
        mail: "kept",
        items: [{ price: "[Redacted]", sku: "A" }],
        deep: {
          note: "[Redacted]",
          "set-cookie": "[Redacted]",
          card: "[Redacted]",
          accessToken: "[Redacted]",
        },
        map: { password: "[Redacted]" },
      },
    });
    expect(record!.headers).toBe('{"x-tenant":"[Redacted]","authorization":"[Redacted]","x-id":"kept"}');
    expect(seen).toEqual([message]);
    expect(more).toEqual(before);
    await canaries(bus);
  });

  it("are as the options about payload and result say", async () => {
    const { queries } = shop();
    const keep = async (options: Parameters<typeof inspect>[1]): Promise<unknown[]> => {
      using inspector = inspect(queries, options);
      await queries.ask(new GetOrder("o1"));
      return inspector.messages().map(({ payload, result }) => [payload, result]);
    };
    const result = '{"orderId":"o1","lines":[1,2]}';
    expect(await keep({ payload: false })).toEqual([[undefined, result]]);
    expect(await keep({ payload: (message) => Object.keys(message) })).toEqual([['["orderId"]', undefined]]);
    expect(await keep({ payload: () => 1, result: true })).toEqual([["1", result]]);
    expect(await keep({ result: (value, message) => [typeof value, message instanceof GetOrder] })).toEqual([
      ['{"orderId":"o1"}', '["object",true]'],
    ]);
    await canaries(queries);
  });

  it("167 leave the dispatch as it is when an option, a listener or a payload throws", () =>
    withTraps(async () => {
      const log = jest.spyOn(console, "error").mockImplementation(() => undefined);
      const bus = quietBus();
      const fail = (): never => {
        throw new Error("from the option");
      };
      using inspector = inspect(bus, { payload: fail, result: fail });
      inspector.subscribe(fail);
      const hostile = new Proxy({}, { ownKeys: fail, getPrototypeOf: fail, get: fail });
      using other = inspect(bus);
      await bus.dispatch(new PlaceOrder("o1", hostile));
      expect(states(inspector)).toEqual(["PlaceOrder fulfilled"]);
      expect(inspector.messages()[0]!.payload).toContain("threw");
      expect(payloadOf(other.messages()[0])).toEqual({ orderId: "o1", more: "[unreadable]" });
      await canaries(bus);
      log.mockRestore();
    }));
});

describe("sampling", () => {
  it("keeps a burst of up to maxPerSecond messages whole", async () => {
    const bus = quietBus();
    using inspector = inspect(bus);
    for (let n = 0; n < 500; n++) void bus.dispatch(new PlaceOrder(`o${n}`));
    expect(inspector.messages()).toHaveLength(500);
  });

  it("keeps families whole, every failure, and counts all", async () => {
    const buses = shop();
    using inspector = inspect({ ...buses }, { maxPerSecond: 50 });
    const all: Promise<void>[] = [];
    for (let n = 0; n < 1_000; n++)
      all.push(buses.commands.dispatch(new PlaceOrder(n % 100 === 99 ? "none" : `o${n}`)));
    await Promise.allSettled(all);
    const messages = inspector.messages();
    expect(inspector.counts).toMatchObject({ accepted: 2_990, fulfilled: 2_980, rejected: 10 });
    expect(messages.filter(({ state }) => state === "rejected")).toHaveLength(10);
    const families = new Map<string, number>();
    for (const { correlationId } of messages)
      families.set(correlationId, (families.get(correlationId) ?? 0) + 1);
    const failed = new Set(messages.filter(({ state }) => state === "rejected").map(({ id }) => id));
    const whole = [...families].filter(([family]) => !failed.has(family));
    expect(whole.length).toBeGreaterThan(0);
    expect(messages.length).toBeLessThan(1_000);
    expect(whole.map(([, size]) => size)).toEqual(whole.map(() => 3));
  });

  it("keeps messages that another process caused", async () => {
    const bus = new EventBus();
    using inspector = inspect(bus);
    const { Envelope } = await import("cqrx");
    await bus.publish(Envelope.of(new OrderPlaced("o1"), { correlationId: "theirs", causationId: "far" }));
    expect(inspector.messages()).toMatchObject([{ correlationId: "theirs", causationId: "far" }]);
  });

  it("keeps what is caused under the correlation id of two messages while one of them is kept", async () => {
    const bus = new EventBus();
    using inspector = inspect(bus, { capacity: 3, maxPerSecond: 4 });
    const { Envelope } = await import("cqrx");
    const publish = (orderId: string, causationId?: string): Promise<void> =>
      bus.publish(Envelope.of(new OrderPlaced(orderId), { correlationId: "theirs", causationId }));
    await publish("first");
    await publish("second");
    await publish("caused", "far");
    await bus.publish(new OrderPlaced("other"));
    await publish("caused later", "far");
    await bus.publish(new OrderPlaced("beyond the budget"));
    const kept = ["caused", "other", "caused later"].map((orderId) => ({ orderId }));
    expect(inspector.messages().map(payloadOf)).toEqual(kept);
  });

  it("keeps failures where nothing else is kept", async () => {
    const { commands } = shop();
    using inspector = inspect(commands, { maxPerSecond: 0 });
    await commands.dispatch(new PlaceOrder("o1"));
    await commands.dispatch(new PlaceOrder("none")).catch(() => undefined);
    expect(states(inspector)).toEqual(["PlaceOrder rejected"]);
    expect(payloadOf(inspector.messages()[0])).toEqual({ orderId: "none" });
  });
});

describe("the arguments of inspect()", () => {
  const bus = new CommandBus();

  it.each([
    ["an unknown option", { colour: "red" }, "unknown option colour"],
    ["a capacity of nothing", { capacity: 0 }, "capacity must be a finite whole number from 1"],
    ["no limit", { maxBytes: Infinity }, "maxBytes must be a finite whole number from 1"],
    ["a short token", { token: "short" }, "token must be at least 16 characters"],
    ["a token that a link cannot hold", { token: "1234 5678 9012 3456" }, "token must be"],
    ["a path with brackets", { redact: ["items[*].price"] }, "redact must be an array of paths"],
    ["a host with a path", { hosts: ["a/b"] }, "hosts must be"],
    ["null", { payload: null }, "payload must be true or false or a function"],
  ])("refuse %s", (_, options, text) => {
    expect(() => inspect(bus, options as object)).toThrow(text);
  });

  it("refuse what does not describe itself", () => {
    expect(() => inspect({ link: {} } as never)).toThrow('buses["link"] must be a bus, or an object');
    expect(() => inspect(undefined as never)).toThrow("buses must be a bus");
  });
});
