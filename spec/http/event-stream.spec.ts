import { afterEach, describe, expect, it, jest } from "@jest/globals";
import { concat, defer, NEVER, Observable, of, throwError } from "rxjs";
import { CommandBus, fulfilled, InvalidOptionsError, ofType, Query, QueryBus } from "cqrx";
import { eventStream, SlowClientError, type ServerSentEvent } from "cqrx/http";
import { timeLimit } from "cqrx/middleware";
import { EventReader } from "../examples/support/sse.js";
import { canaries, macrotask, withTraps } from "../support/traps.js";
import { Source } from "./support/source.js";

const url = "http://localhost/live";

afterEach(() => void jest.useRealTimers());

describe("eventStream()", () => {
  it("is a response of server-sent events that nothing on the way keeps, compresses or holds back", async () => {
    const response = eventStream(of(1));
    expect(response.status).toBe(200);
    expect(Object.fromEntries(response.headers)).toEqual({
      "content-type": "text/event-stream",
      "cache-control": "no-cache, no-transform",
      "x-accel-buffering": "no",
    });
    expect(await response.text()).toBe(": connected\n\ndata: 1\n\n");
  });

  it("sends a live query, now and after each change", async () => {
    class Add {}
    class Count extends Query<number> {}
    const [commandBus, queryBus] = [new CommandBus(), new QueryBus()];
    let count = 0;
    commandBus.register(Add, () => void count++);
    queryBus.register(Count, () => count, { refreshOn: commandBus.outcomes$.pipe(ofType(Add), fulfilled()) });
    const events = new EventReader(eventStream(queryBus.watch(new Count())));
    expect(await events.next()).toMatchObject({ type: "message", data: "0" });
    await commandBus.dispatch(new Add());
    expect(await events.next()).toMatchObject({ type: "message", data: "1" });
    await queryBus.close();
    expect(await events.next()).toBeUndefined();
    await canaries(commandBus);
  });

  it("sends what map returns", async () => {
    const map = (value: number): ServerSentEvent => ({ id: String(value), event: "n", data: { value } });
    const events = new EventReader(eventStream(of(1, 2), { map }));
    expect(await events.take(2)).toEqual([
      { id: "1", type: "n", data: '{"value":1}' },
      { id: "2", type: "n", data: '{"value":2}' },
    ]);
  });

  it("sends texts as JSON where there is no map", async () => {
    expect(await eventStream(of("a\nb", undefined)).text()).toBe(
      ': connected\n\ndata: "a\\nb"\n\ndata: null\n\n',
    );
  });

  it("tells the client when to come back", async () => {
    expect(await eventStream(of(1), { retryMs: 500 }).text()).toBe(
      ": connected\n\nretry: 500\n\ndata: 1\n\n",
    );
  });

  it("sends comments while nothing happens, and none after the end", async () => {
    jest.useFakeTimers();
    const source = new Source<number>();
    const events = new EventReader(eventStream(source.values$, { pingMs: 1_000 }));
    const next = events.next();
    await source.has(1);
    await jest.advanceTimersByTimeAsync(2_000);
    source.next(1);
    expect(await next).toMatchObject({ data: "1" });
    expect(events.comments).toEqual(["connected", "ping", "ping"]);
    source.complete();
    expect(await events.next()).toBeUndefined();
    expect(jest.getTimerCount()).toBe(0);
  });

  it("sends no comments at pingMs: Infinity", async () => {
    jest.useFakeTimers();
    const source = new Source<number>();
    const reading = eventStream(source.values$, { pingMs: Infinity }).text();
    await source.has(1);
    expect(jest.getTimerCount()).toBe(0);
    source.complete();
    expect(await reading).toBe(": connected\n\n");
  });
});

