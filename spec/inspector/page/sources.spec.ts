import { describe, expect, it } from "@jest/globals";
import type { FeedState, Frame } from "../../../src/inspector/protocol.js";
import { EventParser } from "../../../src/inspector/page/sources/events.js";
import { feedOf } from "../../../src/inspector/page/sources/feed.js";
import { linesOf, recordedSource } from "../../../src/inspector/page/sources/recorded.js";
import { localSource } from "../../../src/inspector/page/sources/local.js";
import { until } from "../support.js";
import { hello, message } from "./make.js";

const stream = 'id: r-1\ndata: {"a":"é"}\n\n: ping\n\nid: r-2\r\ndata: one\ndata: two\r\n\n';

describe("server-sent events", () => {
  const events = [
    { id: "r-1", data: '{"a":"é"}' },
    { id: "r-2", data: "one\ntwo" },
  ];

  it("are parsed", () => expect(new EventParser().push(stream)).toEqual(events));

  it("are parsed wherever the text is cut", () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const parser = new EventParser();
      expect([...parser.push(stream.slice(0, cut)), ...parser.push(stream.slice(cut))]).toEqual(events);
    }
  });
});

/** Answers each request by the next of the given responses, and notes the headers. */
function answering(...answers: (() => Response)[]): { requests: Headers[]; restore(): void } {
  const requests: Headers[] = [];
  const real = globalThis.fetch;
  globalThis.fetch = (_url, init) => {
    requests.push(new Headers(init?.headers));
    const answer = answers.shift();
    return answer ? Promise.resolve(answer()) : Promise.reject(new TypeError("refused"));
  };
  return { requests, restore: () => void (globalThis.fetch = real) };
}

const frame = (run: string, seq: number): string =>
  `id: ${run}-${seq}\ndata: ${JSON.stringify(hello({ run, seq }))}\n\n`;

describe("the feed", () => {
  it("sends the token as a header, and resumes after its last event when the connection is lost", async () => {
    const { requests, restore } = answering(
      () => new Response(frame("r", 7)),
      () => new Response("busy", { status: 503 }),
    );
    const [frames, states]: [Frame[], FeedState[]] = [[], []];
    const stop = feedOf("/feed", () => "secret").source(
      (each) => frames.push(each),
      (state) => states.push(state),
    );
    await until(() => states.includes("unavailable"));
    stop();
    restore();
    expect(frames.map(({ run, seq }) => [run, seq])).toEqual([["r", 7]]);
    expect(states.slice(0, 4)).toEqual(["connecting", "live", "lost", "unavailable"]);
    expect(requests.map((headers) => headers.get("authorization"))).toContain("Bearer secret");
    expect(requests[1]!.get("last-event-id")).toBe("r-7");
  });

  it("does not ask again with a token that was refused, until it is told to", async () => {
    const { requests, restore } = answering(
      () => new Response("", { status: 401 }),
      () => new Response(frame("r", 1)),
    );
    const states: FeedState[] = [];
    const frames: Frame[] = [];
    const feed = feedOf("/feed", () => "old");
    const stop = feed.source(
      (each) => frames.push(each),
      (state) => states.push(state),
    );
    await until(() => states.includes("unauthorized"));
    expect(requests).toHaveLength(1);
    feed.restart();
    await until(() => frames.length === 1);
    stop();
    restore();
  });

  it("sends no request without a token", () => {
    const { requests, restore } = answering();
    const states: FeedState[] = [];
    feedOf("/feed", () => undefined).source(
      () => undefined,
      (state) => states.push(state),
    );
    restore();
    expect([requests.length, states.at(-1)]).toEqual([0, "unauthorized"]);
  });
});

describe("a recording and a recorder in the page", () => {
  it("tell what they hold, and how", () => {
    const seen: unknown[] = [];
    const messages = [message(1, 0)];
    recordedSource({ hello: hello(), messages })(
      ({ type }) => seen.push(type),
      (state) => seen.push(state),
    );
    const stop = localSource({ subscribe: (listener) => (listener(hello()), () => seen.push("stopped")) })(
      ({ type }) => seen.push(type),
      (state) => seen.push(state),
    );
    stop();
    expect(seen).toEqual(["recording", "hello", "history", "live", "hello", "stopped"]);
    expect(
      linesOf(messages)
        .trimEnd()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    ).toEqual(messages);
  });
});
