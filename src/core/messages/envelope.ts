import { uniqueId } from "../util/ids.js";
import { systemClock } from "../util/clock.js";
import { checkObject, InvalidMessageError, refuse } from "../errors.js";
import { isFieldsOnly, isPlainObject, hasOnlyVisibleState } from "./hidden-state.js";
import { attempt, fromJson, limits, parseJson, toJson } from "./payload-json.js";
import { checkClass, nameOf, typeOf, versionOf, type MessageType } from "./message.js";
import { asInstance, parsed } from "./validate.js";
import { isThenable } from "../util/thenable.js";

/** String headers travel with a message: names are HTTP tokens, values printable ASCII. */
export type Headers = { readonly [name: string]: string };

/** What can be written down about a message besides its payload. Plain and frozen, and made when somebody first looks. */
export interface MessageMeta {
  readonly id: string;
  /** `static messageName` of the class, or its name. */
  readonly name: string;
  readonly version: number;
  /** When the message was accepted, in milliseconds since the epoch. */
  readonly time: number;
  /** The id of the message that began it all: its own id, unless something caused it. */
  readonly correlationId: string;
  /** The id of the message that caused this one. */
  readonly causationId?: string | undefined;
  readonly headers: Headers;
}

/** What {@link Envelope.toJSON} writes. */
export interface EnvelopeJson {
  readonly meta: MessageMeta;
  readonly payload: unknown;
}

interface ReadableStatics {
  fromJSON?(payload: unknown): unknown;
  upcast?(payload: unknown, version: number): unknown;
}

/** Makes metadata when it is asked for. */
interface MetaSource {
  meta(): MessageMeta;
}

const BRAND = Symbol.for("cqrx.envelope");
/** @internal */
export const NO_HEADERS: Headers = Object.freeze({});

/**
 * A message with its metadata, immutable: what observers, logs and transports see.
 *
 * @example
 * const envelope = Envelope.of(new CreateUser("u1", "ada@example.com"));
 * const copy = Envelope.fromJSON(JSON.stringify(envelope), CreateUser);
 * copy.payload instanceof CreateUser; // true
 */
export class Envelope<M = object> {
  /** For the types only: an envelope is no unmarked message. */
  declare readonly "~kind": "envelope";

  readonly #payload: M;
  #meta: MessageMeta | undefined;
  #source: MetaSource | undefined;

  /** @internal Use {@link Envelope.of}. */
  constructor(payload: M, source: MetaSource | undefined, meta?: MessageMeta) {
    this.#payload = payload;
    this.#source = source;
    this.#meta = meta;
  }

  get payload(): M {
    return this.#payload;
  }

  get meta(): MessageMeta {
    if (this.#meta === undefined) {
      this.#meta = this.#source!.meta();
      this.#source = undefined;
    }
    return this.#meta;
  }

