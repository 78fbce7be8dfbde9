import { describe, expect, it } from "@jest/globals";
import { Envelope, Query, QueryBus } from "cqrx";
import { Subject } from "rxjs";
import { deepEqual } from "../../../src/core/messages/deep-equal.js";
import { microtasks } from "../../conformance/support.js";

class Show extends Query<unknown> {}

/** How many of two results in turn a watcher is shown. */
async function shown(first: unknown, second: unknown): Promise<number> {
  const bus = new QueryBus();
  const refresh$ = new Subject();
  const results = [first, second];
  let count = 0;
  bus.register(Show, () => ({ within: results.shift() }));
  bus.watch(new Show(), { refreshOn: refresh$ }).subscribe(() => count++);
  refresh$.next(0);
  await microtasks();
  return count;
}

class Price {
  constructor(
    readonly currency: string,
    readonly cents: number,
  ) {}
}
class Money {
  readonly currency = "EUR";
  readonly #cents: number;

  constructor(cents: number) {
    this.#cents = cents;
  }

  get cents(): number {
    return this.#cents;
  }
}
class Salary extends Money {}
class Shelf extends Map<string, number> {
  readonly #label: string;

  constructor(label: string) {
    super();
    this.#label = label;
  }

  get label(): string {
    return this.#label;
  }
}
class Empty {}
const tag = Symbol("tag");
const withField = <T extends object>(value: T, n: number): T => Object.assign(value, { n });

describe("watch leaves out a result that shows the same", () => {
  it.each<[string, () => unknown]>([
    ["plain objects", () => ({ a: [1, { b: undefined }], c: null })],
    ["objects without a prototype", () => Object.assign(Object.create(null) as object, { a: 1 })],
    ["instances of classes", () => new Price("EUR", 5)],
    ["fields named by symbols", () => ({ [tag]: [1] })],
    ["Dates", () => new Date(5)],
    ["Maps", () => new Map([["a", { b: 1 }]])],
    ["Sets", () => new Set([1, "a"])],
    ["bytes", () => Uint8Array.of(1, 2)],
    ["numbers in bytes", () => Float64Array.of(1, 2)],
    ["views", () => new DataView(Uint8Array.of(1, 2).buffer)],
    ["buffers", () => Buffer.from("ab")],
    ["fields of Dates", () => withField(new Date(5), 1)],
    ["fields of Maps", () => withField(new Map([[1, 2]]), 1)],
    ["fields of arrays", () => withField([1], 1)],
    ["fields of bytes", () => withField(Uint8Array.of(1), 1)],
  ])("%s", async (_, make) => expect(await shown(make(), make())).toBe(1));
});

describe("watch shows a result that may have changed", () => {
  it.each<[string, (n: number) => unknown]>([
    ["fields", (n) => new Price("EUR", n)],
    ["private fields beside others", (n) => new Money(n)],
    ["private fields of a class above", (n) => new Salary(n)],
    ["private fields of a kind of Map", (n) => new Shelf(String(n))],
    ["fields named by symbols", (n) => ({ a: 1, [tag]: n })],
    ["undefined or not there", (n) => (n === 1 ? { a: undefined } : { b: undefined })],
    ["errors with fields", (n) => Object.assign(new Error(`m${n}`), { code: 1 })],
    ["URLs with a field", (n) => withField(new URL(`http://localhost/${n}`), 0)],
    ["expressions with a field", (n) => withField(new RegExp(String(n)), 0)],
    ["boxed values with a field", (n) => withField(Object(n) as object, 0)],
    ["Dates", (n) => new Date(n)],
    ["Maps", (n) => new Map([["a", { n }]])],
    ["Sets", (n) => new Set([n])],
    ["bytes", (n) => Uint8Array.of(n)],
    ["buffers", (n) => Buffer.from(String(n))],
    ["fields of Dates", (n) => withField(new Date(5), n)],
    ["fields of Maps", (n) => withField(new Map(), n)],
    ["fields of Sets", (n) => withField(new Set(), n)],
    ["fields of arrays", (n) => withField([1], n)],
    ["fields of bytes", (n) => withField(Uint8Array.of(1), n)],
    ["fields of buffers", (n) => withField(Buffer.from("a"), n)],
    ["fields of many bytes", (n) => withField(new Uint8Array(100_000), n)],
    ["what shows nothing", () => new Empty()],
    ["what cannot be looked at", () => ({ get a(): never { throw new Error("no"); } })], // prettier-ignore
  ])("%s", async (_, make) => expect(await shown(make(1), make(2))).toBe(2));
});

