import { describe, expect, it } from "@jest/globals";
import { of } from "rxjs";
import { CommandBus, Envelope, type Outcome } from "cqrx";
import { eventStream, outcomeEvent, type ServerSentEvent } from "cqrx/http";
import { EventReader } from "../examples/support/sse.js";
import { canaries } from "../support/traps.js";

/** Returns the event as it is written. */
async function written(event: ServerSentEvent): Promise<string> {
  const text = await eventStream(of(0), { map: () => event }).text();
  return text.replace(": connected\n\n", "");
}

/** Returns the event as a client reads it. */
async function received(event: ServerSentEvent): Promise<unknown> {
  const reader = new EventReader(eventStream(of(0), { map: () => event }));
  const first = await reader.next();
  expect(await reader.next()).toBeUndefined();
  return first;
}

describe("an event", () => {
  it("has its data as JSON", async () => {
    expect(await written({ data: { a: [1, null, "x\ny"] } })).toBe('data: {"a":[1,null,"x\\ny"]}\n\n');
    expect(await written({ data: undefined })).toBe("data: null\n\n");
    expect(await written({ data: new Date(0) })).toBe('data: "1970-01-01T00:00:00.000Z"\n\n');
  });

  it("has a text as it is, in as many lines as the text has", async () => {
    expect(await written({ data: "a\nb\r\nc\rd" })).toBe("data: a\ndata: b\ndata: c\ndata: d\n\n");
    expect(await written({ data: "" })).toBe("data: \n\n");
    expect(await received({ data: " two\n\nlines: é€😀\n" })).toMatchObject({
      data: " two\n\nlines: é€😀\n",
    });
  });

  it("has its id before its name before its data", async () => {
    expect(await written({ data: 1, id: "7", event: "user" })).toBe("id: 7\nevent: user\ndata: 1\n\n");
  });

  it.each(["\n", "\r", "\r\n", "\n\n", "\0"])(
    "156 is one event, also with %j in its fields",
    async (breaking) => {
      const text = `a${breaking}data: b${breaking}id: 2`;
      expect(await received({ data: text, event: text, id: text })).toEqual({
        id: "a data: b id: 2",
        type: "a data: b id: 2",
        data: text.replace(/\r\n?/g, "\n"),
      });
    },
  );
});

describe("outcomeEvent()", () => {
  class Pay {
    constructor(readonly card: string) {}
  }

  async function outcomesOf(handler: () => unknown, headers = {}): Promise<Outcome> {
    const bus = new CommandBus();
    const outcomes: Outcome[] = [];
    bus.outcomes$.subscribe((outcome) => outcomes.push(outcome));
    bus.register(Pay, handler);
    await bus.dispatch(new Pay("secret card"), { headers }).catch(() => undefined);
    return outcomes[0]!;
  }

  it("tells status, ids, time and duration", async () => {
    const outcome = await outcomesOf(() => undefined);
    const { id, data, event } = outcomeEvent(outcome);
    expect([id, event]).toEqual([outcome.envelope.meta.id, "Pay"]);
    expect(JSON.parse(data as string)).toEqual({
      status: "fulfilled",
      time: new Date(outcome.envelope.meta.time).toISOString(),
      durationMs: expect.any(Number),
      correlationId: outcome.envelope.meta.correlationId,
    });
  });

  it("164 tells nothing of payload, headers and the text of an error", async () => {
    const outcome = await outcomesOf(
      () => {
        throw Object.assign(new Error("secret text"), { code: "DECLINED" });
      },
      { token: "secret" },
    );
    const { data } = outcomeEvent(outcome);
    expect(JSON.parse(data as string)).toMatchObject({ status: "rejected", error: "DECLINED" });
    expect(data).not.toMatch(/secret/);
  });

  it("tells a cancelled message from one that failed", async () => {
    const leaving = new AbortController();
    const bus = new CommandBus();
    const events: ServerSentEvent[] = [];
    bus.outcomes$.subscribe((outcome) => events.push(outcomeEvent(outcome)));
    bus.register(Pay, () => new Promise<void>(() => undefined));
    const paying = bus.dispatch(new Pay("secret card"), { signal: leaving.signal });
    leaving.abort();
    await expect(paying).rejects.toThrow();
    expect(JSON.parse(events[0]!.data as string)).toMatchObject({ status: "cancelled", error: "AbortError" });
  });

  it("tells an error without a code by its name, and survives one that cannot be read", async () => {
    const fail = async (reason: unknown): Promise<unknown> =>
      JSON.parse(
        outcomeEvent({
          status: "rejected",
          cancelled: false,
          reason,
          envelope: Envelope.of(new Pay("secret card")),
          durationMs: 1,
          attempts: 1,
        }).data as string,
      ) as unknown;
    const unreadable = new Proxy(new Error(), {
      get: () => {
        throw new Error("trap");
      },
    });
    expect(await fail(new RangeError("x"))).toMatchObject({ error: "RangeError" });
    expect(await fail(unreadable)).toMatchObject({ error: "unknown" });
    expect(await fail(undefined)).toMatchObject({ error: "unknown" });
  });

  it("156 lets no name, id or code forge an event", async () => {
    class Forged {
      static readonly messageName = "x\nevent: admin\r\n\r\ndata: {}";
    }
    const envelope = Envelope.of(new Forged(), { id: "1\n\nid: 2\0" });
    const reason = Object.assign(new Error(), { code: "A\n\ndata: B" });
    const event = outcomeEvent({
      status: "rejected",
      cancelled: false,
      reason,
      envelope,
      durationMs: 1,
      attempts: 1,
    });
    expect((await written(event)).split("\n")).toEqual([
      "id: 1 id: 2 ",
      "event: x event: admin data: {}",
      expect.stringMatching(/^data: \{.*A\\n\\ndata: B.*\}$/),
      "",
      "",
    ]);
    await canaries(new CommandBus());
  });
});
