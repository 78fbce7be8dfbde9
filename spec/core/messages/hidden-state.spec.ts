import { runInNewContext } from "node:vm";
import { describe, expect, it } from "@jest/globals";
import { Envelope, InvalidMessageError } from "cqrx";
import { messageKey } from "cqrx/middleware";
import { transformSync } from "esbuild";
import ts from "typescript";
import { deepEqual } from "../../../src/core/messages/deep-equal.js";

/** As it is written, for no compiler may change it; the class comes last. */
function classOf(source: string): new (value: unknown) => object {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- the source of the class is under test
  return new Function(`return ${source}`)() as new (value: unknown) => object;
}

function isWritten(message: object): boolean {
  try {
    Envelope.of(message).toJSON();
    return true;
  } catch (error) {
    expect(error).toBeInstanceOf(InvalidMessageError);
    return false;
  }
}

function expectHidden(A: new (value: unknown) => object): void {
  expect(messageKey(new A(1))).not.toBe(messageKey(new A(1)));
  expect(messageKey({ in: new A(1) })).not.toBe(messageKey({ in: new A(2) }));
  expect(deepEqual(new A(1), new A(1))).toBe(false);
  expect(deepEqual([new A(1)], [new A(2)])).toBe(false);
  expect(isWritten(new A(1))).toBe(false);
}

function expectVisible(A: new (value: unknown) => object): void {
  expect(isWritten(new A(1))).toBe(true);
  expect(messageKey(new A(1))).toBe(messageKey(new A(1)));
  expect(messageKey(new A(1))).not.toBe(messageKey(new A(2)));
  expect(deepEqual(new A(1), new A(1))).toBe(true);
  expect(deepEqual(new A(1), new A(2))).toBe(false);
}

const compilers: readonly [string, (source: string) => string][] = [
  [
    "TypeScript for ES2015",
    (source) => ts.transpile(source, { target: ts.ScriptTarget.ES2015, newLine: ts.NewLineKind.LineFeed }),
  ],
  ["TypeScript for ES2021", (source) => ts.transpile(source, { target: ts.ScriptTarget.ES2021 })],
  ["esbuild for ES2021", (source) => transformSync(source, { target: "es2021" }).code],
];

/** A class A that a compiler made, with its helpers around it. */
function compiled(compile: (source: string) => string, source: string): new (value: unknown) => object {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- the compiler's text is under test
  return new Function(`${compile(source)}; return A;`)() as new (value: unknown) => object;
}

describe.each(compilers)("a class compiled by %s", (_, compile) => {
  it.each([
    "class A { #id; constructor(id) { this.kind = 1; this.#id = id; } get id() { return this.#id; } }",
    "class A { #id = 1; kind = 1; get id() { return this.#id; } }",
    "class B { #id; constructor(id) { this.#id = id; } get id() { return this.#id; } } class A extends B { kind = 1; }",
    "const ids = new WeakMap(); class A { kind = 1; constructor(id) { ids.set(this, id); } }",
  ])("hides what it holds: %s", (source) => expectHidden(compiled(compile, source)));

  it.each([
    "class A { constructor(id) { this.id = id; } }",
    "class A { id; constructor(id) { this.id = id; } }",
    "class A { constructor(id) { this.id = id; this.#check(); } #check() { return this.id; } }",
    "class A { static #made = 0; constructor(id) { A.#made++; this.id = id; } }",
    "class A { static #all = new Map(); constructor(id) { this.id = id; A.#all.set(id, 1); } }",
  ])("hides nothing: %s", (source) => expectVisible(compiled(compile, source)));
});

describe("an object with a field that is not enumerable", () => {
  class Box {
    declare readonly secret: unknown;
    readonly kind = 1;
    constructor(secret: unknown) {
      Object.defineProperty(this, "secret", { value: secret });
    }
  }
  const named = (n: number, make: () => object): object =>
    Object.defineProperty(make(), Symbol.for("n"), { value: n });

  it("is equal only to itself", () => expectHidden(Box));

  it.each<[string, () => object]>([
    ["plain object", () => ({ a: 1 })],
    ["array", () => [1]],
    ["Date", () => new Date(5)],
    ["Map", () => new Map([[1, 2]])],
    ["expression", () => /a/],
    ["bytes", () => Uint8Array.of(1)],
  ])("is equal only to itself, as %s", (_, make) => {
    const [a, b] = [named(1, make), named(2, make)];
    expect(messageKey({ a })).not.toBe(messageKey({ a: b }));
    expect(deepEqual(a, b)).toBe(false);
    expect(deepEqual(a, a)).toBe(true);
  });
});

describe("a class that hides some of its state", () => {
  it.each([
    "class A { #id; constructor(id) { this.#id = id; } }",
    "class A {\n  #id\n  constructor(id) { this.#id = id }\n}",
    "class A{constructor(s){this.#s=s}#s}",
    "class A{#s=1;constructor(s){this.#s=s}}",
    "class A { #id /* the id */; constructor(id) { this.#id = id; } }",
    "class A {/* hidden */#id; constructor(id) { this.#id = id; } }",
    "class A { static #count = 0; #id; constructor(id) { A.#count++; this.#id = id; } }",
    "class A { #a\\u0062c; constructor(id) { this.#a\\u0062c = id; } }",
    "class A extends class { #id; constructor(id) { this.#id = id; } } {}",
    "class A extends Number {}",
  ])("is equal only to itself, and not written without its toJSON: %s", (source) => {
    const A = classOf(source);
    expectHidden(A);
  });

  it.each([
    "class A { constructor(id) { this.id = id; } }",
    "class A { static #made = 0; constructor(id) { A.#made++; this.id = id; } }",
    "class A { #check() {} constructor(id) { this.#check(); this.id = id; } }",
    "class A { get #half() { return 1; } constructor(id) { this.#half; this.id = id; } }",
    'class A { constructor(id) { this.id = id; this.color = " #red; #red = 1"; } }',
    "class A { /* see issue #tag */ constructor(id) { this.id = id; } }",
    "class A { constructor(id) { this.id = id; } toString() { return `[native code]`; } }",
  ])("is not one that only looks like it: %s", (source) => {
    const A = classOf(source);
    expectVisible(A);
  });

  it("is found in another realm, too", () => {
    const [message, plain] = runInNewContext(
      "[new (class A extends Map {})(), new (class B { id = 1; })()]",
    ) as [object, object];
    expect([isWritten(message), isWritten(plain)]).toEqual([false, true]);
  });
});
