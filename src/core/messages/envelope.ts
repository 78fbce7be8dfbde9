import { checkObject, refuse } from "../errors.js";
import { systemClock } from "../util/clock.js";
import { uniqueId } from "../util/ids.js";
import { isThenable } from "../util/thenable.js";
import { isPlainObject } from "./hidden-state.js";
import { nameOf, typeOf, versionOf } from "./message.js";
import { attempt, limits } from "./json-form.js";
import { toJson } from "./json-writer.js";

/** Strings that travel with a message: names are HTTP tokens, values are printable ASCII. */
export type Headers = { readonly [name: string]: string };

/** The metadata of a message. It is plain, frozen, and created on first use. */
export interface MessageMeta {
  readonly id: string;
  /** `static messageName` of the class, or the name of the class. */
  readonly name: string;
  /** `static version` of the class, or 1. */
  readonly version: number;
  /** The time of acceptance, in milliseconds since the epoch. */
  readonly time: number;
  /** The id of the first message of the causal chain, which is the message's own id if no other message caused it. */
  readonly correlationId: string;
  /** The id of the message that caused this one. */
  readonly causationId?: string | undefined;
  readonly headers: Headers;
}

/** The data that {@link Envelope.toJSON} returns. */
export interface EnvelopeJson {
  readonly meta: MessageMeta;
  readonly payload: unknown;
}

/** Options of `Envelope.of`. */
export interface EnvelopeOptions extends Partial<MessageMeta> {
  /** The cause, a handler's context or an envelope: the envelope takes its causation and correlation ids from it. */
  readonly causedBy?: Envelope | { readonly envelope: Envelope } | undefined;
}

/** Makes metadata on first use. */
interface MetaSource {
  meta(): MessageMeta;
  /** The correlation id that the cause of the message gave it. */
  readonly inheritedCorrelationId?: string | undefined;
}

const BRAND = Symbol.for("cqrx.envelope");
const PAYLOAD = Symbol.for("cqrx.envelope.payload");
/** @internal */
export const NO_HEADERS: Headers = Object.freeze({});

/**
 * A message with its metadata, immutable. Observers, logs and transports see a message as an envelope.
 *
 * @example
 * const envelope = Envelope.of(new CreateUser("u1", "ada@example.com"));
 * const copy = Envelope.fromJSON(JSON.stringify(envelope), CreateUser);
 * copy.payload instanceof CreateUser; // true
 */
export class Envelope<M = object> {
  /** Exists in types only, so that an envelope is not taken for an unmarked message. */
  declare readonly "~envelope": true;

  /**
   * An own field, because matchers of tests compare own fields only. Not `payload` itself, which would be writable
   * unless frozen at a cost.
   */
  readonly [PAYLOAD]: M;
  #meta: MessageMeta | undefined;
  #source: MetaSource | undefined;

  /** The buses call this constructor; applications call `Envelope.of`. */
  constructor(payload: M, source: MetaSource | undefined, meta?: MessageMeta) {
    this[PAYLOAD] = payload;
    this.#source = source;
    this.#meta = meta;
  }

  /** The message. */
  get payload(): M {
    return this[PAYLOAD];
  }

  /** The metadata, created on first use. */
  get meta(): MessageMeta {
    if (this.#meta === undefined) {
      this.#meta = this.#source!.meta();
      this.#source = undefined;
    }
    return this.#meta;
  }

