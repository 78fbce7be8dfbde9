import { isObservable } from "rxjs";
import { LiveDelivery } from "../core/delivery/live-delivery.js";
import { isEnvelope } from "../core/messages/envelope.js";

/**
 * Compares two values by content and class. Deliveries, Observables, promises and functions equal only
 * themselves; envelopes are compared by payload and metadata, errors by everything but the stack.
 */
export function equal(a: unknown, b: unknown): boolean {
  return new Comparison().equal(a, b);
}

class Comparison {
  /** Pairs that are being compared, or were found equal, so that cycles end. */
  readonly #assumed = new Map<object, Set<object>>();

  equal(a: unknown, b: unknown): boolean {
    if (Object.is(a, b)) return true;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b) || hasIdentity(a)) return false;
    const assumed = this.#assumed.get(a) ?? new Set();
    if (assumed.has(b)) return true;
    this.#assumed.set(a, assumed.add(b));
    return this.#sameInside(a, b) && this.#sameFields(a, b);
  }

  /** Compares content that is not in the fields. */
  #sameInside(a: object, b: object): boolean {
    if (isEnvelope(a) && isEnvelope(b))
      return this.equal(a.payload, b.payload) && this.equal({ ...a.meta }, { ...b.meta });
    if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
    if (a instanceof RegExp) return a.toString() === (b as RegExp).toString();
    if (a instanceof Error) return this.#sameError(a, b as Error);
    if (a instanceof Map) return this.#sameMembers([...a], [...(b as Map<unknown, unknown>)]);
    if (a instanceof Set) return this.#sameMembers([...a], [...(b as Set<unknown>)]);
    if (a instanceof ArrayBuffer) return this.equal(new Uint8Array(a), new Uint8Array(b as ArrayBuffer));
    return true;
  }

  #sameError(a: Error, b: Error): boolean {
    return (
      a.name === b.name &&
      a.message === b.message &&
      this.equal(a.cause, b.cause) &&
      this.equal((a as AggregateError).errors, (b as AggregateError).errors)
    );
  }

  /** Compares members in any order. */
  #sameMembers(a: readonly unknown[], b: readonly unknown[]): boolean {
    const left = [...b];
    return (
      a.length === b.length &&
      a.every((member) => {
        const index = left.findIndex((other) => equal(member, other));
        return index >= 0 && left.splice(index, 1).length === 1;
      })
    );
  }

  #sameFields(a: object, b: object): boolean {
    const keys = fieldsOf(a);
    return (
      keys.length === fieldsOf(b).length &&
      (!Array.isArray(a) || a.length === (b as unknown[]).length) &&
      keys.every(
        (key) =>
          Object.prototype.propertyIsEnumerable.call(b, key) &&
          this.equal((a as Fields)[key], (b as Fields)[key]),
      )
    );
  }
}

interface Fields {
  readonly [key: PropertyKey]: unknown;
}

function fieldsOf(value: object): PropertyKey[] {
  return Reflect.ownKeys(value).filter((key) => Object.prototype.propertyIsEnumerable.call(value, key));
}

function hasIdentity(value: object): boolean {
  return (
    value instanceof LiveDelivery ||
    isObservable(value) ||
    value instanceof Promise ||
    value instanceof WeakMap ||
    value instanceof WeakSet
  );
}
