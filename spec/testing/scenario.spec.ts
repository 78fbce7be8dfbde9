import { describe, expect, it } from "@jest/globals";
import { Command, CommandBus, DomainEvent, Envelope, EventBus, ofType, Query, QueryBus, saga } from "cqrx";
import { scenario } from "cqrx/testing";
import { map } from "rxjs";
import { canaries, macrotask, withTraps } from "../support/traps.js";

class PlaceOrder extends Command {
  readonly id: string;

  constructor(id: string) {
    super();
    this.id = id;
  }
}

class OrderPlaced extends DomainEvent {
  readonly id: string;

  constructor(id: string) {
    super();
    this.id = id;
  }
}

class ReserveStock {
  readonly id: string;

  constructor(id: string) {
    this.id = id;
  }
}

class GetOrders extends Query<string[]> {}

class SoldOutError extends Error {}

function shop() {
  const [commandBus, queryBus, eventBus] = [new CommandBus(), new QueryBus(), new EventBus()];
  const orders: string[] = [];
  commandBus.register(PlaceOrder, async ({ id }, context) => {
    await macrotask();
    await queryBus.ask(new GetOrders(), { causedBy: context });
    if (id === "sold out") throw new SoldOutError("nothing is left");
    orders.push(id);
    await eventBus.publish(new OrderPlaced(id), { causedBy: context });
  });
  commandBus.register(ReserveStock, () => macrotask());
  queryBus.register(GetOrders, () => [...orders]);
  saga(eventBus, commandBus, (events$) =>
    events$.pipe(
      ofType(OrderPlaced),
      map(({ payload }) => new ReserveStock(payload.id)),
    ),
  );
  const buses = [commandBus, queryBus, eventBus] as const;
  return { buses, eventBus, commandBus, queryBus, play: scenario(...buses) };
}

const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "(no error)",
    (error: Error) => error.message,
  );

describe("scenario", () => {
  it("tests a saga by the event that it reacts to", () =>
    withTraps(async () => {
      const { play, buses } = shop();
      await play.when(new OrderPlaced("o1")).thenSends(new ReserveStock("o1"));
      await canaries(...buses);
    }));

  it("plays the given messages, then the tested one, and sees all its effects except queries", () =>
    withTraps(async () => {
      const { play, buses } = shop();

      const { sent, outcome, faults } = await play
        .given(new PlaceOrder("o1"))
        .when(new PlaceOrder("o2"))
        .thenSends(new OrderPlaced("o2"), new ReserveStock("o2"));

      expect(sent.map(({ meta }) => meta.name)).toEqual(["OrderPlaced", "ReserveStock"]);
      expect(outcome).toEqual({ status: "fulfilled", value: undefined });
      expect(faults).toEqual([]);
      await play.when(new GetOrders()).thenReturns(["o1", "o2"]);
      await play.when(new GetOrders()).thenSendsNothing();
      await play.when(new ReserveStock("o1"), new ReserveStock("o2")).thenSucceeds();
      await canaries(...buses);
    }));

  it("takes envelopes, and events without a handler", () =>
    withTraps(async () => {
      class Heard {
        readonly by = "nobody";
      }
      const { play } = shop();
      await play.when(new Heard()).thenSendsNothing();
      const { sent } = await play
        .when(Envelope.of(new PlaceOrder("o1"), { correlationId: "request-7" }))
        .thenSends(Envelope.of(new OrderPlaced("o1")), new ReserveStock("o1"));
      expect(sent[0]!.meta.correlationId).toBe("request-7");
    }));

  it("knows failures by class and by text", () =>
    withTraps(async () => {
      const { play, buses, eventBus } = shop();
      const { outcome } = await play.when(new PlaceOrder("sold out")).thenFailsWith(SoldOutError);
      expect(outcome).toMatchObject({ status: "rejected", reason: { message: "nothing is left" } });
      await play.when(new PlaceOrder("sold out")).thenFailsWith("nothing is");
      await play.when(new PlaceOrder("sold out")).thenFailsWith(/left$/);
      // One of the errors of several handlers.
      eventBus.register(OrderPlaced, () => Promise.reject(new SoldOutError("late")));
      await play.when(new OrderPlaced("o1")).thenFailsWith(SoldOutError);
      await canaries(...buses);
    }));

  it("is a description: each part can be played again", () =>
    withTraps(async () => {
      const { play } = shop();
      const placed = play.given(new PlaceOrder("o1")).when(new GetOrders());
      await placed.thenReturns(["o1"]);
      await placed.thenReturns(["o1", "o1"]);
    }));
});