  /**
   * @internal The correlation id of a message that another one caused, without making the rest of the metadata;
   * `undefined` for a message without a cause.
   */
  get inheritedCorrelationId(): string | undefined {
    if (this.#meta === undefined) return this.#source!.inheritedCorrelationId;
    return this.#meta.causationId === undefined ? undefined : this.#meta.correlationId;
  }

  /** Shows the envelope in Node's `util.inspect`. */
  get [Symbol.for("nodejs.util.inspect.custom")](): () => unknown {
    return () => ({ meta: this.meta, payload: this.payload });
  }

  /**
   * Names the envelope by its metadata, because `assert.deepStrictEqual`, Jest and Vitest compare this name
   * and the own fields of two objects. They could not see metadata otherwise, and a field that creates it
   * would cost every envelope that is never compared.
   */
  get [Symbol.toStringTag](): string {
    const { headers, ...meta } = this.meta;
    return `Envelope ${JSON.stringify([meta, Object.entries(headers).sort()])}`;
  }

  get [BRAND](): true {
    return true;
  }

  /**
   * Returns plain JSON data, so that `JSON.stringify(envelope)` works. A payload with a `toJSON()` is written by it.
   *
   * @throws InvalidMessageError with the path of a value that JSON cannot keep, or if the payload is too large
   */
  toJSON(): EnvelopeJson {
    const payload = this.payload as { toJSON?(): unknown };
    const data = attempt("payload", "could not be written by its toJSON()", () =>
      typeof payload.toJSON === "function" ? payload.toJSON() : payload,
    );
    return { meta: checkedMeta(this.meta), payload: toJson(data, "payload") };
  }
}

/**
 * Returns an envelope around a message. Metadata that is not given is generated: a unique id, the time, the
 * name and version of the class.
 *
 * @throws InvalidMessageError if the payload is not an object of a class, or if a field of `meta` does not
 * fit {@link MessageMeta}
 * @example
 * const reserve = Envelope.of(new ReserveStock("o1"), { causedBy: orderPlaced });
 * reserve.meta.causationId === orderPlaced.meta.id; // true
 */
export function createEnvelope<M extends object>(payload: M, meta: EnvelopeOptions = {}): Envelope<M> {
  const type = typeOf(payload);
  if (typeof payload !== "object" || type === undefined || isEnvelope(payload) || isThenable(payload))
    refuse("payload", "is not an object of a message class");
  checkObject(meta, "meta");
  const id = meta.id ?? uniqueId();
  const cause = meta.causedBy === undefined ? undefined : envelopeOf(meta.causedBy, "causedBy").meta;
  return new Envelope(
    payload,
    undefined,
    checkedMeta({
      id,
      name: meta.name ?? nameOf(type),
      version: meta.version ?? versionOf(type),
      time: meta.time ?? systemClock.now(),
      correlationId: meta.correlationId ?? cause?.correlationId ?? id,
      causationId: meta.causationId ?? cause?.id,
      headers: meta.headers ?? NO_HEADERS,
    }),
  );
}

/** Returns true for envelopes, also for those of another copy of the library. */
export function isEnvelope(value: unknown): value is Envelope {
  return typeof value === "object" && value !== null && BRAND in value;
}

/**
 * @internal Returns the envelope of a handler's context, or the envelope itself.
 *
 * @throws InvalidMessageError for any other value
 */
export function envelopeOf(cause: unknown, path: string): Envelope {
  const envelope: unknown = isEnvelope(cause)
    ? cause
    : (cause as { readonly envelope?: unknown } | null | undefined)?.envelope;
  return isEnvelope(envelope)
    ? envelope
    : refuse(
        path,
        "is neither a handler's context nor an envelope; a copy such as { ...context } has lost both",
      );
}

/** @internal Returns a frozen copy, so that the caller's object can change without changing the message. */
export function checkedHeaders(headers: Headers): Headers {
  if (headers === NO_HEADERS) return headers;
  // A Map, or the Headers of fetch, would be read as empty.
  if (typeof headers !== "object" || headers === null || Array.isArray(headers) || !isPlainObject(headers))
    refuse("meta.headers", "is not a plain object of strings");
  const entries = Object.entries(headers);
  if (entries.length > limits.headers) refuse("meta.headers", `has more than ${limits.headers} entries`);
  let length = 0;
  for (const [name, value] of entries) {
    const path = `meta.headers.${JSON.stringify(name)}`;
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || name === "__proto__")
      refuse(path, "is not a header name");
    if (typeof value !== "string" || !/^[\t\x20-\x7e]*$/.test(value))
      refuse(path, "is not a string of printable ASCII");
    length += name.length + value.length;
  }
  if (length > limits.headersLength)
    refuse("meta.headers", `is larger than ${limits.headersLength} characters`);
  return entries.length === 0 ? NO_HEADERS : Object.freeze(Object.fromEntries(entries));
}

/** Metadata that was checked, which is frozen and needs no second check. */
const checked = new WeakSet<MessageMeta>();

/**
 * @internal Returns frozen metadata.
 *
 * @throws InvalidMessageError with the path of a field that does not fit {@link MessageMeta}
 */
export function checkedMeta(meta: MessageMeta): MessageMeta {
  if (checked.has(meta)) return meta;
  const checkText = (field: "id" | "name" | "correlationId" | "causationId", most: number): void => {
    const value: unknown = meta[field];
    if (typeof value !== "string" || value === "" || value.length > most)
      refuse(`meta.${field}`, `is not a text of 1 to ${most} characters`);
  };
  checkText("id", limits.idLength);
  checkText("name", limits.nameLength);
  checkText("correlationId", limits.idLength);
  if (meta.causationId !== undefined) checkText("causationId", limits.idLength);
  checkVersion(meta.version);
  if (typeof meta.time !== "number" || !(Math.abs(meta.time) <= 8.64e15))
    refuse("meta.time", "is not a number of milliseconds that a Date can hold");
  const { id, name, version, time, correlationId, causationId, headers } = meta;
  // A literal, because freezing a spread object costs ten times as much.
  const made = { id, name, version, time, correlationId, causationId, headers: checkedHeaders(headers) };
  checked.add(Object.freeze(made));
  return made;
}

/** @internal @throws InvalidMessageError */
export function checkVersion(version: unknown): void {
  if (!Number.isSafeInteger(version) || (version as number) < 1)
    refuse("meta.version", "is not a positive integer");
}
