import { describe, expect, it } from "@jest/globals";
import { CloudEvent } from "cloudevents";
import { Envelope, EventBus } from "cqrx";
import { Link, MemoryBroker, memoryTransport, type Frame } from "cqrx/transport";
import { OrderPlaced, until } from "./support.js";

/** Publishes an event as a CloudEvent and returns the frame that was stored. */
async function stored(envelope: Envelope<OrderPlaced>, source?: string): Promise<Frame> {
  const transport = await memoryTransport();
  const link = new Link(transport, source === undefined ? {} : { source });
  const bus = new EventBus();
  link.route(bus, [OrderPlaced], { format: "cloudevents" });
  const frames: Frame[] = [];
  await transport.read({ kind: "event", start: "all" }, (frame) => frames.push(frame));
  await bus.publish(envelope);
  await link.close();
  return frames[0]!;
}

describe("CloudEvents, checked by the package of CNCF", () => {
  it.each([
    ["the least", Envelope.of(new OrderPlaced("o1")), undefined],
    [
      "everything",
      Envelope.of(new OrderPlaced("ä\u2028o1", 7), {
        causationId: "c0",
        correlationId: "c1",
        headers: {
          traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          tracestate: "a=b",
          tenant: "t1",
        },
      }),
      "/shop/orders",
    ],
    ["an empty key", Envelope.of(new OrderPlaced("")), "urn:shop:orders"],
    ["a time that RFC 3339 cannot write", Envelope.of(new OrderPlaced("o1"), { time: 8.64e15 }), undefined],
  ])("%s is an event in structured JSON, valid in strict mode", async (_, envelope, source) => {
    const { headers, body } = await stored(envelope, source);
    expect(headers["content-type"]).toBe("application/cloudevents+json");
    const data = JSON.parse(new TextDecoder().decode(body)) as Record<string, unknown>;
    const event = new CloudEvent(data, true);
    expect(event.validate()).toBe(true);
    const { id, name, correlationId } = envelope.meta;
    expect(event).toMatchObject({ id, type: name, source: source ?? "cqrx", correlationid: correlationId });
    // The rules of the specification that the package does not check.
    for (const [attribute, value] of Object.entries(data)) {
      expect(attribute).toMatch(/^[a-z0-9]{1,20}$/);
      if (attribute !== "data") expect(value).toMatch(/./);
    }
  });

  it("an event that the package has made is read as a message, also without extensions", async () => {
    const broker = new MemoryBroker();
    const transport = await memoryTransport({ broker });
    const link = new Link(await memoryTransport({ broker }));
    const bus = new EventBus();
    const seen: Envelope<OrderPlaced>[] = [];
    bus.register(OrderPlaced, (_event, { envelope }) => void seen.push(envelope));
    await link.serve(bus, [OrderPlaced], { group: "g" });
    const event = new CloudEvent({ source: "/other", type: "OrderPlaced", data: { orderId: "o1", step: 2 } });
    await transport.append(
      "s.e.0.OrderPlaced",
      { headers: {}, body: new TextEncoder().encode(JSON.stringify(event)) },
      { id: event.id, type: "OrderPlaced", signal: new AbortController().signal, timeoutMs: 20_000 },
    );
    await until(() => seen.length === 1);
    expect(seen[0]!.payload).toStrictEqual(new OrderPlaced("o1", 2));
    expect(seen[0]!.meta).toMatchObject({ id: event.id, version: 1, time: Date.parse(event.time!) });
    await Promise.all([link.close(), transport.close()]);
  });

  it("a source that is not a URI reference is refused", async () => {
    const transport = await memoryTransport();
    for (const source of ["", "my app", "a\nb", "ä"])
      expect(() => new Link(transport, { source })).toThrow("source must be a URI reference");
    await new Link(transport, { source: "https://shop.example/orders?x=1#a" }).close();
  });
});