describe("a scenario that goes otherwise", () => {
  it("says what was sent instead", () =>
    withTraps(async () => {
      const { play } = shop();
      expect(await messageOf(play.when(new PlaceOrder("o1")).thenSends(new OrderPlaced("o2")))).toBe(
        'PlaceOrder should have sent\n  OrderPlaced { id: "o2" }\nand has sent\n  OrderPlaced { id: "o1" }\n  ReserveStock { id: "o1" }',
      );
      expect(await messageOf(play.when(new PlaceOrder("o1")).thenSendsNothing())).toBe(
        'PlaceOrder should have sent\n  (nothing)\nand has sent\n  OrderPlaced { id: "o1" }\n  ReserveStock { id: "o1" }',
      );
    }));

  it("says what was returned instead", () =>
    withTraps(async () => {
      const { play } = shop();
      expect(await messageOf(play.when(new GetOrders()).thenReturns(["o1"]))).toBe(
        'GetOrders should have returned\n  ["o1"]\nand has returned\n  []',
      );
    }));

  it("says when what it expected only looks the same", () =>
    withTraps(async () => {
      const { play, queryBus } = shop();
      const Other = { OrderPlaced: class OrderPlaced extends PlaceOrder {} };
      const hint =
        "\nThey look the same and are not equal: they have different classes of one name, or differ in fields that are not shown.";
      const placed = play.when(new PlaceOrder("o1"));

      expect(await messageOf(placed.thenSends(new Other.OrderPlaced("o1"), new ReserveStock("o1")))).toBe(
        'PlaceOrder should have sent\n  OrderPlaced { id: "o1" }\n  ReserveStock { id: "o1" }' +
          `\nand has sent\n  OrderPlaced { id: "o1" }\n  ReserveStock { id: "o1" }${hint}`,
      );
      // Envelopes stand for their payloads, and are shown as them.
      expect(await messageOf(placed.thenSends(Envelope.of(new OrderPlaced("o2"))))).toMatch(
        'PlaceOrder should have sent\n  OrderPlaced { id: "o2" }\nand has sent\n  OrderPlaced { id: "o1" }',
      );

      class GetPrices extends Query<unknown> {}
      queryBus.register(GetPrices, () => [Promise.resolve(1)]);
      expect(await messageOf(play.when(new GetPrices()).thenReturns([Promise.resolve(1)]))).toBe(
        `GetPrices should have returned\n  [Promise {}]\nand has returned\n  [Promise {}]${hint}`,
      );
    }));

  it("says how it failed, with the error as its cause", () =>
    withTraps(async () => {
      const { play } = shop();
      const played = play.when(new PlaceOrder("sold out")).thenSends(new OrderPlaced("sold out"));
      await expect(played).rejects.toMatchObject({
        message: "PlaceOrder should have succeeded\nand was rejected with\n  Error: nothing is left",
        cause: new SoldOutError("nothing is left"),
      });
      expect(await messageOf(play.when(new PlaceOrder("sold out")).thenFailsWith(TypeError))).toBe(
        "PlaceOrder should have failed with\n  [Function TypeError]\nand was rejected with\n  Error: nothing is left",
      );
      expect(await messageOf(play.when(new PlaceOrder("o1")).thenFailsWith("no"))).toBe(
        'PlaceOrder should have failed with\n  "no"\nand has succeeded',
      );
    }));

  it("says that a given message failed", () =>
    withTraps(async () => {
      const { play } = shop();
      expect(
        await messageOf(play.given(new PlaceOrder("sold out")).when(new GetOrders()).thenSucceeds()),
      ).toBe("PlaceOrder, which was given, was rejected with\n  Error: nothing is left");
    }));

  it("fails for faults, unless they are expected", () =>
    withTraps(async () => {
      const { play, queryBus, buses } = shop();
      const broken = queryBus.outcomes$.subscribe(() => {
        throw new Error("broken dashboard");
      });

      expect(await messageOf(play.when(new GetOrders()).thenReturns([]))).toBe(
        "GetOrders should have caused no fault\nReported on faults$:\n  observer, outcomes$: Error: broken dashboard\n" +
          "Add .despiteFaults if the fault is expected.",
      );
      const { faults } = await play.when(new GetOrders()).despiteFaults.thenReturns([]);
      expect(faults.map(({ kind }) => kind)).toEqual(["observer"]);
      broken.unsubscribe();
      await canaries(...buses);
    }));

  it("says when no bus, or more than one, is for a message", () =>
    withTraps(async () => {
      const { commandBus, queryBus } = shop();
      expect(await messageOf(scenario(queryBus).when(new PlaceOrder("o1")).thenSucceeds())).toBe(
        "No bus of this scenario takes PlaceOrder; pass scenario() the bus that it is sent on.",
      );
      const other = new CommandBus({ name: "other" });
      other.register(PlaceOrder, () => undefined);
      expect(await messageOf(scenario(commandBus, other).when(new PlaceOrder("o1")).thenSucceeds())).toBe(
        "PlaceOrder could be sent on CommandBus and other; pass scenario() only one of them.",
      );
    }));
});
