import { describe, expect, it } from "@jest/globals";
import { CommandBus, EventBus } from "cqrx";
import { CommandQueue, Database, EventStore, transactional } from "cqrx/postgres";
import { scenario } from "cqrx/testing";
import type { TestServer } from "../support/servers.js";
import { suiteOn } from "../support/suite.js";

class OrderPlaced {
  constructor(readonly id: string) {}
}
class PaymentReceived {
  constructor(readonly id: string) {}
}
class OrderClosed {
  constructor(readonly id: string) {}
}
class CancelOrder {
  constructor(readonly id: string) {}
}
class ShipOrder {
  constructor(readonly id: string) {}
}

export function scenariosConformance(server: TestServer): void {
  const suite = suiteOn(server);

  /** A process manager: a timeout for each order, which its payment takes back. */
  function payments() {
    const db = new Database(suite.pool, { schema: suite.schema });
    const queue = new CommandQueue(db);
    const store = new EventStore(db, { types: [OrderClosed] });
    const bus = new EventBus();
    bus.register(OrderPlaced, async ({ id }, context) => {
      await queue.enqueue(new CancelOrder(id), { delayMs: 3_600_000, causedBy: context });
      if (id === "bad") throw new Error("no stock");
    });
    bus.register(PaymentReceived, async ({ id }, context) => {
      await queue.enqueue(new ShipOrder(id), { causedBy: context });
      await store.append(id, [new OrderClosed(id), new OrderClosed(`${id} again`)], { causedBy: context });
      await store.publish(new OrderClosed(`${id} outside`));
    });
    return { db, bus };
  }
  const commands = async (): Promise<number> => {
    const { rows } = await suite.pool.query(`select count(*)::int as count from ${suite.schema}.commands`);
    return (rows[0] as { count: number }).count;
  };

  describe("scenarios on a database", () => {
    it("count stored commands, with a delay or without, and stored events as sent", async () => {
      const { db, bus } = payments();
      await scenario(db, bus).when(new OrderPlaced("o1")).thenSends(new CancelOrder("o1"));
      await scenario(db, bus)
        .given(new OrderPlaced("o2"))
        .when(new PaymentReceived("o2"))
        .thenSends(
          new ShipOrder("o2"),
          new OrderClosed("o2"),
          new OrderClosed("o2 again"),
          new OrderClosed("o2 outside"),
        );
    });

    it("run each message in one transaction, so that a failure stores nothing", async () => {
      const { db, bus } = payments();
      const before = await commands();
      const { sent } = await scenario(db, bus).when(new OrderPlaced("bad")).thenFailsWith("no stock");
      expect(sent).toEqual([]);
      expect(await commands()).toBe(before);
    });

    it("join the transaction of middleware, and leave other work on the database alone", async () => {
      const { db } = payments();
      const queue = new CommandQueue(db);
      const bus = new CommandBus({ middleware: [transactional(db)] });
      bus.register(ShipOrder, async ({ id }, context) => {
        await queue.enqueue(new CancelOrder(id), { causedBy: context });
      });
      const played = scenario(bus, db).when(new ShipOrder("o3"), new ShipOrder("o4"));
      await played.thenSends(new CancelOrder("o3"), new CancelOrder("o4"));
      await queue.enqueue(new CancelOrder("later"));
      expect((await played.thenSucceeds()).sent).toHaveLength(2);
    });

    it("take one database", () => {
      const { db, bus } = payments();
      expect(() => scenario(db, bus, payments().db)).toThrow("scenario() takes one database.");
    });
  });
}
