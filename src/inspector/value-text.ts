import type { Redact } from "./redaction.js";

/** Characters that each open container keeps for its end and for the mark of members that were left out. */
const RESERVE = 32;
const MAX_DEPTH = 24;
const REDACTED = '"[Redacted]"';

/**
 * Writes a value as JSON text of at most `limit` characters, at once and without a reference to any part of it.
 *
 * Calls no method of the value: neither `toJSON` nor a getter. Traps of a proxy cannot be avoided; what they
 * throw becomes text. The text is valid JSON whatever was left out.
 *
 * @param root - the path of the value, before its own keys
 */
export function valueText(
  value: unknown,
  limit: number,
  redact: Redact,
  root: readonly string[] = [],
): string {
  const writer = new ValueWriter(limit, redact, root.slice());
  writer.write(value);
  return writer.text;
}

/** Returns at most `limit` characters of a text, in a copy, because a slice keeps the whole text alive. */
export function boundedText(text: string, limit: number): string {
  if (text.length <= limit) return text.length < 13 ? text : copyOf(text);
  return copyOf(`${text.slice(0, Math.max(0, limit - 1))}…`);
}

function copyOf(text: string): string {
  return JSON.parse(JSON.stringify(text)) as string;
}

class ValueWriter {
  text = "";
  readonly #redact: Redact;
  readonly #path: string[];
  readonly #ancestors: object[] = [];
  #left: number;

  constructor(limit: number, redact: Redact, path: string[]) {
    this.#left = limit;
    this.#redact = redact;
    this.#path = path;
  }

  write(value: unknown): void {
    switch (typeof value) {
      case "string":
        return this.#text(value);
      case "number":
        return Number.isFinite(value) ? this.#put(String(value)) : this.#mark(String(value));
      case "boolean":
        return this.#put(String(value));
      case "bigint":
        // A mark is never cut, and the digits of a large one take quadratic time.
        return this.#mark(BigInt.asIntN(64, value) === value ? `${value}n` : "[bigint]");
      case "symbol":
        return this.#text(`[Symbol ${value.description ?? ""}]`);
      case "function":
        return this.#mark("[Function]");
      case "undefined":
        return this.#mark("[undefined]");
      case "object":
        return value === null ? this.#put("null") : this.#object(value);
    }
  }

