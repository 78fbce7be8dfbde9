import assert from "node:assert";
import { describe, expect, it, jest } from "@jest/globals";
import { CommandBus, Envelope } from "cqrx";

class Book {
  constructor(readonly room: string) {}
}

const meta = { id: "1", time: 0 };
const make = (room = "blue", more: object = {}): Envelope<Book> =>
  Envelope.of(new Book(room), { ...meta, ...more });

describe("two envelopes", () => {
  it("are equal for matchers if payload and metadata are equal", () => {
    assert.deepStrictEqual(make(), make());
    expect(make()).toEqual(make());
    expect(make()).toStrictEqual(make());
  });

  it.each<[string, Envelope<Book>]>([
    ["payload", make("red")],
    ["id", make("blue", { id: "2", correlationId: "1" })],
    ["headers", make("blue", { headers: { a: "1" } })],
    ["version", make("blue", { version: 2 })],
    ["cause", make("blue", { causationId: "0" })],
  ])("differ for matchers in their %s", (_, other) => {
    assert.notDeepStrictEqual(make(), other);
    expect(make()).not.toEqual(other);
    expect([{ envelope: make() }]).not.toEqual([{ envelope: other }]);
    const spy = jest.fn();
    spy(make());
    expect(spy).toHaveBeenCalledWith(make());
    expect(spy).not.toHaveBeenCalledWith(other);
  });

  it("are equal for matchers with headers in any order", () =>
    expect(make("blue", { headers: { a: "1", b: "2" } })).toEqual(
      make("blue", { headers: { b: "2", a: "1" } }),
    ));

  it("are told apart for messages on a bus, too", async () => {
    const bus = new CommandBus();
    const seen: Envelope[] = [];
    bus.messages$.subscribe((envelope) => void seen.push(envelope));
    bus.register(Book, () => undefined);
    await bus.dispatch(new Book("blue"));
    await bus.dispatch(new Book("blue"));
    expect(seen[0]).toEqual(seen[0]);
    expect(seen[0]).not.toEqual(seen[1]);
  });
});

describe("an envelope", () => {
  it("refuses a causation id that is not a text, and headers that are too long together", () => {
    expect(() => make("blue", { causationId: "" })).toThrow("meta.causationId");
    const headers = (count: number): object => ({
      headers: Object.fromEntries(Array.from({ length: count }, (_, n) => [`h${n}`, "x".repeat(1_000)])),
    });
    expect(make("blue", headers(2)).meta.headers).toHaveProperty("h1");
    expect(() => make("blue", headers(60))).toThrow("meta.headers is larger than");
  });

  it("takes every time that a Date can hold", () => {
    const text = (time: number): string => JSON.stringify({ meta: { time }, payload: { room: "blue" } });
    for (const time of [8.64e15, -8.64e15]) {
      expect(make("blue", { time }).meta.time).toBe(time);
      expect(Envelope.fromJSON(text(time), Book).meta.time).toBe(time);
    }
    expect(() => Envelope.fromJSON(text(8.64e15 + 1), Book)).toThrow("meta.time");
  });

  it("does not make an instance of the fields that a toJSON wrote, because only the class can read them", () => {
    class Price {
      constructor(readonly cents: number) {}
      toJSON(): object {
        return { euros: this.cents / 100 };
      }
    }
    const text = JSON.stringify(Envelope.of(new Price(150)));
    expect(() => Envelope.fromJSON(text, Price)).toThrow(
      "payload was written by toJSON(); give the class a static fromJSON(payload)",
    );
  });

  it("creates no metadata before it is read", () => {
    let reads = 0;
    const ids = (): string => String(++reads);
    const bus = new CommandBus({ ids });
    bus.messages$.subscribe(({ payload }) => expect(payload).toBeInstanceOf(Book));
    bus.register(Book, () => undefined);
    void bus.dispatch(new Book("blue"));
    expect(reads).toBe(0);
  });

  it("is immutable", () => {
    const envelope = make() as { payload: unknown };
    expect(() => (envelope.payload = 1)).toThrow(TypeError);
  });
});
