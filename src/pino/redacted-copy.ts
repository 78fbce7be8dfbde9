import { escapeText } from "./escape.js";

/** What stands in a log for a value that could not be redacted: the raw value never does. */
export const FAILED = "[redaction failed]";
const REDACTED = "[Redacted]";
const MAX_DEPTH = 32;
const MAX_VALUES = 10_000;

/** What is known of one step of the paths to redact. */
interface Rule {
  redacted: boolean;
  readonly next: Map<string, Rule>;
}

/** Copies a value into plain, escaped, redacted data; never throws, never changes the value. */
export type Copy = (value: unknown) => unknown;

/**
 * A copier that replaces what the paths lead to: `password`, `card.number`, `items[*].price`, where `*` is any key or index.
 *
 * @throws TypeError for a path that leads nowhere, which would silently redact nothing.
 */
export function redacting(paths: readonly string[]): Copy {
  const root = ruleOf(paths);
  return (value) => {
    try {
      return new Copier().copy(value, [root]);
    } catch {
      return FAILED;
    }
  };
}

function ruleOf(paths: readonly string[]): Rule {
  if (!Array.isArray(paths))
    throw new TypeError(`redact takes paths in an array; received ${JSON.stringify(paths)}.`);
  const root: Rule = { redacted: false, next: new Map() };
  for (const path of paths as readonly string[]) {
    const steps = stepsOf(path);
    let rule = root;
    for (const step of steps) {
      let next = rule.next.get(step);
      if (next === undefined) rule.next.set(step, (next = { redacted: false, next: new Map() }));
      rule = next;
    }
    rule.redacted = true;
  }
  return root;
}

/** `.key`, `key` at the beginning, `["key"]`, `['key']`, `[0]` or `[*]`. */
const STEP = /\[(?:"([^"]+)"|'([^']+)'|([^\]"'\s]+))\]|(?:^|\.)([^.[\]\s]+)/gy;

function stepsOf(path: unknown): string[] {
  const found = typeof path === "string" ? [...path.matchAll(STEP)] : [];
  const steps = found.map((match) => match.slice(1).find((step) => step !== undefined)!);
  const read = found.map(([text]) => text).join("");
  if (steps.length === 0 || read !== path || steps.some((step) => step === "$" || step === "**"))
    throw new TypeError(
      `redact takes paths such as "password", "card.number" or "items[*].price"; received ${JSON.stringify(path)}.`,
    );
  return steps;
}

/** What stands for values that are too many for a log. */
function more(count: number): string {
  return `[truncated] ${count} more`;
}

/** One value on its way into the log. */
class Copier {
  readonly #ancestors = new Set<object>();
  #values = 0;

  copy(value: unknown, rules: readonly Rule[], converted = false): unknown {
    switch (typeof value) {
      case "string":
        return escapeText(value);
      case "bigint":
        return String(value);
      case "function":
      case "symbol":
        return undefined;
      case "object":
        return value === null ? null : this.#object(value, rules, converted);
      default:
        return value;
    }
  }

  #object(value: object, rules: readonly Rule[], converted: boolean): unknown {
    if (this.#ancestors.has(value)) throw new Error("cycle");
    if (this.#ancestors.size >= MAX_DEPTH) throw new Error("too deep");
    this.#ancestors.add(value);
    try {
      const { toJSON } = value as { toJSON?: unknown };
      if (typeof toJSON === "function" && !converted) return this.copy(toJSON.call(value, ""), rules, true);
      return this.#members(value, rules);
    } finally {
      this.#ancestors.delete(value);
    }
  }

  #members(value: object, rules: readonly Rule[]): unknown {
    if (ArrayBuffer.isView(value)) return `${value.constructor.name}(${value.byteLength} bytes)`;
    if (Array.isArray(value)) return this.#list(value.length, (index) => value[index] as unknown, rules);
    if (value instanceof Set) {
      const items = [...(value as Set<unknown>)];
      return this.#list(items.length, (index) => items[index], rules);
    }
    // Without a prototype: a key named __proto__ is a key like any other.
    const fields = Object.create(null) as { [key: string]: unknown };
    const entries =
      value instanceof Map
        ? Array.from(value as Map<unknown, unknown>, ([key, item]) => [String(key), () => item] as const)
        : Object.keys(value).map((key) => [key, () => (value as { [key: string]: unknown })[key]] as const);
    for (const [index, [key, read]] of entries.entries()) {
      if (this.#values >= MAX_VALUES) {
        fields["…"] = more(entries.length - index);
        break;
      }
      fields[escapeText(key)] = this.#member(key, read, rules);
    }
    return fields;
  }

  #list(length: number, read: (index: number) => unknown, rules: readonly Rule[]): unknown[] {
    const items: unknown[] = [];
    for (let index = 0; index < length; index++) {
      if (this.#values >= MAX_VALUES) {
        items.push(more(length - index));
        break;
      }
      items.push(this.#member(String(index), () => read(index), rules));
    }
    return items;
  }

  #member(key: string, read: () => unknown, rules: readonly Rule[]): unknown {
    const next = rules.flatMap((rule) => [rule.next.get(key) ?? [], rule.next.get("*") ?? []].flat());
    if (next.some((rule) => rule.redacted)) return REDACTED;
    this.#values++;
    try {
      return this.copy(read(), next);
    } catch {
      return FAILED;
    }
  }
}
