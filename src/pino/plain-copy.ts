import { escapeText } from "./escape-text.js";

/**
 * Stands in the log for a value that could not be read or redacted, because the raw value could be a secret.
 */
export const FAILED = "[redaction failed]";
const MAX_DEPTH = 32;
const MAX_VALUES = 10_000;

/** Converts a value to data for the log; never throws and never changes the value. */
export type Copy = (value: unknown) => unknown;

/**
 * Copies a value into plain, escaped JSON data before pino sees it, because pino redacts before it calls `toJSON`,
 * throws what a getter throws, writes a Map or Set as `{}`, and gives up on the whole payload at a bigint or a cycle.
 */
export const plainCopy: Copy = (value) => {
  try {
    return new Copier().copy(value);
  } catch {
    return FAILED;
  }
};

/** Copies one value; the limits hold for all of it. */
class Copier {
  readonly #ancestors = new Set<object>();
  #values = 0;

  copy(value: unknown, converted = false): unknown {
    switch (typeof value) {
      case "string":
        return escapeText(value);
      case "bigint":
        return String(value);
      case "function":
      case "symbol":
        return undefined;
      case "object":
        return value === null ? null : this.#object(value, converted);
      default:
        return value;
    }
  }

  #object(value: object, converted: boolean): unknown {
    if (this.#ancestors.has(value)) throw new Error("cycle");
    if (this.#ancestors.size >= MAX_DEPTH) throw new Error("too deep");
    this.#ancestors.add(value);
    try {
      const { toJSON } = value as { toJSON?: unknown };
      if (typeof toJSON === "function" && !converted) return this.copy(toJSON.call(value, ""), true);
      if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
      if (value instanceof Set) return this.#list(value.size, [...(value as Set<unknown>)]);
      // Not spread, because an array without values can be of any length.
      return Array.isArray(value)
        ? this.#list(value.length, value.slice(0, MAX_VALUES))
        : this.#fields(value);
    } finally {
      this.#ancestors.delete(value);
    }
  }

  #list(length: number, values: readonly unknown[]): unknown[] {
    const items: unknown[] = [];
    for (const value of values) {
      if (this.#values >= MAX_VALUES) break;
      items.push(this.#member(() => value));
    }
    return items.length === length ? items : [...items, truncated(length - items.length)];
  }

  #fields(value: object): object {
    // No prototype, so that a key named __proto__ is a key like any other.
    const fields = Object.create(null) as { [key: string]: unknown };
    const entries =
      value instanceof Map
        ? Array.from(value as Map<unknown, unknown>, ([key, item]) => [String(key), () => item] as const)
        : Object.keys(value).map((key) => [key, () => (value as { [key: string]: unknown })[key]] as const);
    for (const [index, [key, read]] of entries.entries()) {
      if (this.#values >= MAX_VALUES) {
        fields["…"] = truncated(entries.length - index);
        break;
      }
      fields[escapeText(key)] = this.#member(read);
    }
    return fields;
  }

  #member(read: () => unknown): unknown {
    this.#values++;
    try {
      return this.copy(read());
    } catch {
      return FAILED;
    }
  }
}

function truncated(count: number): string {
  return `[truncated] ${count} more`;
}