describe("the subscription of eventStream()", () => {
  it("begins with the first read, so that a response that is thrown away holds nothing", async () => {
    const source = new Source<number>();
    const response = eventStream(source.values$);
    await macrotask();
    expect(source.count).toBe(0);
    await response.body!.cancel();
    expect(source.count).toBe(0);
  });

  it("159 is freed when the client leaves, with no later value", async () => {
    const source = new Source<number>();
    const reader = eventStream(source.values$).body!.getReader();
    await reader.read();
    await source.has(1);
    await reader.cancel();
    expect(source.count).toBe(0);
  });

  it("is freed by the signal of the request, which has no listener left after the end", async () => {
    const source = new Source<number>();
    const leaving = new AbortController();
    const request = new Request(url, { signal: leaving.signal });
    const removed = jest.spyOn(request.signal, "removeEventListener");
    const aborted = new EventReader(eventStream(source.values$, { request }));
    const completed = new EventReader(eventStream(of(1), { request }));
    expect(await completed.next()).toBeDefined();
    expect(await completed.next()).toBeUndefined();
    expect(removed).toHaveBeenCalledTimes(1);
    const end = aborted.next();
    await source.has(1);
    leaving.abort();
    expect(await end).toBeUndefined();
    expect([source.count, removed.mock.calls.length]).toEqual([0, 2]);
  });

  it("160 never begins for a client that is gone before", async () => {
    const source = new Source<number>();
    const request = new Request(url, { signal: AbortSignal.abort() });
    expect(await eventStream(source.values$, { request }).text()).toBe("");
    expect(source.count).toBe(0);
  });

  it("161 is freed for each of many", async () => {
    const source = new Source<number>();
    const readers = Array.from({ length: 1_000 }, () => eventStream(source.values$).body!.getReader());
    await Promise.all(readers.map((reader) => reader.read()));
    await source.has(1_000);
    await Promise.all(readers.map((reader) => reader.cancel()));
    expect(source.count).toBe(0);
  });
});

describe("a source that fails", () => {
  it("ends the stream after an event that leaks nothing, and is told to onError", async () => {
    const errors: unknown[] = [];
    const error = new Error("password is secret");
    const failing = concat(
      of(1),
      throwError(() => error),
    );
    const text = await eventStream(failing, { onError: (each) => errors.push(each) }).text();
    expect(text).toBe(
      ': connected\n\ndata: 1\n\nevent: failure\ndata: {"error":"INTERNAL","status":500}\n\n',
    );
    expect(errors).toEqual([error]);
  });

  it("has the code and the status of an error of cqrx", async () => {
    class Slow extends Query<number> {}
    const queryBus = new QueryBus({ middleware: [timeLimit(1)] });
    queryBus.register(Slow, () => new Promise<number>(() => undefined));
    const events = new EventReader(eventStream(queryBus.watch(new Slow())));
    expect(await events.next()).toMatchObject({
      type: "failure",
      data: '{"error":"TIME_LIMIT","status":503}',
    });
    expect(await events.next()).toBeUndefined();
    await canaries(queryBus);
  });

  it("has the data that mapError returns", async () => {
    const mapError = (error: unknown): object => ({ said: (error as Error).message });
    const failing = throwError(() => new Error("sold out"));
    expect(await eventStream(failing, { mapError }).text()).toContain(
      'event: failure\ndata: {"said":"sold out"}\n\n',
    );
  });

  it.each([
    ["map", { map: fail }],
    ["mapError", { map: fail, mapError: fail }],
    ["onError", { map: fail, onError: fail }],
    ["the data of map", { map: () => ({ data: 1n }) }],
    ["the function that returns the source", {}],
  ])("is one whose error comes from %s", async (_, options) => {
    const source = Object.keys(options).length === 0 ? fail : of(1);
    expect(await eventStream(source, options).text()).toBe(
      ': connected\n\nevent: failure\ndata: {"error":"INTERNAL","status":500}\n\n',
    );
  });

  it("ends no process where onError is asynchronous and rejects", () =>
    withTraps(async () => {
      const options: object = { map: fail, onError: reject };
      expect(await eventStream(of(1), options).text()).toContain("event: failure\n");
      await canaries(new CommandBus());
    }));

  it.each<[string, object]>([
    ["map", { map: reject }],
    ["the data of map", { map: () => ({ data: reject() }) }],
    ["mapError", { map: fail, mapError: reject }],
    ["the value", {}],
  ])("is one that writes a promise: %s", (_, options) =>
    withTraps(async () => {
      const errors: unknown[] = [];
      const source = defer(() => of(Object.keys(options).length === 0 ? reject() : 1));
      const text = await eventStream(source, {
        ...options,
        onError: (error) => errors.push(String(error)),
      }).text();
      expect(text).toBe(': connected\n\nevent: failure\ndata: {"error":"INTERNAL","status":500}\n\n');
      expect(errors.at(-1)).toBe(
        "TypeError: An event cannot be written from a promise; wait for it before, such as with concatMap.",
      );
      await canaries(new CommandBus());
    }),
  );

  function fail(): never {
    throw new Error("secret");
  }

  function reject(): Promise<never> {
    return Promise.reject(new Error("secret"));
  }
});

