import { afterEach, describe, expect, it } from "@jest/globals";
import { CommandBus, EventBus } from "cqrx";
import { inspect, type HelloFrame, type Inspected } from "cqrx/inspector";
import { CommandQueue, Database, EventStore } from "cqrx/postgres";
import { Link, memoryTransport } from "cqrx/transport";
import { until } from "./support.js";

class PlaceOrder {
  constructor(readonly orderId: string) {}
}
class OrderPlaced {
  constructor(readonly orderId: string) {}
}

const closing: { close(): Promise<unknown> }[] = [];
afterEach(async () => {
  for (const part of closing.splice(0)) await part.close();
});

/** A database that answers every statement by one row, which tells a feed and a worker that there is nothing to do. */
function database(): Database {
  const row = { unplaced: false, head: 7, position: 7, id: null, suspects: false, deleted: null };
  const query = (): Promise<{ rows: object[] }> => Promise.resolve({ rows: [row] });
  return new Database({ connect: () => Promise.resolve({ query, release: () => undefined }) });
}

/** Returns what the page receives about the parts, by name. */
function described(parts: Inspected): { readonly [name: string]: unknown } {
  using inspector = inspect(parts);
  let hello: HelloFrame | undefined;
  inspector.subscribe((frame) => {
    if (frame.type === "hello") hello = frame;
  })();
  return Object.fromEntries(hello!.parts.map(({ name, bus, other }) => [name, other ?? bus?.kind]));
}

describe("parts beside the buses", () => {
  it("are links, with what they route and serve", async () => {
    const [commands, events] = [new CommandBus(), new EventBus()];
    const link = new Link(await memoryTransport());
    closing.push(link);
    const routing = link.route(commands, [PlaceOrder]);
    await link.serve(events, [OrderPlaced], { group: "mail" });
    expect(described({ commands, events, link })).toEqual({
      commands: "command",
      events: "event",
      link: {
        transport: "memory",
        state: "connected",
        routed: ["PlaceOrder"],
        served: ["OrderPlaced"],
        calls: 0,
      },
    });
    routing.unsubscribe();
    expect(link.describe().routed).toEqual([]);
    await link.close();
    expect(link.describe()).toMatchObject({ state: "closed", served: [] });
  });

  it("are feeds and workers, with their state", async () => {
    const [commands, events] = [new CommandBus(), new EventBus()];
    commands.register(PlaceOrder, () => undefined);
    const db = database();
    const feed = new EventStore(db, { types: [OrderPlaced] }).feed("mail", events);
    const worker = new CommandQueue(db).work(commands, { types: [PlaceOrder] });
    closing.push(feed, worker);
    await until(() => feed.describe().position === 7);
    expect(described({ commands, feed, worker })).toEqual({
      commands: "command",
      feed: { name: "mail", state: "running", position: 7, types: ["OrderPlaced"] },
      worker: { types: ["PlaceOrder"], concurrency: expect.any(Number), running: [] },
    });
    await feed.close();
    expect(feed.describe().state).toBe("stopped");
  });

  it("are values that describe themselves, and text where that fails", () => {
    const failing = (): never => {
      throw new RangeError("no");
    };
    expect(
      described({ fine: { describe: () => ({ password: "x", n: 1 }) }, bad: { describe: failing } }),
    ).toEqual({
      fine: { password: "[Redacted]", n: 1 },
      bad: "describe() failed: RangeError",
    });
  });
});
