import { describe, expect, it } from "@jest/globals";
import { Envelope, fulfilled, ofType, rejected, type MessageType, type Outcome } from "cqrx";
import { delivery, marbles } from "cqrx/testing";
import { Subject, take, type OperatorFunction } from "rxjs";

class Created {
  constructor(readonly n = 0) {}
}
class Deleted {
  constructor(readonly n = 0) {}
}
class Renamed extends Created {}

const created = Envelope.of(new Created(1));
const deleted = Envelope.of(new Deleted(2));
const renamed = Envelope.of(new Renamed(3));

const outcome = { durationMs: 0, attempts: 1 };
const success: Outcome = { ...outcome, status: "fulfilled", value: 5, envelope: created };
const failure: Outcome = {
  ...outcome,
  status: "rejected",
  cancelled: false,
  reason: new Error("no"),
  envelope: deleted,
};

/** Each with an item that it lets pass and one that it does not. */
const operators: [string, () => OperatorFunction<unknown, unknown>, unknown, unknown][] = [
  ["ofType", () => ofType(Created) as never, created, deleted],
  ["ofType of several", () => ofType(Created, Renamed) as never, renamed, deleted],
  ["fulfilled", () => fulfilled() as never, success, failure],
  ["rejected", () => rejected() as never, failure, success],
];

describe.each(operators)("%s", (_, operator, yes, no) => {
  const values = { y: yes, n: no };

  it("never, empty and error: as the source", () =>
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold("---").pipe(operator())).toBe("---");
      expectObservable(cold("--|").pipe(operator())).toBe("--|");
      expectObservable(cold("--#").pipe(operator())).toBe("--#");
      expectObservable(cold("-y#", values).pipe(operator())).toBe("-y#", values);
    }));

  it("one: passes at once, or not at all", () =>
    marbles(({ cold, expectObservable }) => {
      expectObservable(cold("-y|", values).pipe(operator())).toBe("-y|", values);
      expectObservable(cold("-n|", values).pipe(operator())).toBe("--|");
    }));

  it("many: passes the messages of its types", () =>
    marbles(({ hot, expectObservable }) => {
      const source = hot(" -y-n-(yny)-n|", values);
      const expected = "   -y---(yy)---|";
      expectObservable(source.pipe(operator())).toBe(expected, values);
    }));

  it("unsubscribe: leaves the source", () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold("-y-n-y", values);
      const unsub = "      ^--!";
      expectObservable(source.pipe(operator()), unsub).toBe("-y--", values);
      expectSubscriptions(source.subscriptions).toBe(unsub);
    }));

  it("unsubscribe: the end of a piped stream unsubscribes from the source", () =>
    marbles(({ cold, expectObservable, expectSubscriptions }) => {
      const source = cold("-n-y-y", values);
      const subs = "       ^--!";
      expectObservable(source.pipe(operator(), take(1))).toBe("---(y|)", values);
      expectSubscriptions(source.subscriptions).toBe(subs);
    }));

  it("synchronous and re-entrant: in the order of a call stack", () => {
    const source = new Subject<unknown>();
    const log: string[] = [];
    let nested = false;
    source.pipe(operator()).subscribe((item) => {
      expect(item).toBe(yes);
      const name = nested ? "second" : "first";
      log.push(`begin ${name}`);
      if (!nested) {
        nested = true;
        for (const next of [no, yes]) source.next(next);
      }
      log.push(`end ${name}`);
    });
    source.next(yes);
    expect(log).toEqual(["begin first", "begin second", "end second", "end first"]);
  });

  it("may be used for several streams", () =>
    marbles(({ cold, expectObservable }) => {
      const shared = operator();
      expectObservable(cold("-yn|", values).pipe(shared)).toBe("-y-|", values);
      expectObservable(cold("ny-|", values).pipe(shared)).toBe("-y-|", values);
    }));
});

describe("ofType", () => {
  it("passes the class itself and those below it, not those above it, in envelopes, deliveries and outcomes", () =>
    marbles(({ cold, expectObservable }) => {
      const classes = [Created, Renamed, Deleted];
      for (const about of [
        (message: object) => Envelope.of(message),
        (message: object) => delivery(message),
        (message: object): Outcome => ({ ...success, envelope: Envelope.of(message) }),
      ]) {
        const [c, r, d] = classes.map((type, n) => about(new type(n)));
        const source = cold("-crd|", { c, r, d } as never);
        expectObservable(source.pipe(ofType(Created) as never)).toBe("-cr-|", { c, r });
        expectObservable(source.pipe(ofType(Renamed) as never)).toBe("--r-|", { r });
      }
    }));

  it("finds a message with a field named constructor by its class", () =>
    marbles(({ cold, expectObservable }) => {
      const e = Envelope.of(Object.assign(new Created(), { constructor: "Ada" }));
      expectObservable(cold("-e|", { e }).pipe(ofType(Created))).toBe("-e|", { e });
      expectObservable(cold("-e|", { e }).pipe(ofType(Created, Deleted))).toBe("-e|", { e });
    }));

  it("passes the messages of each of its types", () =>
    marbles(({ cold, expectObservable }) => {
      class Other {}
      const values = { c: created, d: deleted, o: Envelope.of(new Other()) };
      expectObservable(cold("-cod|", values).pipe(ofType(Created, Deleted) as never)).toBe("-c-d|", values);
    }));

  it("passes no message without a class", () =>
    marbles(({ cold, expectObservable }) => {
      const e = delivery(Object.create(null) as object);
      for (const types of [[Created], [Created, Deleted]])
        expectObservable(cold("-e|", { e }).pipe(ofType(...types) as never)).toBe("--|");
    }));

  it.each<[string, unknown[], string]>([
    ["no types", [], "at least one type"],
    ["undefined, as an import cycle gives it", [undefined], "received undefined"],
    ["null", [null], "received null"],
    ["undefined among others", [Created, undefined], "received undefined"],
    ["an array of types", [[Created, Deleted]], "received an array"],
    ["a name", ["Created"], 'received "Created"'],
    ["an arrow function", [() => undefined], "received a function"],
  ])("refuses where it is called: %s", (_, types, text) => {
    expect(() => ofType(...(types as MessageType[]))).toThrow(
      expect.objectContaining({ code: "INVALID_MESSAGE", message: expect.stringContaining(text) }),
    );
  });
});