  #put(text: string): void {
    this.text += text;
    this.#left -= text.length;
  }

  #mark(text: string): void {
    this.#put(JSON.stringify(text));
  }

  #text(text: string): void {
    const room = Math.max(this.#left - RESERVE, 8);
    let length = Math.min(text.length, room);
    let json = text.length > length ? JSON.stringify(`${text.slice(0, length)}…`) : quoted(text);
    // Escapes take up to six characters for one.
    while (json.length > room + 3 && length > 0) {
      length >>= 1;
      json = JSON.stringify(`${text.slice(0, length)}…`);
    }
    this.#put(json);
  }

  #object(value: object): void {
    if (this.#ancestors.includes(value)) return this.#mark("[Circular]");
    const { text } = this;
    const left = this.#left;
    const depth = this.#path.length;
    this.#ancestors.push(value);
    try {
      this.#container(value);
    } catch {
      // A proxy threw. The text of the unfinished container is taken back, so that the whole stays valid.
      this.text = text;
      this.#left = left;
      this.#mark("[unreadable]");
    } finally {
      // Only after an error, because setting the length costs as much as a key.
      if (this.#path.length > depth) this.#path.length = depth;
      this.#ancestors.pop();
    }
  }

  #container(value: object): void {
    if (this.#ancestors.length > MAX_DEPTH || this.#left < 2 * RESERVE)
      return this.#mark(Array.isArray(value) ? "[Array]" : "[Object]");
    if (Array.isArray(value)) return this.#array(value);
    if (value instanceof Date) return this.#mark(dateText(value));
    if (value instanceof Map) return this.#map(value);
    if (value instanceof Set) return this.#set(value);
    if (ArrayBuffer.isView(value)) return this.#mark(`[${value.byteLength} bytes]`);
    if (value instanceof ArrayBuffer) return this.#mark(`[${value.byteLength} bytes]`);
    if (value instanceof RegExp) return this.#mark("[RegExp]");
    if (value instanceof Promise) return this.#mark("[Promise]");
    this.#fields(value);
  }

  #array(values: readonly unknown[]): void {
    const { length } = values;
    this.#list(length, (index) => memberOf(values, String(index)));
  }

  #set(values: ReadonlySet<unknown>): void {
    // The method of Set itself, because a subclass may have one of its own.
    const iterator = Set.prototype.values.call(values);
    this.#list(sizeOfSet(values), () => iterator.next().value as unknown);
  }

  #list(length: number, member: (index: number) => unknown): void {
    this.#open("[");
    for (let index = 0; index < length; index++) {
      if (index > 0) this.#put(",");
      if (this.#left < RESERVE) {
        this.#mark(`… ${length - index} more`);
        break;
      }
      this.#member(String(index), member(index));
    }
    this.#close("]");
  }

  #fields(value: object): void {
    let keys = Object.keys(value);
    if (value instanceof Error) keys = [...["name", "message"].filter((key) => !keys.includes(key)), ...keys];
    this.#open("{");
    let comma = false;
    for (let index = 0; index < keys.length; index++) {
      const key = keys[index]!;
      const item = memberOf(value, key);
      if (item === undefined) continue;
      if (!this.#entry(key, item, comma, keys.length - index)) break;
      comma = true;
    }
    this.#close("}");
  }

  #map(map: ReadonlyMap<unknown, unknown>): void {
    const iterator = Map.prototype.entries.call(map) as Iterator<[unknown, unknown]>;
    const size = sizeOfMap(map);
    this.#open("{");
    for (let index = 0; index < size; index++) {
      const [key, item] = iterator.next().value as [unknown, unknown];
      if (!this.#entry(keyText(key), item, index > 0, size - index)) break;
    }
    this.#close("}");
  }

  #open(bracket: string): void {
    this.#put(bracket);
    this.#left -= RESERVE;
  }

  #close(bracket: string): void {
    this.#left += RESERVE;
    this.#put(bracket);
  }

  /** Writes an entry, or how many are left. Returns whether there is room for more. */
  #entry(key: string, item: unknown, comma: boolean, left: number): boolean {
    if (comma) this.#put(",");
    if (this.#left < RESERVE + key.length) {
      this.#put(`"…":"${left} more"`);
      return false;
    }
    this.#put(quoted(key));
    this.#put(":");
    this.#member(key, item);
    return true;
  }

  #member(key: string, value: unknown): void {
    this.#path.push(key);
    // undefined and null tell no secret, and a reader wants to see that they are absent.
    if (value != null && this.#redact(this.#path)) this.#put(REDACTED);
    else this.write(value);
    this.#path.pop();
  }
}

/** Quotes a text. A short one in which nothing is escaped costs less without a call of `JSON.stringify`. */
function quoted(text: string): string {
  if (text.length > 32) return JSON.stringify(text);
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || code === 0x22 || code === 0x5c || code >= 0xd800) return JSON.stringify(text);
  }
  return `"${text}"`;
}

const GETTER = "[Getter]";

/** Reads a data property, own or inherited, and never calls a getter. */
function memberOf(value: object, key: string): unknown {
  for (
    let owner: object | null = value;
    owner !== null;
    owner = Object.getPrototypeOf(owner) as object | null
  ) {
    const descriptor = Object.getOwnPropertyDescriptor(owner, key);
    if (descriptor !== undefined) return descriptor.get || descriptor.set ? GETTER : descriptor.value;
  }
  return undefined;
}

function keyText(key: unknown): string {
  if (typeof key === "string") return key;
  return typeof key === "number" || typeof key === "boolean" || typeof key === "bigint"
    ? String(key)
    : `[${key === null ? "null" : typeof key}]`;
}

function dateText(date: Date): string {
  const time = Date.prototype.getTime.call(date);
  return Number.isNaN(time) ? "Invalid Date" : Date.prototype.toISOString.call(date);
}

// eslint-disable-next-line @typescript-eslint/unbound-method -- called on the value, past a getter of a subclass
const mapSize = Object.getOwnPropertyDescriptor(Map.prototype, "size")!.get!;
// eslint-disable-next-line @typescript-eslint/unbound-method -- called on the value, past a getter of a subclass
const setSize = Object.getOwnPropertyDescriptor(Set.prototype, "size")!.get!;
const sizeOfMap = (map: ReadonlyMap<unknown, unknown>): number => mapSize.call(map) as number;
const sizeOfSet = (set: ReadonlySet<unknown>): number => setSize.call(set) as number;
