import { afterEach, expect, it } from "@jest/globals";
import type { JetStreamClient, JetStreamManager, JsMsg } from "@nats-io/jetstream";
import type { Msg } from "@nats-io/transport-node";
import { StoredConsumer } from "../../src/nats/consumer.js";
import type { Connection } from "../../src/nats/connection.js";
import type { Replies } from "../../src/nats/replies.js";
import type { StoredDelivery } from "../../src/transport/transport.js";
import { until } from "../transport/support.js";

/** A message that the server delivers, as far as a consumer looks at it. */
const delivered = (seq: number, deliveryCount: number): JsMsg =>
  ({
    seq,
    reply: `$JS.ACK.${seq}.${deliveryCount}`,
    redelivered: deliveryCount > 1,
    info: { deliveryCount },
    subject: "cqrx.s.c.0.a",
    data: new Uint8Array(),
    working: () => undefined,
  }) as unknown as JsMsg;

const confirmed = { data: new Uint8Array([43]) } as Msg;
const noResponders = { data: new Uint8Array(), headers: { code: 503 } } as unknown as Msg;
const started: StoredConsumer[] = [];
afterEach(() => Promise.all(started.splice(0).map((consumer) => consumer.stop())));

/**
 * A consumer whose server delivers the messages of each pull, and answers requests as `request` does. A pull ends with
 * its messages.
 */
async function consume(
  pulls: (Iterable<JsMsg> | AsyncIterable<JsMsg>)[],
  request: (subject: string) => Promise<Msg | undefined>,
  handler: (delivery: StoredDelivery) => Promise<void>,
): Promise<StoredConsumer> {
  const fetch = async (): Promise<unknown> => {
    const messages = pulls.shift();
    if (messages === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
    async function* stream(): AsyncGenerator<JsMsg> {
      yield* messages ?? [];
    }
    return Object.assign(stream(), { stop: () => undefined });
  };
  const consumer = new StoredConsumer(
    {
      connected: true,
      connectedWithin: () => Promise.resolve(true),
    } as unknown as Connection,
    { request } as unknown as Replies,
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
  return consumer;
}

it("does not run a message beside itself that is delivered again while it runs", async () => {
  const pulls = [[delivered(1, 1)], [delivered(1, 2), delivered(2, 1)], [delivered(1, 3)]];
  const seen: string[] = [];
  const settle: (() => void)[] = [];
  await consume(
    pulls,
    () => Promise.resolve(confirmed),
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
  pulls.push([delivered(1, 4)]);
  await until(() => seen.includes("1/4"));
  expect(seen).toEqual(["1/1", "2/1", "1/4"]);
});

it.each<[string, () => Promise<Msg | undefined>]>([
  ["was lost", () => Promise.resolve(undefined)],
  ["had no responder", () => Promise.resolve(noResponders)],
  ["could not be sent", () => Promise.reject(new Error("closed"))],
])("sends an acknowledgement again that %s, until the server confirms it", async (_, first) => {
  const requests: string[] = [];
  const acknowledged: string[] = [];
  await consume(
    [[delivered(1, 1)], [delivered(2, 1)]],
    (subject) => {
      requests.push(subject);
      return requests.length === 1 ? first() : Promise.resolve(confirmed);
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

it("gives messages back once the last pull has ended, because the server would send them to that pull", async () => {
  let endPull!: () => void;
  const pullEnds = new Promise<void>((resolve) => (endPull = resolve));
  let sendAnother!: () => void;
  const another = new Promise<void>((resolve) => (sendAnother = resolve));
  const givenBack: string[] = [];
  const message = (seq: number): JsMsg =>
    Object.assign(delivered(seq, 1), {
      nak: (delayMs?: number) => givenBack.push(`${seq}${delayMs === undefined ? "" : " later"}`),
    });
  async function* pull(): AsyncGenerator<JsMsg> {
    yield message(1);
    await another;
    yield message(2);
    await pullEnds;
  }
  const running: StoredDelivery[] = [];
  const consumer = await consume(
    [pull()],
    () => Promise.resolve(confirmed),
    (delivery) => {
      running.push(delivery);
      return new Promise(() => undefined);
    },
  );
  await until(() => running.length === 1);

  const closed = consumer.close();
  try {
    await running[0]!.retry(0);
    sendAnother();
    await new Promise((resolve) => setImmediate(resolve));
    expect(givenBack).toEqual([]);
  } finally {
    endPull();
  }
  await closed;
  expect(givenBack).toEqual(["1", "2"]);
  expect(running).toHaveLength(1);
});
