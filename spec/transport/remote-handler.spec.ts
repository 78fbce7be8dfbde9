import { describe, expect, it } from "@jest/globals";
import { CommandBus, EventBus, InvalidOptionsError } from "cqrx";
import { Link, memoryTransport } from "cqrx/transport";
import { canaries, withTraps } from "../support/traps.js";
import { OrderPlaced, PlaceOrder } from "./support.js";

describe("a function among the options of a link", () => {
  it.each([[5], [null], [Promise.resolve("o1")]])(
    "is refused where it returns %p as the key of an order, which would be one partition for all",
    (key) =>
      withTraps(async () => {
        const bus = new EventBus();
        const link = new Link(await memoryTransport());
        link.route(bus, [OrderPlaced], { key: () => key as never });
        const { errors } = (await bus.publish(new OrderPlaced("o1", 1)).catch((error: unknown) => error)) as {
          errors: Error[];
        };
        expect(errors[0]).toBeInstanceOf(InvalidOptionsError);
        expect(errors[0]!.message).toContain(
          "link.route(): key must be a function that returns a text or undefined; received ",
        );
        await link.close();
        await canaries(bus);
      }),
  );

  it.each([[5], [null], [Promise.resolve({ a: "b" })]])(
    "is refused where it returns %p as headers",
    (headers) =>
      withTraps(async () => {
        const bus = new CommandBus();
        const link = new Link(await memoryTransport(), { headers: () => headers as never });
        link.route(bus, [PlaceOrder], { until: "stored" });
        await expect(bus.dispatch(new PlaceOrder("o1"))).rejects.toThrow(
          "new Link(): headers must be a function that returns an object or undefined; received ",
        );
        await link.close();
        await canaries(bus);
      }),
  );

  it("cannot replace a beginning: an invalid Date is refused", async () => {
    const link = new Link(await memoryTransport());
    expect(() => link.replay$([OrderPlaced], { start: new Date(NaN) })).toThrow("start must be");
    await link.close();
    await canaries(new CommandBus());
  });
});