describe("deepEqual", () => {
  class Index extends Map<string, number> {}
  class Shown {
    readonly #n: number;
    constructor(n: number) {
      this.#n = n;
    }
    toJSON(): number {
      return this.#n;
    }
  }
  const ring = (n: number): object => {
    const a: Record<string, unknown> = { n };
    a["self"] = { list: [a, new Map([["a", a]])] };
    return a;
  };
  const shared = (levels: number): object => {
    let value: object = { n: 1 };
    for (let level = 0; level < levels; level++) value = { left: value, right: value };
    return value;
  };

  it.each<[string, () => unknown]>([
    ["cycles", () => ring(1)],
    ["a cycle inside a Set", () => new Set([ring(1)])],
    ["errors", () => new Error("m", { cause: new TypeError("c") })],
    ["errors of errors", () => new AggregateError([new Error("a")], "m")],
    ["expressions", () => /a/g],
    ["kinds of Map", () => new Index([["a", 1]])],
    ["what toJSON shows", () => new Shown(1)],
    ["array buffers", () => Uint8Array.of(1, 2).buffer],
    ["objects that are shared many times", () => shared(500)],
    ["members of Sets", () => new Set([{ a: 1 }, { a: 2 }])],
    ["an envelope", () => Envelope.of(new Price("EUR", 5), { id: "1", time: 0 })],
  ])("sees that these are equal: %s", (_, make) => expect(deepEqual(make(), make())).toBe(true));

  it.each<[string, unknown, unknown]>([
    ["cycles", ring(1), ring(2)],
    ["errors", new Error("a"), new Error("b")],
    ["causes", new Error("a", { cause: 1 }), new Error("a", { cause: 2 })],
    ["fields of errors that are not enumerable", hiddenOf(new Error("a"), 1), hiddenOf(new Error("a"), 2)],
    ["flags", /a/g, /a/i],
    ["what toJSON shows", new Shown(1), new Shown(2)],
    ["members of Sets", new Set([{ a: 1 }]), new Set([{ a: 2 }])],
    ["numbers of members", new Set([1]), new Set([1, 2])],
    ["promises", Promise.resolve(1), Promise.resolve(1)],
    ["Subjects", new Subject(), new Subject()],
    ["instances without fields", new Empty(), new Empty()],
    ["payloads", Envelope.of(new Price("EUR", 5), { id: "1", time: 0 }), Envelope.of(new Price("EUR", 6), { id: "1", time: 0 })], // prettier-ignore
    ["ids", Envelope.of(new Price("EUR", 5), { id: "1" }), Envelope.of(new Price("EUR", 5), { id: "2" })],
  ])("sees that these differ: %s", (_, a, b) => expect(deepEqual(a, b)).toBe(false));

  it("finds the equal member of a Set after others that fail deep inside", () => {
    const a = { id: 1 };
    const [first, second] = [{ within: { a, n: 1 } }, { within: { a, n: 2 } }];
    const copy = (n: number): object => ({ within: { a: { id: 1 }, n } });
    expect(deepEqual(new Set([first, second]), new Set([copy(2), copy(1)]))).toBe(true);
    expect(deepEqual(new Set([first, second]), new Set([copy(2), copy(2)]))).toBe(false);
  });

  it("tells an array with a hole or a field from one without, on either side", () => {
    // eslint-disable-next-line no-sparse-arrays -- a hole is under test
    for (const other of [Object.assign([1, 2], { more: 1 }), [1, ,], { 0: 1, 1: 2, length: 2 }]) {
      expect([deepEqual([1, 2], other), deepEqual(other, [1, 2])]).toEqual([false, false]);
    }
  });

  it("does not take a pair for equal that differed before", () => {
    const inner = { n: 1 };
    const a = [
      new Set([
        { inner, tag: 1 },
        { inner, tag: 2 },
      ]),
      inner,
    ];
    const other = { n: 2 };
    expect(
      deepEqual(a, [
        new Set([
          { inner: other, tag: 1 },
          { inner: other, tag: 2 },
        ]),
        other,
      ]),
    ).toBe(false);
  });

  it("compares empty instances by class if asked to", () => {
    expect(deepEqual(new Empty(), new Empty(), { emptyEqual: true })).toBe(true);
    expect(deepEqual(new Empty(), new (class Empty {})(), { emptyEqual: true })).toBe(false);
  });

  it("compares large contents if asked to", () => {
    const bytes = (): Uint8Array => new Uint8Array(70_000);
    expect(deepEqual(bytes(), bytes())).toBe(false);
    expect(deepEqual(bytes(), bytes(), { maxBytes: Infinity })).toBe(true);
  });

  it("does not overflow the stack", () => {
    const deep = (): unknown => {
      let value: unknown = 1;
      for (let level = 0; level < 100_000; level++) value = [value];
      return value;
    };
    expect(deepEqual(deep(), deep())).toBe(false);
  });
});

function hiddenOf(value: object, n: number): object {
  return Object.defineProperty(value, "n", { value: n });
}
