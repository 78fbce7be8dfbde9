/**
 * Whether two results show the same: `Object.is`, or the same class and equal content. Arrays, plain objects and class instances are compared by their
 * enumerable fields, Maps by key, Sets by member, Dates by time, bytes one by one. Everything else, and what lies deeper than 64 levels, is not the same.
 */
export function same(a: unknown, b: unknown): boolean {
  try {
    return compare(a, b, 64);
  } catch {
    // A getter that throws, or a revoked Proxy: shown again rather than withheld.
    return false;
  }
}

function compare(a: unknown, b: unknown, levels: number): boolean {
  if (Object.is(a, b)) return true;
  if (levels === 0 || typeof a !== "object" || typeof b !== "object" || a === null || b === null)
    return false;
  const prototype: unknown = Object.getPrototypeOf(a);
  if (prototype !== Object.getPrototypeOf(b)) return false;
  const inside = (left: unknown, right: unknown): boolean => compare(left, right, levels - 1);

  if (a instanceof Date) return Object.is(a.getTime(), (b as Date).getTime());
  if (ArrayBuffer.isView(a)) return sameBytes(bytesOf(a), bytesOf(b as ArrayBufferView));
  if (a instanceof Map) {
    const other = b as Map<unknown, unknown>;
    return (
      a.size === other.size && [...a].every(([key, value]) => other.has(key) && inside(value, other.get(key)))
    );
  }
  if (a instanceof Set) {
    const other = b as Set<unknown>;
    return a.size === other.size && [...a].every((member) => other.has(member));
  }
  const keys = Object.keys(a);
  // Without fields there is nothing to go by: what an Error, a Promise or a class with #private fields holds is out of sight.
  if (keys.length === 0 && prototype !== Object.prototype && prototype !== null && !Array.isArray(a))
    return false;
  return (
    keys.length === Object.keys(b).length &&
    (!Array.isArray(a) || a.length === (b as unknown[]).length) &&
    keys.every((key) => Object.hasOwn(b, key) && inside((a as Fields)[key], (b as Fields)[key]))
  );
}

type Fields = Readonly<Record<string, unknown>>;

function bytesOf(view: ArrayBufferView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
