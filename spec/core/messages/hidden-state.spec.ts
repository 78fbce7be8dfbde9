import { runInNewContext } from "node:vm";
import { describe, expect, it } from "@jest/globals";
import { Envelope, InvalidMessageError } from "cqrx";
import { messageKey } from "cqrx/middleware";

/** As it is written, for no compiler may change it; the class comes last. */
function classOf(source: string): new (value: unknown) => object {
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call -- the way a class is written is what is tested
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

describe("a class that hides some of what it holds", () => {
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
    expect(messageKey(new A(1))).not.toBe(messageKey(new A(1)));
    expect(isWritten(new A(1))).toBe(false);
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
    expect(isWritten(new A(1))).toBe(true);
    expect(messageKey(new A(1))).toBe(messageKey(new A(1)));
    expect(messageKey(new A(1))).not.toBe(messageKey(new A(2)));
  });

  it("is found in another realm, too", () => {
    const [message, plain] = runInNewContext(
      "[new (class A extends Map {})(), new (class B { id = 1; })()]",
    ) as [object, object];
    expect([isWritten(message), isWritten(plain)]).toEqual([false, true]);
  });
});