  /** How Node shows it. */
  get [Symbol.for("nodejs.util.inspect.custom")](): () => unknown {
    return () => ({ meta: this.meta, payload: this.#payload });
  }

  get [BRAND](): true {
    return true;
  }

  /**
   * An envelope around a message, with what is not given made up: a unique id, the time, name and version of the class.
   *
   * @throws InvalidMessageError when the payload is no object or a field of `meta` is not as {@link MessageMeta} says.
   */
  static of<M extends object>(payload: M, meta: Partial<MessageMeta> = {}): Envelope<M> {
    const type = typeOf(payload);
    if (typeof payload !== "object" || type === undefined || isEnvelope(payload) || isThenable(payload))
      refuse("payload", "is not an object of a message class");
    checkObject(meta, "meta");
    const id = meta.id ?? uniqueId();
    return new Envelope(
      payload,
      undefined,
      checkedMeta({
        id,
        name: meta.name ?? nameOf(type),
        version: meta.version ?? versionOf(type),
        time: meta.time ?? systemClock.now(),
        correlationId: meta.correlationId ?? id,
        causationId: meta.causationId,
        headers: meta.headers ?? NO_HEADERS,
      }),
    );
  }

  /**
   * Plain JSON data, so that `JSON.stringify(envelope)` works. A payload with `toJSON()` is written by it.
   *
   * @throws InvalidMessageError with the path of what JSON cannot keep, or when it is too large.
   */
  toJSON(): EnvelopeJson {
    const payload = this.#payload as { toJSON?(): unknown };
    const data = attempt("payload", "could not be written by its toJSON()", () =>
      typeof payload.toJSON === "function" ? payload.toJSON() : payload,
    );
    return { meta: checkedMeta(this.meta), payload: toJson(data, "payload") };
  }

  /**
   * The envelope that {@link Envelope.toJSON} wrote, from its data or its text; the payload is an instance of `type` again.
   * Missing metadata is made up as in {@link Envelope.of}; a missing version is 1. `static upcast(payload, version)` lifts an older version,
   * `static schema` checks the payload, `static fromJSON(payload)` builds the instance (otherwise the fields are set without calling the constructor).
   *
   * @throws InvalidMessageError saying what is wrong and where.
   */
  static fromJSON<M extends object>(json: unknown, type: MessageType<M>): Envelope<M> {
    checkClass(type);
    try {
      return read(typeof json === "string" ? parseJson(json, "envelope") : json, type);
    } catch (error) {
      if (!(error instanceof InvalidMessageError)) throw error;
      throw new InvalidMessageError(`${nameOf(type)}: ${error.message}`, {
        messageType: nameOf(type),
        path: error.path,
        issues: error.issues,
        cause: error.cause ?? error,
      });
    }
  }
}

/** Also for envelopes of another copy of the library. */
export function isEnvelope(value: unknown): value is Envelope {
  return typeof value === "object" && value !== null && BRAND in value;
}

/** @internal Of a handler's context, or the envelope itself. @throws InvalidMessageError for what is neither */
export function envelopeOf(cause: unknown, path: string): Envelope {
  const envelope: unknown = isEnvelope(cause)
    ? cause
    : (cause as { readonly envelope?: unknown } | null | undefined)?.envelope;
  return isEnvelope(envelope) ? envelope : refuse(path, "is neither a handler's context nor an envelope");
}

/** @internal A frozen copy, so that the caller's object can change without changing the message. */
export function checkedHeaders(headers: Headers): Headers {
  // Of plain objects only: of a Headers of fetch, or a Map, nothing would be left.
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

function checkedMeta(meta: MessageMeta): MessageMeta {
  const text = (field: "id" | "name" | "correlationId" | "causationId", max: number): void => {
    const value: unknown = meta[field];
    if (typeof value !== "string" || value === "" || value.length > max)
      refuse(`meta.${field}`, `is not a text of 1 to ${max} characters`);
  };
  text("id", limits.idLength);
  text("name", limits.nameLength);
  text("correlationId", limits.idLength);
  if (meta.causationId !== undefined) text("causationId", limits.idLength);
  if (!Number.isSafeInteger(meta.version) || meta.version < 1)
    refuse("meta.version", "is not a positive integer");
  if (typeof meta.time !== "number" || !(Math.abs(meta.time) <= 8.64e15))
    refuse("meta.time", "is not a number of milliseconds that a Date can hold");
  return Object.freeze({ ...meta, headers: checkedHeaders(meta.headers) });
}

function read<M extends object>(json: unknown, type: MessageType<M>): Envelope<M> {
  if (typeof json !== "object" || json === null || Array.isArray(json))
    refuse("envelope", "is not an object");
  const { meta: given = {}, payload } = json as { meta?: unknown; payload?: unknown };
  if (typeof given !== "object" || given === null || Array.isArray(given)) refuse("meta", "is not an object");
  const meta = given as Partial<MessageMeta>;
  const { name = nameOf(type), version = 1, id = uniqueId(), time = systemClock.now() } = meta;
  const { correlationId = id, headers = NO_HEADERS } = meta;
  const checked = checkedMeta({
    id,
    name,
    version: versionOf(type),
    time,
    correlationId,
    causationId: meta.causationId ?? undefined,
    headers,
  });
  if (name !== nameOf(type)) refuse("meta.name", `is not ${nameOf(type)}`);
  if (!Number.isSafeInteger(version) || version < 1) refuse("meta.version", "is not a positive integer");
  return new Envelope(instantiate(lift(payload, version, type), type), undefined, checked);
}

function lift(payload: unknown, version: number, type: MessageType & ReadableStatics): unknown {
  if (typeof payload !== "object" || payload === null || Array.isArray(payload))
    refuse("payload", "is not an object");
  const data = attempt("payload", "could not be read", () => fromJson(payload, "payload"));
  const current = versionOf(type);
  if (version === current) return data;
  if (version > current)
    refuse("meta.version", `${version} is newer than ${current}, the version known here`);
  if (type.upcast === undefined)
    refuse(
      "meta.version",
      `${version} is older than ${current}, and the class has no static upcast(payload, version)`,
    );
  return now(
    "upcast",
    attempt("payload", "could not be upcast", () => type.upcast!(data, version)),
  );
}

function instantiate<M extends object>(data: unknown, type: MessageType<M> & ReadableStatics): M {
  let value = data;
  const { schema } = type;
  if (schema !== undefined) {
    value = now(
      "schema",
      attempt("payload", "could not be checked", () => parsed(schema, data, "payload", nameOf(type))),
    );
  }
  if (type.fromJSON !== undefined)
    value = now(
      "fromJSON",
      attempt("payload", "was refused by fromJSON", () => type.fromJSON!(value)),
    );
  else if ("toJSON" in type.prototype && type.schema === undefined) {
    refuse("payload", "was written by toJSON(); give the class a static fromJSON(payload)");
  }
  if (value instanceof type) return value;
  if (!isFieldsOnly(value)) refuse("payload", "is not an object with fields");
  if (!hasOnlyVisibleState(type.prototype as object))
    refuse("payload", "cannot be made of its fields alone; give the class a static fromJSON(payload)");
  return asInstance(value, type);
}

/** What a static of the class made, if it made it at once: an envelope is read synchronously, and a promise has no fields. */
function now(made: "schema" | "upcast" | "fromJSON", value: unknown): unknown {
  if (!isThenable(value)) return value;
  value.then(undefined, () => undefined);
  return refuse("payload", `has an asynchronous ${made}; envelopes are read synchronously`);
}
