import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";
import type { Msg, NatsConnection } from "@nats-io/transport-node";
import type { Connection } from "../../src/nats/connection.js";
import { isNoResponders, Replies } from "../../src/nats/replies.js";

beforeEach(() => void jest.useFakeTimers({ doNotFake: ["performance"] }));
afterEach(() => void jest.useRealTimers());

/** A connection that keeps what is published, and the replies over it. */
function open(publish: (subject: string) => void = () => undefined) {
  const published: { subject: string; reply: string }[] = [];
  const onRefused = new Set<(subject: string, error: Error) => void>();
  let receive!: (error: Error | null, msg: Msg) => void;
  const nc = {
    subscribe: (_: string, { callback }: { callback: typeof receive }) => void (receive = callback),
    publish: (subject: string, _: unknown, { reply }: { reply: string }) => {
      publish(subject);
      published.push({ subject, reply });
    },
  } as unknown as NatsConnection;
  const replies = new Replies({ nc, onRefused } as unknown as Connection, "_INBOX");
  return {
    replies,
    published,
    answer: (index: number, text: string) =>
      receive(null, { subject: published[index]!.reply, data: Buffer.from(text) } as unknown as Msg),
    refuse: (subject: string) => onRefused.forEach((refused) => refused(subject, new Error("not allowed"))),
  };
}

const textOf = async (request: Promise<Msg | undefined>): Promise<string | undefined> =>
  (await request)?.data.toString();

it("gives each message of a turn its own answer, in any order", async () => {
  const { replies, published, answer } = open();
  const requests = ["a", "b"].map((subject) => textOf(replies.request(subject, "", 1_000)));
  expect(published).toEqual([]);
  jest.advanceTimersByTime(0);
  expect(published.map(({ subject }) => subject)).toEqual(["a", "b"]);
  answer(1, "for b");
  answer(0, "for a");
  expect(await Promise.all(requests)).toEqual(["for a", "for b"]);
  expect(jest.getTimerCount()).toBe(0);
});

it("resolves to undefined at the time limit, and leaves a late answer alone", async () => {
  const { replies, answer } = open();
  const request = textOf(replies.request("a", "", 1_000));
  jest.advanceTimersByTime(0);
  jest.advanceTimersByTime(1_000);
  expect(await request).toBeUndefined();
  answer(0, "late");
});

it("rejects what the account may not publish, and nothing else", async () => {
  const { replies, answer, refuse } = open();
  const refused = replies.request("secret", "", 1_000);
  const other = textOf(replies.request("a", "", 1_000));
  jest.advanceTimersByTime(0);
  refuse("secret");
  await expect(refused).rejects.toThrow("not allowed");
  answer(1, "yes");
  expect(await other).toBe("yes");
});

it("rejects a message that the client does not take, and sends the others of the turn", async () => {
  const { replies, answer } = open((subject) => {
    if (subject === "too large") throw new Error("too large");
  });
  const refused = replies.request("too large", "", 1_000);
  const other = textOf(replies.request("a", "", 1_000));
  jest.advanceTimersByTime(0);
  await expect(refused).rejects.toThrow("too large");
  answer(0, "yes");
  expect(await other).toBe("yes");
});

it("resolves to undefined when the transport closes, and sends nothing later", async () => {
  const { replies, published } = open();
  const request = textOf(replies.request("a", "", 1_000));
  replies.close();
  expect(await request).toBeUndefined();
  jest.advanceTimersByTime(0);
  expect(published).toEqual([]);
  expect(jest.getTimerCount()).toBe(0);
});

it("tells an empty answer from one about missing responders", () => {
  const msg = (data: string, code?: number): Msg =>
    ({ data: Buffer.from(data), headers: code === undefined ? undefined : { code } }) as unknown as Msg;
  expect([msg("", 503), msg(""), msg("text", 503)].map(isNoResponders)).toEqual([true, false, false]);
});
