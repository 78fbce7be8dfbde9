/**
 * Whether all that an object holds is in fields that can be seen: none are `#private`, in its class or one above, and nothing is held by the platform,
 * as by a Map. Where TypeScript compiles `#private` fields away (a target below ES2022) that cannot be known.
 */
export function isFieldsOnly(value: unknown): value is object {
  return (
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    hasOnlyVisibleState(Object.getPrototypeOf(value) as object | null)
  );
}

/** Plain data of any realm: the prototype of plain objects is the one that has none itself. */
export function isPlainObject(value: object): boolean {
  const prototype = Object.getPrototypeOf(value) as object | null;
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

const known = new WeakMap<object, boolean>();

/** The same of all objects with one prototype. */
export function hasOnlyVisibleState(prototype: object | null): boolean {
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return true;
  let shows = known.get(prototype);
  if (shows === undefined) {
    const type: unknown = Object.hasOwn(prototype, "constructor") && prototype.constructor;
    shows =
      !(typeof type === "function" && hides(Function.prototype.toString.call(type))) &&
      hasOnlyVisibleState(Object.getPrototypeOf(prototype) as object | null);
    known.set(prototype, shows);
  }
  return shows;
}

/** Whether the source is that of a class of the platform, or of one with a private field, which it declares and uses; a text may hold either. */
function hides(source: string): boolean {
  if (/\{\s*\[native code\]\s*\}\s*$/.test(source)) return true;
  const used = new Set(namesIn(source, USE));
  return namesIn(source, DECLARATION).some((name) => used.has(name));
}

// Not of methods, which an opening bracket follows, nor of what the class keeps for itself.
const USE = /\.#([\p{L}_$][\p{L}\p{N}_$]*)(?![\p{L}\p{N}_$]|\s*\()/gu;
const DECLARATION = /(?<!\bstatic)[{};\s/]#([\p{L}_$][\p{L}\p{N}_$]*)(?![\p{L}\p{N}_$]|\s*\()/gu;

function namesIn(source: string, pattern: RegExp): (string | undefined)[] {
  return Array.from(source.matchAll(pattern), ([, name]) => name);
}
