import { describe, expect, it } from "@jest/globals";
import { Query, QueryBus } from "cqrx";
import { Subject } from "rxjs";
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
