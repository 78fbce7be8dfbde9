import { afterEach, expect, it } from "@jest/globals";
import type { JetStreamClient, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import { StoredConsumer } from "../../src/nats/consumer.js";
import type { Connection } from "../../src/nats/connection.js";
import type { StoredDelivery } from "../../src/transport/transport.js";
import { until } from "../transport/support.js";

/** A message that the server delivers, as far as a consumer looks at it. */
const message = (seq: number, deliveryCount: number): JsMsg =>
  ({
    seq,
    reply: `$JS.ACK.${seq}.${deliveryCount}`,
    redelivered: deliveryCount > 1,
    info: { deliveryCount },
    subject: "cqrx.s.c.0.a",
    data: new Uint8Array(),
    working: () => undefined,
  }) as unknown as JsMsg;

const started: StoredConsumer[] = [];
afterEach(() => Promise.all(started.splice(0).map((consumer) => consumer.stop())));

/** A consumer whose server delivers the messages of each pull, and answers requests as `request` does. */
async function consume(
  pulls: JsMsg[][],
  request: (subject: string) => Promise<unknown>,
  handler: (delivery: StoredDelivery) => Promise<void>,
): Promise<void> {
  const fetch = async (): Promise<unknown> => {
    const messages = pulls.shift() ?? [];
    if (messages.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    async function* delivered(): AsyncGenerator<JsMsg> {
      yield* messages;
    }
    return Object.assign(delivered(), { stop: () => undefined });
  };
  const consumer = new StoredConsumer(
    {
      connected: true,
      connectedWithin: () => Promise.resolve(true),
      nc: { request },
    } as unknown as Connection,
    { consumers: { get: () => Promise.resolve({ fetch }) } } as unknown as JetStreamClient,
    {
      consumers: { info: () => Promise.resolve(), update: () => Promise.resolve() },
    } as unknown as JetStreamManager,
    {
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
    },
    handler,
    { bury: () => Promise.resolve(), remakeStreams: () => Promise.resolve() },
  );
  started.push(consumer);
  await consumer.start();
}

it("does not run a message beside itself that is delivered again while it runs", async () => {
  const pulls = [[message(1, 1)], [message(1, 2), message(2, 1)], [message(1, 3)]];
  const seen: string[] = [];
  const settle: (() => void)[] = [];
  await consume(
    pulls,
    () => Promise.resolve(),
    async (delivery) => {
      seen.push(`${delivery.position}/${delivery.attempt}`);
      if (delivery.attempt < 4) await new Promise<void>((resolve) => settle.push(resolve));
      await delivery.ack();
    },
  );
  await until(() => seen.includes("2/1") && pulls.length === 0);
  expect(seen).toEqual(["1/1", "2/1"]);

  // Once it is settled, another delivery of it runs.
  for (const each of settle.splice(0)) each();
  pulls.push([message(1, 4)]);
  await until(() => seen.includes("1/4"));
  expect(seen).toEqual(["1/1", "2/1", "1/4"]);
});

it("sends an acknowledgement again that was lost, until the server confirms it", async () => {
  const requests: string[] = [];
  const acknowledged: string[] = [];
  await consume(
    [[message(1, 1)], [message(2, 1)]],
    (subject) => {
      requests.push(subject);
      return requests.length === 1 ? Promise.reject(new Error("timeout")) : Promise.resolve();
    },
    async (delivery) => {
      await delivery.ack();
      acknowledged.push(delivery.position);
    },
  );
  await until(() => acknowledged.length === 2);
  expect(requests.filter((subject) => subject === "$JS.ACK.1.1")).toHaveLength(2);
  expect(acknowledged).toEqual(["2", "1"]);
});
