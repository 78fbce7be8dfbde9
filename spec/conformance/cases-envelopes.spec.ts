import { deflateSync, gzipSync } from "node:zlib";
import { afterEach, describe, expect, it } from "@jest/globals";
import {
  Command,
  CommandBus,
  Envelope,
  EventBus,
  HandlerNotFoundError,
  InvalidMessageError,
  ofType,
  PayloadTooLargeError,
  QueryBus,
  shared,
  when,
  type MessageType,
} from "cqrx";
import fc from "fast-check";
import { filter, map, tap } from "rxjs";
import { canaries, freshCanaries, withTraps } from "../support/traps.js";
import { reasonOf } from "./support.js";

class Box extends Command {
  readonly value: unknown;

  constructor(value: unknown) {
    super();
    this.value = value;
  }
}
class Empty {}

const text = (payload: unknown, meta: unknown = {}): string => JSON.stringify({ meta, payload });
const refusal = (run: () => unknown): InvalidMessageError => {
  try {
    run();
  } catch (error) {
    if (!(error instanceof PayloadTooLargeError)) expect(error).toBeInstanceOf(InvalidMessageError);
    return error as InvalidMessageError;
  }
  throw new Error("It was accepted.");
};

describe("envelopes and bad input", () => {
  // After each refusal the next envelope is written, read and dispatched.
  afterEach(async () => {
    const { payload } = Envelope.fromJSON(JSON.stringify(Envelope.of(new Box("canary"))), Box);
    expect(payload).toStrictEqual(new Box("canary"));
    await freshCanaries();
  });

  it("102 bytes that are not an envelope are refused, however they were damaged on the way", () => {
    const corpus = [
      Envelope.of(new Box({ text: "née", at: new Date(0), tags: new Set(["a"]), big: 10n ** 20n }), {
        headers: { tenant: "t1" },
        causationId: "cause",
      }),
      Envelope.of(new Box(new Map([["key", new Uint8Array([0, 255])]]))),
      Envelope.of(new Empty()),
    ].map((envelope) => Buffer.from(JSON.stringify(envelope)));
    const read = (bytes: Uint8Array): Envelope | undefined => {
      try {
        return Envelope.fromJSON(Buffer.from(bytes).toString(), Box);
      } catch (error) {
        expect(error).toBeInstanceOf(InvalidMessageError);
        return undefined;
      }
    };
    const [first] = corpus;
    expect(read(first!)).toBeDefined();
    // Empty, and cut off anywhere.
    for (let length = 0; length < first!.length; length++)
      expect(read(first!.subarray(0, length))).toBeUndefined();
    for (const bytes of [
      gzipSync(first!),
      deflateSync(first!),
      Buffer.from(first!.toString(), "utf16le"),
      Buffer.from(`\ufeff${first!.toString()}`),
      Buffer.concat([first!, first!]),
      Buffer.from("<envelope/>"),
      Buffer.from([0xff, 0xfe, 0x00]),
    ])
      expect(read(bytes)).toBeUndefined();
    // In another charset it is still a text: it may be read if it says the same.
    const latin = read(Buffer.from(first!.toString(), "latin1"));
    expect((latin?.payload as Box | undefined)?.value).not.toMatchObject({ text: "née" });

    const mutation = fc.record({
      at: fc.nat(),
      does: fc.constantFrom("flip", "remove", "insert", "repeat"),
      byte: fc.integer({ min: 0, max: 255 }),
    });
    let [refused, accepted] = [0, 0];
    fc.assert(
      fc.property(
        fc.constantFrom(...corpus),
        fc.array(mutation, { minLength: 1, maxLength: 4 }),
        (original, all) => {
          const bytes = [...original];
          for (const { at, does, byte } of all) {
            const place = at % bytes.length;
            if (does === "flip") bytes[place] = bytes[place]! ^ (byte || 1);
            else if (does === "remove") bytes.splice(place, 1);
            else if (does === "insert") bytes.splice(place, 0, byte);
            else bytes.splice(place, 0, ...bytes.slice(place, place + byte));
          }
          const envelope = read(Uint8Array.from(bytes));
          if (envelope === undefined) refused++;
          else {
            accepted++;
            // An accepted text is a complete envelope, which can be sent on.
            expect(Object.getPrototypeOf(envelope.payload)).toBe(Box.prototype);
            const again = JSON.stringify(envelope);
            expect(JSON.stringify(Envelope.fromJSON(again, Box))).toBe(again);
          }
          expect(({} as { isAdmin?: unknown }).isAdmin).toBeUndefined();
        },
      ),
      { numRuns: 2_000 },
    );
    expect(refused).toBeGreaterThan(500);
    expect(accepted).toBeGreaterThan(10);
  });

  it("104 a type of any name finds and calls no inherited function", () =>
    withTraps(async () => {
      const buses = [new CommandBus(), new QueryBus(), new EventBus()] as const;
      const [commandBus, queryBus] = buses;
      class Known {}
      commandBus.register(Known, () => undefined);
      const names = [
        "__proto__",
        "constructor",
        "toString",
        "then",
        "valueOf",
        "hasOwnProperty",
        "",
        "x".repeat(10_240),
        "a\0b",
        "Кnown",
      ];
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(fc.constantFrom(...names), fc.string(), fc.string({ unit: "binary" })),
          async (name) => {
            class Named {
              static readonly messageName = name;
            }
            const plain = { [name]: name, type: name, name };
            for (const message of [
              new Named(),
              plain,
              Object.setPrototypeOf({}, { constructor: name }) as object,
            ]) {
              expect(await reasonOf(commandBus.dispatch(message))).toBeInstanceOf(HandlerNotFoundError);
              expect(await reasonOf(queryBus.ask(message))).toBeInstanceOf(HandlerNotFoundError);
            }
            // A name that reaches an envelope is written and read back, or refused.
            try {
              const json = JSON.stringify(Envelope.of(new Named()));
              expect(Envelope.fromJSON(json, Named).meta.name).toBe(name);
            } catch (error) {
              expect(error).toBeInstanceOf(InvalidMessageError);
            }
            expect(() => Envelope.fromJSON(text({}, { name: `${name}?` }), Named)).toThrow(
              InvalidMessageError,
            );
          },
        ),
        { numRuns: 100 },
      );
      for (const type of names)
        expect(() => commandBus.register(type as never, () => undefined)).toThrow(InvalidMessageError);
      await canaries(...buses);
    }));

  it("104 an own field called constructor does not choose the handler", () =>
    withTraps(async () => {
      class Safe {}
      class Admin {}
      const calls: string[] = [];
      const bus = new CommandBus();
      bus.register(Safe, () => void calls.push("safe"));
      bus.register(Admin, () => void calls.push("admin"));
      await bus.dispatch(Object.assign(new Safe(), { constructor: "Admin" }));
      await bus.dispatch(Object.assign(new Safe(), JSON.parse('{"constructor":{"name":"Admin"}}') as object));
      expect(calls).toEqual(["safe", "safe"]);
    }));

  it("105 __proto__, constructor and prototype as keys are refused at any depth, and reach no prototype", () => {
    const paths = fc.array(fc.constantFrom("a", "0", "list"), { maxLength: 4 });
    fc.assert(
      fc.property(
        paths,
        fc.constantFrom(
          '{"__proto__":{"isAdmin":true}}',
          '{"constructor":{"prototype":{"isAdmin":true}}}',
          '{"prototype":{"isAdmin":true}}',
        ),
        fc.boolean(),
        (path, poison, tagged) => {
          const inner = tagged ? `{"$map":[["key",${poison}]]}` : poison;
          const payload = path.reduceRight(
            (value, key) => (key === "list" ? `[${value}]` : `{"${key}":${value}}`),
            inner,
          );
          const error = refusal(() => Envelope.fromJSON(`{"payload":{"value":${payload}}}`, Box));
          expect(error.path).toMatch(/^payload\.value/);
          expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
          expect((Box.prototype as { isAdmin?: boolean }).isAdmin).toBeUndefined();
        },
      ),
    );
    for (const poison of ['{"__proto__":{"isAdmin":true}}', '{"__proto__":"x"}'])
      refusal(() => Envelope.fromJSON(`{"meta":{"headers":${poison}},"payload":{}}`, Empty));
    const polluted = Envelope.fromJSON(`{"meta":{"__proto__":{"id":"forged"}},"payload":{}}`, Empty);
    expect(polluted.meta.id).not.toBe("forged");
    refusal(() => Envelope.fromJSON('{"payload":{"__proto__":{"isAdmin":true}}}', Empty));
    for (const key of ["__proto__", "constructor", "prototype"])
      refusal(() => Envelope.of(new Box(JSON.parse(`{"${key}":1}`))).toJSON());
  });

  it("105 reading calls no setter or accessor of the class, and hides none of its methods", () => {
    let called = 0;
    class Guarded {
      declare amount: number;
      set balance(_value: number) {
        called++;
      }
    }
    const { payload } = Envelope.fromJSON(text({ amount: 1, balance: 2 }), Guarded);
    expect(payload).toBeInstanceOf(Guarded);
    expect(payload.amount).toBe(1);
    expect(called).toBe(0);
  });

  const cyclic: { self?: unknown } = {};
  cyclic.self = cyclic;
  it.each<[string, unknown, string]>([
    ["a cycle", cyclic, "payload.value.self"],
    ["a cycle in a list", [[cyclic]], "payload.value[0][0].self"],
    ["a function", { list: [() => 1] }, "payload.value.list[0]"],
    ["a symbol", { deep: Symbol("s") }, "payload.value.deep"],
    ["a symbol as key", { [Symbol("s")]: 1 }, "payload.value.Symbol(s)"],
    ["a class instance", { at: new Empty() }, "payload.value.at"],
    ["a list with holes", [1, , 2], "payload.value"], // eslint-disable-line no-sparse-arrays
    ["a list with a property", Object.assign([1], { extra: 1 }), "payload.value"],
    ["a hidden property", Object.defineProperty({}, "hidden", { value: 1 }), "payload.value.hidden"],
    ["an invalid date", new Date(NaN), "payload.value"],
    ["an error", new Error("e"), "payload.value"],
    ["a boxed number", Object(1), "payload.value"],
    ["a promise", Promise.resolve(), "payload.value"],
    ["a nested toJSON", { toJSON: () => 1 }, "payload.value.toJSON"],
    [
      "a getter that throws",
      {
        get bad() {
          throw new Error("getter");
        },
      },
      "payload.value.bad",
    ],
    ["a map with a property", Object.assign(new Map(), { extra: 1 }), "payload.value"],
    ["a set with a property", Object.assign(new Set(), { extra: 1 }), "payload.value"],
    ["a date with a property", Object.assign(new Date(0), { extra: 1 }), "payload.value"],
    ["bytes with a property", Object.assign(new Uint8Array(1), { extra: 1 }), "payload.value"],
  ])("107 %s cannot be written, and the error says where", (_, value, path) => {
    const error = refusal(() => JSON.stringify(Envelope.of(new Box(value))));
    expect(error.path).toBe(path);
    expect(error.message).toContain(path);
    expect(error.code).toBe("INVALID_MESSAGE");
  });

  it("107 a toJSON of the message that throws is named as the cause", () => {
    const boom = new Error("boom");
    class Bad {
      toJSON(): never {
        throw boom;
      }
    }
    const error = refusal(() => JSON.stringify(Envelope.of(new Bad())));
    expect(error).toMatchObject({ path: "payload", cause: boom });
  });

  it("107 a message that is itself a collection is refused, as its contents would be lost", () => {
    class Tags extends Set<string> {}
    class Prices extends Map<string, number> {}
    class Photo extends Uint8Array {}
    for (const message of [new Tags(["a"]), new Prices([["a", 1]]), new Photo(2)])
      refusal(() => JSON.stringify(Envelope.of(message)));
  });

  it("108 a written value is read as an equal value, or refused; never changed silently", () => {
    const anything = fc.anything({
      withBigInt: true,
      withBoxedValues: true,
      withDate: true,
      withMap: true,
      withNullPrototype: false,
      withObjectString: true,
      withSet: true,
      withSparseArray: true,
      withTypedArray: true,
      withUnicodeString: true,
      maxDepth: 4,
      key: fc.oneof(
        fc.string(),
        fc.constantFrom("$map", "$set", "$date", "$object", "$x", "$undefined", "toJSON"),
      ),
    } as never);
    const awkward = fc.constantFrom<unknown>(
      undefined,
      NaN,
      -0,
      0,
      Infinity,
      -Infinity,
      2 ** 53 + 2,
      Number.MAX_VALUE,
      5e-324,
      "\ud800",
      "\udc00x",
      "\u2028",
      "",
      new Date(0),
      new Date(8.64e15),
      new Date(-8.64e15),
      new Map([[undefined, NaN]]),
      new Set([-0, "a"]),
      10n ** 30n,
      new Uint8Array([0, 255]),
      { $date: "x" },
      { $object: { $object: 1 } },
      { $a: { $b: [{ $c: undefined }] } },
      [[], {}, [{}]],
      { "": "" },
      { $map: [] },
      [undefined, null],
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof(anything, awkward), (value) => {
        let json: string;
        try {
          json = JSON.stringify(Envelope.of(new Box(value)));
        } catch (error) {
          expect(error).toBeInstanceOf(InvalidMessageError);
          return;
        }
        accepted++;
        const copy = Envelope.fromJSON(json, Box);
        expect(copy.payload).toBeInstanceOf(Box);
        expect(copy.payload.value).toStrictEqual(value);
        expect(JSON.stringify(copy)).toBe(json);
      }),
      { numRuns: 2_000 },
    );
    expect(accepted).toBeGreaterThan(500);
  });

  it("108 a payload that is made asynchronously, or is not JSON data, is refused instead of read as empty", async () => {
    const made = async (): Promise<object> => Promise.reject(new Error("late"));
    class AsyncFromJson {
      static readonly fromJSON = made;
    }
    class AsyncUpcast {
      static readonly version = 2;
      static readonly upcast = made;
    }
    class FromMap {
      static readonly fromJSON = (): object => new Map([["a", 1]]);
    }
    refusal(() => Envelope.fromJSON({ payload: {} }, AsyncFromJson));
    refusal(() => Envelope.fromJSON({ payload: {} }, AsyncUpcast));
    refusal(() => Envelope.fromJSON({ payload: {} }, FromMap));
    refusal(() => Envelope.fromJSON('{"payload":{"value":1e999}}', Box));
    refusal(() => Envelope.fromJSON({ payload: { value: { $bytes: "AB" } } }, Box));
    const throwing = Object.defineProperty({}, "a", {
      enumerable: true,
      get() {
        throw new Error("getter");
      },
    });
    for (const value of [new Date(0), new Set([1]), Buffer.from("x"), new Box(1), throwing])
      refusal(() => Envelope.fromJSON({ payload: { value } }, Box));
    expect(
      Envelope.fromJSON({ payload: { value: Object.create(null) as object } }, Box).payload.value,
    ).toEqual({});
  });

  it("108 metadata survives a round trip", () => {
    const id = fc.string({ minLength: 1, maxLength: 256 });
    const header = fc.tuple(
      fc.stringMatching(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,20}$/).filter((name) => name !== "__proto__"),
      fc.stringMatching(/^[\t\x20-\x7e]{0,40}$/),
    );
    fc.assert(
      fc.property(
        id,
        id,
        id,
        fc.array(header, { maxLength: 20 }),
        fc.nat(),
        (own, correlation, cause, headers, time) => {
          const meta = {
            id: own,
            correlationId: correlation,
            causationId: cause,
            headers: Object.fromEntries(headers),
            time,
          };
          const copy = Envelope.fromJSON(JSON.stringify(Envelope.of(new Empty(), meta)), Empty);
          expect(copy.meta).toMatchObject(meta);
          expect(copy.meta).toMatchObject({ name: "Empty", version: 1 });
        },
      ),
    );
  });

  it("108 the envelope that a bus makes of a message can be written and read", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      bus.register(Box, () => undefined);
      const copies: Envelope<Box>[] = [];
      const observing = bus.messages$.subscribe((envelope) =>
        copies.push(Envelope.fromJSON(JSON.stringify(envelope), Box)),
      );
      await bus.dispatch(new Box(new Map([["a", 1n]])), { headers: { tenant: "t1" } });
      expect(copies[0]!.payload.value).toEqual(new Map([["a", 1n]]));
      expect(copies[0]!.meta.headers).toEqual({ tenant: "t1" });
      observing.unsubscribe();
      await canaries(bus);
    }));

  class Secret {
    readonly #code: number;
    constructor(code: number) {
      this.#code = code;
    }
    get code(): number {
      return this.#code;
    }
  }

  it("state that JSON cannot show is refused, not left out", () => {
    class MoreSecret extends Secret {}
    class Counted extends Map {}
    const params = new URLSearchParams({ a: "1" });
    for (const hidden of [new Secret(5), new MoreSecret(5), new Counted(), Object(5), params])
      expect(refusal(() => Envelope.of(hidden as object).toJSON()).message).toMatch(
        /^payload has hidden state, such as private fields;/,
      );
    expect(refusal(() => Envelope.of(new Box(new Secret(5))).toJSON())).toMatchObject({
      path: "payload.value",
    });
    expect(refusal(() => Envelope.fromJSON({ payload: {} }, Secret)).message).toMatch(/static fromJSON/);
  });

  it("a class with private fields travels by its toJSON and fromJSON", () => {
    class Shown extends Secret {
      toJSON(): object {
        return { code: this.code };
      }
      static fromJSON({ code }: { code: number }): Shown {
        return new Shown(code);
      }
    }
    class Counting {
      static #made = 0;
      readonly count = ++Counting.#made;
      #shown(): number {
        return this.count;
      }
      get shown(): number {
        return this.#shown();
      }
    }
    const shown = Envelope.fromJSON(JSON.stringify(Envelope.of(new Shown(5))), Shown);
    expect(shown.payload.code).toBe(5);
    // Private methods and static fields of the class are not state of the message.
    const { payload } = Envelope.fromJSON(JSON.stringify(Envelope.of(new Counting())), Counting);
    expect(payload.count).toBe(1);
  });

  it("headers must be a plain object, because JSON would keep nothing of another", async () => {
    for (const headers of [new Headers({ tenant: "t1" }), new Map([["tenant", "t1"]]), new Secret(1)]) {
      expect(refusal(() => Envelope.of(new Empty(), { headers: headers as never }))).toMatchObject({
        path: "meta.headers",
      });
      const bus = new CommandBus();
      bus.register(Empty, () => undefined);
      expect(await reasonOf(bus.dispatch(new Empty(), { headers: headers as never }))).toMatchObject({
        path: "meta.headers",
      });
    }
    const bare = Object.assign(Object.create(null) as object, { tenant: "t1" });
    expect(Envelope.of(new Empty(), { headers: bare }).meta.headers).toEqual({ tenant: "t1" });
  });

  it("says what is wrong with the type, the payload and metadata that is null", () => {
    for (const type of [undefined, null, "Box", {}, () => 0])
      expect(refusal(() => Envelope.fromJSON({ payload: {} }, type as never)).message).toMatch(
        /^A message type is a class; received/,
      );
    for (const payload of [Envelope.of(new Empty()), Promise.resolve()])
      expect(refusal(() => Envelope.of(payload))).toMatchObject({ path: "payload" });
    for (const field of ["id", "name", "version", "time", "correlationId", "headers"])
      expect(refusal(() => Envelope.fromJSON(text({}, { [field]: null }), Empty))).toMatchObject({
        path: `meta.${field}`,
      });
    // Other languages write it for nothing.
    expect(Envelope.fromJSON(text({}, { causationId: null }), Empty).meta.causationId).toBeUndefined();
  });

  it("109 a payload that is too large is refused before it is written and when it is read", () => {
    const big = "x".repeat(1_048_577);
    expect(refusal(() => Envelope.of(new Box(big)).toJSON())).toMatchObject({
      code: "PAYLOAD_TOO_LARGE",
      maxBytes: 1_048_576,
    });
    refusal(() => Envelope.of(new Box({ [big]: 1 })).toJSON());
    // Read is a little more, for the metadata.
    refusal(() => Envelope.fromJSON(`{"payload":{"value":"${big}${"x".repeat(65_536)}"}}`, Box));
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`h${n}`, ""]));
    refusal(() => Envelope.of(new Empty(), { headers: many }));
    refusal(() => Envelope.fromJSON(text({}, { headers: many }), Empty));
    refusal(() => Envelope.of(new Empty(), { headers: { h: "x".repeat(8_193) } }));
    for (const field of ["id", "correlationId", "causationId", "name"]) {
      for (const bad of ["", "x".repeat(257), 5, {}, []]) {
        refusal(() => Envelope.of(new Empty(), { [field]: bad }));
        refusal(() => Envelope.fromJSON(text({}, { [field]: bad }), Empty));
      }
    }
    for (const time of ["now", {}, true]) refusal(() => Envelope.fromJSON(text({}, { time }), Empty));
    let deep: unknown = 1;
    for (let depth = 0; depth < 100; depth++) deep = [deep];
    refusal(() => Envelope.of(new Box(deep)).toJSON());
    refusal(() => Envelope.fromJSON(`{"payload":{"value":${"[".repeat(10_000)}${"]".repeat(10_000)}}}`, Box));
  });

  it.each<[string, unknown]>([
    ["a list of 300,000 numbers", new Array(300_000).fill(0)],
    ["a text of control characters", "\u0001".repeat(500_000)],
    ["a text of quotes", '"'.repeat(600_000)],
    ["a text of a million letters", "x".repeat(1_000_000)],
    [
      "50 objects with a key that looks like a tag",
      Array.from({ length: 50 }).reduce((inner) => ({ $a: inner }), 1),
    ],
    ["62 lists in each other", Array.from({ length: 62 }).reduce((inner) => [inner], 1)],
    ["20 maps in each other", Array.from({ length: 20 }).reduce((inner) => new Map([["a", inner]]), 1)],
    ["long numbers", new Array(100_000).fill(Math.PI)],
  ])("109 %s can be read if it can be written", (_, value) => {
    let json: string;
    try {
      json = JSON.stringify(Envelope.of(new Box(value)));
    } catch (error) {
      expect(error).toBeInstanceOf(PayloadTooLargeError);
      return;
    }
    expect(Envelope.fromJSON(json, Box).payload.value).toEqual(value);
  });

  it("109 parsed data has the same limit as a text, and a shared part counts each time", () => {
    refusal(() => Envelope.fromJSON({ payload: { value: "x".repeat(1_048_577) } }, Box));
    refusal(() => Envelope.fromJSON({ payload: { ["x".repeat(1_048_577)]: 1 } }, Box));
    let doubled: unknown = { leaf: true };
    for (let level = 0; level < 60; level++) doubled = { a: doubled, b: doubled };
    refusal(() => Envelope.fromJSON({ payload: { value: doubled } }, Box));
  });

  it("109 reading a hostile text takes no more than linear time, and throws errors of ours only", () => {
    const hostile: readonly ((size: number) => string)[] = [
      (size) => `{"payload":{"value":[${"0,".repeat(size / 2)}0]}}`,
      (size) => `{"payload":{"value":"${"\\\\".repeat(size / 2)}"}}`,
      (size) => `{"payload":{${Array.from({ length: size / 16 }, (_, n) => `"k${n}":0`).join(",")}}}`,
      (size) => '{"payload":'.repeat(size / 16),
      (size) => '"'.repeat(size),
      (size) => `{"payload":{"value":{"$bigint":"${"9".repeat(size / 3)}"}}}`,
    ];
    const read = (text: string): void => {
      try {
        Envelope.fromJSON(text, Box);
      } catch (error) {
        if (!(error instanceof PayloadTooLargeError)) expect(error).toBeInstanceOf(InvalidMessageError);
      }
    };
    /** The processor time of `run` in milliseconds, which the system may count in steps of four. */
    const cost = (run: () => void): number => {
      const before = process.cpuUsage();
      run();
      return process.cpuUsage(before).user / 1_000;
    };
    for (const make of hostile) {
      const [large, small] = [make(960_000), make(60_000)];
      // In turns, and long enough for the steps not to count: sixteen small texts are as long as a large one.
      let [ofLarge, ofSmall] = [0, 0];
      for (let round = 0; round < 40 && ofLarge < 200; round++) {
        ofLarge += cost(() => read(large));
        ofSmall += cost(() => {
          for (let n = 0; n < 16; n++) read(small);
        });
      }
      // Equal if reading is linear; the large one costs 16 times as much if it is quadratic.
      if (ofLarge >= 200) expect(ofLarge / ofSmall).toBeLessThan(4);
    }
  });

  it("111 keys given twice are refused, wherever they are", () => {
    const twice = [
      '{"payload":{"value":1,"value":2}}',
      '{"payload":{"value":1},"payload":{"value":2}}',
      '{"meta":{"id":"a","id":"b"},"payload":{}}',
      '{"payload":{"value":[{"a":1,"\\u0061":2}]}}',
      '{"payload":{"value":{"a" : "x:", "a"\n:1}}}',
      '{"payload":{"value":{"":1,"":2}}}',
    ];
    for (const json of twice) refusal(() => Envelope.fromJSON(json, Box));
    fc.assert(
      fc.property(fc.json({ stringUnit: "binary" }), (json) => {
        try {
          Envelope.fromJSON(`{"payload":{"value":${json}}}`, Box);
        } catch (error) {
          expect((error as Error).message).not.toContain("key twice");
        }
      }),
      { numRuns: 300 },
    );
  });

  it("111 names that do not match, and versions from the future, are refused; a missing version is 1", () => {
    class Renamed {
      static readonly messageName = "orders.placed";
      static readonly version = 2;
      static upcast(payload: { total: number }, version: number): object {
        return { total: payload.total * 100, from: version };
      }
      declare readonly total: number;
    }
    class Current {
      static readonly version = 2;
    }
    const failing = new Error("upcast");
    class Failing {
      static readonly version = 2;
      static upcast(): never {
        throw failing;
      }
    }
    expect(Envelope.fromJSON(text({ total: 3 }), Renamed).payload).toMatchObject({ total: 300, from: 1 });
    expect(Envelope.fromJSON(text({ total: 3 }, { version: 2 }), Renamed).payload).toEqual({ total: 3 });
    expect(Envelope.fromJSON(text({ total: 3 }), Renamed).meta).toMatchObject({
      name: "orders.placed",
      version: 2,
    });
    expect(refusal(() => Envelope.fromJSON(text({}, { version: 3 }), Renamed)).path).toBe("meta.version");
    expect(refusal(() => Envelope.fromJSON(text({}, { version: 1 }), Current)).path).toBe("meta.version");
    expect(refusal(() => Envelope.fromJSON(text({}), Failing)).cause).toBe(failing);
    expect(refusal(() => Envelope.fromJSON(text({}, { name: "Renamed" }), Renamed)).path).toBe("meta.name");
    for (const version of [0, -1, 1.5, "1", null, {}])
      refusal(() => Envelope.fromJSON(text({}, { version }), Current));
  });

  it("111 a value that is not an envelope is refused", () => {
    for (const json of [
      null,
      undefined,
      5,
      "",
      "null",
      "[]",
      "5",
      '"x"',
      "{",
      "{}",
      '{"payload":null}',
      '{"payload":[]}',
      '{"payload":"x"}',
      '{"meta":5,"payload":{}}',
      '{"meta":null,"payload":{}}',
      [],
      () => 1,
      Symbol("s"),
      5n,
    ])
      refusal(() => Envelope.fromJSON(json, Empty));
    for (const payload of [null, undefined, 5, "x", Object.create(null)])
      refusal(() => Envelope.of(payload as object));
  });

  it.each([
    '{"$date":"x"}',
    '{"$date":{}}',
    '{"$bigint":"1.5"}',
    '{"$bigint":""}',
    '{"$number":"5"}',
    '{"$bytes":"*"}',
    '{"$set":5}',
    '{"$map":[1]}',
    '{"$map":[[1]]}',
    '{"$map":[[1,2],[1,3]]}',
    '{"$set":[1,1]}',
    '{"$unknown":1}',
    '{"$object":null}',
    '{"$undefined":5}',
    '{"$date":5}',
    '{"$number":["NaN"]}',
    '{"$object":[1]}',
    '{"$object":"ab"}',
  ])("111 the tag %s is refused", (tag) => {
    refusal(() => Envelope.fromJSON(`{"payload":{"value":${tag}}}`, Box));
  });

  it("111 a schema or fromJSON that refuses is the cause, and its error holds no payload", () => {
    const secret = "hunter2";
    class Checked {
      static readonly schema = {
        "~standard": {
          version: 1 as const,
          vendor: "spec",
          validate: () => ({ issues: [{ message: "is too short", path: ["password"] }] }),
        },
      };
    }
    class Picky {
      static fromJSON(): never {
        throw new Error("no");
      }
    }
    for (const type of [Checked, Picky] as MessageType[]) {
      const error = refusal(() => Envelope.fromJSON(text({ password: secret }), type));
      expect(error.message).not.toContain(secret);
      expect(error.messageType).toBe(type === Checked ? "Checked" : "Picky");
    }
  });

  it("112 header names and values that could break a protocol are refused with a typed error, on every way in", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      let handled = 0;
      bus.register(Empty, () => void handled++);
      const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
      const value = /^[\t\x20-\x7e]*$/;
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(
            fc.string({ unit: "binary", maxLength: 8 }),
            fc.constantFrom("a\r\nb", "a\n", "\0", "é", "a b", "", "__proto__", "a:b"),
          ),
          fc.oneof(
            fc.string({ unit: "binary", maxLength: 8 }),
            fc.constantFrom("a\r\nEvil: 1", "\n", "\x00", "\x7f", "é", "\u2028"),
          ),
          async (name, content) => {
            const headers = JSON.parse(`{${JSON.stringify(name)}:${JSON.stringify(content)}}`) as {
              [name: string]: string;
            };
            const fine = token.test(name) && name !== "__proto__" && value.test(content);
            const before = handled;
            const sent = bus.dispatch(new Empty(), { headers });
            if (fine) await sent;
            else expect(await reasonOf(sent)).toBeInstanceOf(InvalidMessageError);
            expect(handled - before).toBe(fine ? 1 : 0);
            if (fine) Envelope.of(new Empty(), { headers });
            else {
              refusal(() => Envelope.of(new Empty(), { headers }));
              refusal(() => Envelope.fromJSON(text({}, { headers }), Empty));
            }
          },
        ),
        { numRuns: 300 },
      );
      await canaries(bus);
    }));

  it.each(["orders.*", "orders.>", ">", "*", "$SYS.orders", "orders placed", "orders..placed", ".", "a.b.c"])(
    "113 the name %s is a name and no pattern, and comes back as it was",
    (name) =>
      withTraps(async () => {
        class Named {
          static readonly messageName: string = name;
          readonly n = 1;
        }
        class Narrow {
          static readonly messageName: string = "orders.placed";
        }
        const bus = new CommandBus({
          middleware: [
            when(
              Named,
              tap(() => void calls.push("middleware")),
            ),
          ],
        });
        const calls: string[] = [];
        bus.register(Named, () => void calls.push("named"));
        bus.register(Narrow, () => void calls.push("narrow"));
        bus.messages$.pipe(ofType(Named)).subscribe(({ meta }) => calls.push(`saw ${meta.name}`));
        await bus.dispatch(new Narrow());
        expect(calls).toEqual(["narrow"]);
        await bus.dispatch(new Named());
        expect(calls.slice(1)).toEqual([`saw ${name}`, "middleware", "named"]);

        const json = JSON.stringify(Envelope.of(new Named()));
        expect(Envelope.fromJSON(json, Named).meta.name).toBe(name);
        expect(refusal(() => Envelope.fromJSON(json, Narrow)).path).toBe("meta.name");
        const narrow = JSON.stringify(Envelope.of(new Narrow()));
        expect(refusal(() => Envelope.fromJSON(narrow, Named)).path).toBe("meta.name");
        await canaries(bus);
      }),
  );

  it("116 an error as JSON holds its code and type, without stack, cause or payload; a reader builds the class that it asked for", () =>
    withTraps(async () => {
      const secret = "hunter2";
      class SignIn {
        readonly password = secret;
      }
      class Unknown extends SignIn {}
      const cause = new Error(secret);
      const failing = new EventBus();
      failing.register(SignIn, () => Promise.reject(cause));
      const dropping = new CommandBus({ middleware: [filter(() => false)] });
      dropping.register(SignIn, () => undefined);
      const crashing = new CommandBus({ middleware: [shared(map(() => { throw cause; }))] }); // prettier-ignore
      crashing.faults$.subscribe();
      crashing.register(SignIn, () => undefined);
      const odd = new CommandBus();
      odd.register(SignIn, () => Promise.reject({ secret }));
      const closed = new CommandBus();
      await closed.close();
      for (const [code, sent] of [
        ["EVENT_HANDLERS_FAILED", failing.publish(new SignIn())],
        ["MESSAGE_DROPPED", dropping.dispatch(new SignIn())],
        ["MIDDLEWARE_CRASHED", crashing.dispatch(new SignIn())],
        ["NON_ERROR_THROWN", odd.dispatch(new SignIn())],
        ["HANDLER_NOT_FOUND", odd.dispatch(new Unknown())],
        ["BUS_CLOSED", closed.dispatch(new SignIn())],
      ] as const) {
        const error = (await reasonOf(sent)) as Error;
        const json = JSON.stringify(error);
        expect([json, JSON.parse(json)]).toEqual([json, expect.objectContaining({ code })]);
        expect(error.message).not.toContain(secret);
        for (const never of [secret, "stack", " at ", __filename]) expect(json).not.toContain(never);
      }

      // The wire says a name; which class that is, is the reader's to say.
      let built = 0;
      class Evil {
        constructor() {
          built++;
        }
      }
      const named = text({}, { name: "Evil", type: "Evil", class: "Evil" });
      expect(refusal(() => Envelope.fromJSON(named, Empty)).path).toBe("meta.name");
      expect(
        Envelope.fromJSON(text({ name: "Evil", constructorName: "Evil" }), Empty).payload,
      ).toBeInstanceOf(Empty);
      expect(Envelope.fromJSON(named, Evil).payload).toBeInstanceOf(Evil);
      // Not even its own constructor runs.
      expect(built).toBe(0);
      await canaries(failing, odd);
    }));

  it("112 headers are copied: changing the object later changes no message", () =>
    withTraps(async () => {
      const bus = new CommandBus();
      const seen: unknown[] = [];
      bus.register(Empty, (_, { envelope }) => void seen.push(envelope.meta.headers));
      const headers: { [name: string]: string } = { a: "1" };
      const sent = bus.dispatch(new Empty(), { headers });
      headers["a"] = "2\r\n";
      await sent;
      expect(seen).toEqual([{ a: "1" }]);
      expect(Object.isFrozen(seen[0])).toBe(true);
    }));
});
