import { expect, it } from "@jest/globals";
import type { JetStreamClient, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import { StoredConsumer } from "../../src/nats/consumer.js";
import type { Connection } from "../../src/nats/connection.js";
import { until } from "../transport/support.js";

/** A message that the server delivers, as far as a consumer looks at it. */
const message = (seq: number, deliveryCount: number): JsMsg =>
  ({
    seq,
    redelivered: deliveryCount > 1,
    info: { deliveryCount },
    subject: "cqrx.s.c.0.a",
    data: new Uint8Array(),
    ackAck: () => Promise.resolve(true),
    nak: () => undefined,
    working: () => undefined,
  }) as unknown as JsMsg;

it("does not run a message beside itself that is delivered again while it runs", async () => {
  const pulls = [[message(1, 1)], [message(1, 2), message(2, 1)], [message(1, 3)]];
  const connection = {
    connected: true,
    connectedWithin: () => Promise.resolve(true),
  } as unknown as Connection;
  const fetch = async (): Promise<unknown> => {
    const messages = pulls.shift() ?? [];
    if (messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    return Object.assign(
      (async function* () {
        yield* messages;
      })(),
      { stop: () => undefined },
    );
  };
  const js = { consumers: { get: () => Promise.resolve({ fetch }) } } as unknown as JetStreamClient;
  const jsm = {
    consumers: { info: () => Promise.resolve(), update: () => Promise.resolve() },
  } as unknown as JetStreamManager;

  const seen: string[] = [];
  const settle: (() => void)[] = [];
  const spec = {
    stream: "s",
    durable: "d",
    filter: undefined,
    prefix: "cqrx",
    types: new Set(["a"]),
    group: "g",
    concurrency: 8,
    ackWaitMs: 60_000,
    start: "all",
    ordered: false,
  } as const;
  const consumer = new StoredConsumer(
    connection,
    js,
    jsm,
    spec,
    async (delivery) => {
      seen.push(`${delivery.position}/${delivery.attempt}`);
      await new Promise<void>((resolve) => settle.push(resolve));
      await delivery.ack();
    },
    { bury: () => Promise.resolve(), remakeStreams: () => Promise.resolve() },
  );
  await consumer.start();
  try {
    await until(() => seen.includes("2/1") && pulls.length === 0);
    expect(seen).toEqual(["1/1", "2/1"]);

    // Once it is settled, another delivery of it runs.
    for (const each of settle.splice(0)) each();
    pulls.push([message(1, 4)]);
    await until(() => seen.includes("1/4"));
    expect(seen).toEqual(["1/1", "2/1", "1/4"]);
  } finally {
    for (const each of settle) each();
    await consumer.stop();
  }
});
