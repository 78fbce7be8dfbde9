import { isEnvelope } from "./envelope.js";
import { isDense, isEnumerable, stateOf, type Content, type Fields } from "./hidden-state.js";

/** Options of {@link deepEqual}. */
export interface EqualityOptions {
  /**
   * Tells which objects are equal only to themselves, besides promises, Observables and objects with hidden state.
   *
   * @defaultValue none
   */
  readonly isOpaque?: (value: object) => boolean;
  /**
   * Largest number of bytes that are compared; larger contents count as different, because the runtime lists
   * a key per byte.
   *
   * @defaultValue 65_536
   */
  readonly maxBytes?: number;
  /**
   * Makes two instances of one class equal that have no fields at all. They are not by default, because they
   * may hold anything.
   *
   * @defaultValue false
   */
  readonly emptyEqual?: boolean;
}

/**
 * Compares two values by content. Objects are equal if they are of one class, show equal content and have
 * equal enumerable fields: Arrays in order, Maps and Sets in any order, Dates by time, bytes one by one,
 * errors by everything but the stack, envelopes by payload and metadata, and cyclic objects by their shape.
 * Primitive values are compared by `Object.is`, functions by identity.
 *
 * Objects with hidden state are equal only to themselves, unless they have a `toJSON()`. What cannot be read
 * (a getter that throws, a revoked Proxy, nesting deeper than the stack) is not equal, because showing a
 * value once too often is better than withholding a change.
 */
export function deepEqual(a: unknown, b: unknown, options: EqualityOptions = {}): boolean {
  try {
    return new Comparison(options).equal(a, b);
  } catch {
    return false;
  }
}

class Comparison {
  readonly #options: EqualityOptions;
  /**
   * Pairs being compared, or found equal; they count as equal, so that cycles end and shared objects are compared once.
   */
  readonly #assumed = new Map<object, Set<object>>();
  /** The pairs of `#assumed`, in order of comparison. */
  readonly #trail: [object, object][] = [];

  constructor(options: EqualityOptions) {
    this.#options = options;
  }

  equal(a: unknown, b: unknown): boolean {
    if (Object.is(a, b)) return true;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b) || this.#isOpaque(a)) return false;
    const assumed = this.#assumed.get(a) ?? new Set();
    if (assumed.has(b)) return true;
    this.#assumed.set(a, assumed.add(b));
    this.#trail.push([a, b]);
    if (isEnvelope(a) && isEnvelope(b))
      return this.equal(a.payload, b.payload) && this.equal({ ...a.meta }, { ...b.meta });
    if (isDense(a) && isDense(b)) return this.#sameItems(a, b);
    const { emptyEqual = false } = this.#options;
    const left = stateOf(a, emptyEqual);
    const right = stateOf(b, emptyEqual);
    if (left.content === undefined || right.content === undefined) return false;
    return this.#sameContent(left.content, right.content) && this.#sameFields(a, b, left.keys, right.keys);
  }

  /**
   * Returns true for objects that are not looked into: live ones such as Observables, which may differ
   * although they look the same, and large ones.
   */
  #isOpaque(value: object): boolean {
    const { isOpaque, maxBytes = 65_536 } = this.#options;
    return (
      typeof (value as Fields).subscribe === "function" ||
      (ArrayBuffer.isView(value) && value.byteLength > maxBytes) ||
      isOpaque?.(value) === true
    );
  }

  #sameContent({ items: a, unordered }: Content, { items: b }: Content): boolean {
    if (unordered === undefined) return this.#sameItems(a, b);
    return a.length === b.length && this.#sameMembers(Array.from(a), Array.from(b), unordered);
  }

  #sameItems(a: ArrayLike<unknown>, b: ArrayLike<unknown>): boolean {
    if (a.length !== b.length) return false;
    for (let index = 0; index < a.length; index++) if (!this.equal(a[index], b[index])) return false;
    return true;
  }

  /** Finds members with primitive keys by their key; searches for others, in order. */
  #sameMembers(a: unknown[], b: unknown[], unordered: "members" | "entries"): boolean {
    const keyOf = (member: unknown): unknown =>
      unordered === "entries" ? (member as [unknown, unknown])[0] : member;
    const left = new Map(b.map((member) => [keyOf(member), member]));
    return a.every((member) => {
      const key = keyOf(member);
      if (!isObject(key)) return left.has(key) && this.equal(member, left.get(key));
      for (const [other, candidate] of left)
        if (isObject(other) && this.#try(member, candidate)) return left.delete(other);
      return false;
    });
  }

  /** Compares two members and forgets what it assumed if they differ, because the search goes on with other pairs. */
  #try(a: unknown, b: unknown): boolean {
    const before = this.#trail.length;
    if (this.equal(a, b)) return true;
    for (const [left, right] of this.#trail.splice(before)) this.#assumed.get(left)?.delete(right);
    return false;
  }

  #sameFields(a: object, b: object, keys: readonly PropertyKey[], others: readonly PropertyKey[]): boolean {
    if (keys.length !== others.length) return false;
    for (const key of keys)
      if (!isEnumerable(b, key) || !this.equal((a as Fields)[key], (b as Fields)[key])) return false;
    return true;
  }
}

function isObject(value: unknown): boolean {
  return (typeof value === "object" && value !== null) || typeof value === "function";
}