describe("Last-Event-ID", () => {
  const last = async (header: string | undefined): Promise<string | undefined> => {
    let received: string | undefined = "nothing was asked";
    const request = new Request(url, { headers: header === undefined ? {} : { "last-event-id": header } });
    await eventStream(
      (lastEventId) => {
        received = lastEventId;
        return of(1);
      },
      { request },
    ).text();
    return received;
  };

  it("is passed to the function that returns the source", async () => {
    const history = [1, 2, 3, 4];
    const request = new Request(url, { headers: { "last-event-id": "2" } });
    const map = (value: number): ServerSentEvent => ({ id: String(value), data: value });
    const missed = eventStream((id) => of(...history.filter((each) => each > Number(id ?? 0))), {
      request,
      map,
    });
    expect(await new EventReader(missed).take(2)).toMatchObject([{ id: "3" }, { id: "4" }]);
  });

  it("is read as UTF-8, which browsers write, from the Latin-1 of a header", async () => {
    expect(await last(Buffer.from("é€😀").toString("latin1"))).toBe("é€😀");
  });

  it("163 is undefined where it is absent, empty or longer than an id is", async () => {
    expect(await last(undefined)).toBeUndefined();
    expect(await last("")).toBeUndefined();
    expect(await last("9".repeat(1_000_000))).toBeUndefined();
    expect([await last("-1"), await last("NaN")]).toEqual(["-1", "NaN"]);
  });

  it("is undefined without a request", async () => {
    let received: string | undefined = "nothing was asked";
    await eventStream((lastEventId) => {
      received = lastEventId;
      return of(1);
    }).text();
    expect(received).toBeUndefined();
  });
});

describe("a client that reads too slowly", () => {
  it("is cut off at maxUnsentBytes, and what waits for it is dropped", async () => {
    const source = new Source<string>();
    const errors: unknown[] = [];
    const response = eventStream(source.values$, {
      maxUnsentBytes: 1_000,
      onError: (error) => errors.push(error),
    });
    const reader = response.body!.getReader();
    await reader.read();
    await source.has(1);
    let sent = 0;
    for (; source.count > 0; sent++) source.next("x".repeat(100));
    expect(sent).toBe(10);
    expect(errors).toEqual([expect.any(SlowClientError)]);
    expect((errors[0] as Error).message).toBe(
      "The client was disconnected with 990 bytes unread, because maxUnsentBytes is 1000; " +
        "let it connect again, send less, or raise maxUnsentBytes.",
    );
    await expect(reader.read()).rejects.toBe(errors[0]);
  });

  it("is not cut off by one large event, nor by one that reads", async () => {
    const source = new Source<string>();
    const events = new EventReader(eventStream(source.values$, { maxUnsentBytes: 1_000 }));
    const reading = events.next();
    await source.has(1);
    const large = "x".repeat(100_000);
    source.next(large);
    expect((await reading)?.data).toBe(`"${large}"`);
    for (let round = 0; round < 100; round++) {
      source.next("y".repeat(500));
      expect((await events.next())?.data).toHaveLength(502);
    }
  });
});

describe("the arguments of eventStream()", () => {
  it.each<[string, unknown, object, string]>([
    [
      "a source",
      undefined,
      {},
      "the first argument must be an Observable or a function; received undefined.",
    ],
    ["a source", [1], {}, "the first argument must be an Observable or a function; received an array."],
    ["an option", NEVER, { ping: 1 }, "unknown option ping; pass one of "],
    ["pingMs", NEVER, { pingMs: 0 }, "pingMs must be a number of milliseconds above 0; received 0."],
    ["retryMs", NEVER, { retryMs: 1.5 }, "retryMs must be a whole number of milliseconds from 0;"],
    ["maxUnsentBytes", NEVER, { maxUnsentBytes: 0 }, "maxUnsentBytes must be a whole number from 1;"],
    ["map", NEVER, { map: null }, "map must be a function; received null."],
    ["request", NEVER, { request: null }, "request must be a web Request; received null."],
    ["a request of Node's", NEVER, { request: { headers: {} } }, "request must be a web Request;"],
  ])("are checked: %s", async (_, source, options, text) => {
    const make = (): unknown => eventStream(source as never, options);
    expect(make).toThrow(InvalidOptionsError);
    expect(make).toThrow(`eventStream(): ${text}`);
    await canaries(new CommandBus());
  });
});

describe("a client that leaves while the source is being subscribed", () => {
  it("gets nothing more, and the source is unsubscribed", () =>
    withTraps(async () => {
      let left = false;
      const source$ = new Observable<number>((subscriber) => {
        subscriber.next(1);
        void reader.cancel();
        left = subscriber.closed;
        subscriber.next(2);
        subscriber.complete();
      });
      const reader = eventStream(source$).body!.getReader();
      await reader.read();
      await macrotask();
      expect([left, await reader.read()]).toEqual([true, { done: true, value: undefined }]);
    }));
});
