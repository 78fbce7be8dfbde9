import { PayloadTooLargeError, refuse } from "../errors.js";
import { systemClock } from "../util/clock.js";
import { uniqueId } from "../util/ids.js";
import { ignored, isThenable } from "../util/thenable.js";
import {
  checkedMeta,
  checkVersion,
  createEnvelope,
  Envelope as EnvelopeClass,
  NO_HEADERS,
  type MessageMeta,
} from "./envelope.js";
import { hasOnlyVisibleState, isFieldsOnly } from "./hidden-state.js";
import { checkClass, nameOf, READ, versionOf, type MessageType } from "./message.js";
import { attempt } from "./json-form.js";
import { fromJson } from "./json-reader.js";
import { parseJson } from "./parse-json.js";
import { aboutType, asInstance, parsed } from "./validate.js";

/**
 * The class of envelopes as applications see it: with `of` and `fromJSON`. It is the same class that the buses use,
 * and gets both here, so that a bundle with a bus and without `Envelope` leaves them out.
 */
export const Envelope = /* @__PURE__ */ Object.assign(EnvelopeClass, { of: createEnvelope, fromJSON });
export type Envelope<M = object> = EnvelopeClass<M>;

/** Optional statics of a message class that take part in reading. */
interface ReadableStatics {
  fromJSON?(payload: unknown): unknown;
  upcast?(payload: unknown, version: number): unknown;
  [READ]?(payload: unknown): unknown;
}

/**
 * Returns the envelope that `toJSON` wrote, from its data or its text; the payload is an instance of `type` again.
 *
 * Missing metadata is generated as in `Envelope.of`; a missing version is 1. `static upcast(payload,
 * version)` lifts an older version, `static schema` checks the payload, `static fromJSON(payload)` builds the
 * instance. Without `fromJSON` the fields are set and the constructor is not called.
 *
 * @throws InvalidMessageError that says what is wrong and where
 */
function fromJSON<M extends object>(json: unknown, type: MessageType<M>): EnvelopeClass<M> {
  checkClass(type);
  return named(type, () =>
    typeof json === "string" ? read(parseJson(json, "envelope"), type, json) : read(json, type),
  );
}

/**
 * @internal Returns the payload of an envelope that the application has stored as text, for a reader that needs no
 * metadata. The caller has checked the class.
 *
 * @throws InvalidMessageError
 */
export function readPayload<M extends object>(text: string, type: MessageType<M>): M {
  return named(type, () => {
    const json: unknown = JSON.parse(text);
    checkData(json, "envelope");
    const { meta = {}, payload } = json as { meta?: unknown; payload?: unknown };
    checkData(meta, "meta");
    return instantiate(lift(payload, versionFor(type, meta), type, text), type);
  });
}

/** Runs a reader, and names the class in its errors. */
function named<T>(type: MessageType, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof PayloadTooLargeError)
      throw new PayloadTooLargeError(nameOf(type), error.bytes, error.maxBytes, {
        messageType: nameOf(type),
      });
    throw aboutType(type, error);
  }
}

/** Returns the version of the data. @throws InvalidMessageError if it is not data of this class */
function versionFor(type: MessageType, { name = nameOf(type), version = 1 }: Partial<MessageMeta>): number {
  if (name !== nameOf(type)) refuse("meta.name", `is not ${nameOf(type)}`);
  checkVersion(version);
  return version;
}

function read<M extends object>(json: unknown, type: MessageType<M>, text?: string): EnvelopeClass<M> {
  checkData(json, "envelope");
  const { meta: given = {}, payload } = json as { meta?: unknown; payload?: unknown };
  checkData(given, "meta");
  const meta = given as Partial<MessageMeta>;
  const { name = nameOf(type), id = uniqueId(), time = systemClock.now() } = meta;
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
  const version = versionFor(type, meta);
  return new EnvelopeClass(instantiate(lift(payload, version, type, text), type), undefined, checked);
}

function checkData(value: unknown, path: string): asserts value is object {
  if (typeof value !== "object" || value === null || Array.isArray(value)) refuse(path, "is not an object");
}

/** Returns the payload in the version that the class has now. */
function lift(
  payload: unknown,
  version: number,
  type: MessageType & ReadableStatics,
  text: string | undefined,
): unknown {
  checkData(payload, "payload");
  const data = attempt("payload", "could not be read", () => fromJson(payload, "payload", text));
  const current = versionOf(type);
  if (version === current) return data;
  if (version > current)
    refuse("meta.version", `${version} is newer than ${current}, the version of the class`);
  if (type.upcast === undefined)
    refuse(
      "meta.version",
      `${version} is older than ${current}, and the class has no static upcast(payload, version)`,
    );
  return settled(
    "upcast",
    attempt("payload", "could not be upcast", () => type.upcast!(data, version)),
  );
}

/** Returns an instance of the class that holds the data. */
function instantiate<M extends object>(data: unknown, type: MessageType<M> & ReadableStatics): M {
  let value = data;
  const { schema } = type;
  if (schema !== undefined) {
    value = settled(
      "schema",
      attempt("payload", "could not be checked", () => parsed(schema, data, "payload", nameOf(type))),
    );
  }
  if (type.fromJSON !== undefined)
    value = settled(
      "fromJSON",
      attempt("payload", "was refused by fromJSON", () => type.fromJSON!(value)),
    );
  else if (type[READ] !== undefined)
    value = attempt(
      "payload",
      "was refused by the constructor; " +
        "if it takes something else than the schema, give the class a static fromJSON(payload)",
      () => type[READ]!(value),
    );
  else if ("toJSON" in type.prototype && schema === undefined) {
    refuse("payload", "was written by toJSON(); give the class a static fromJSON(payload)");
  }
  if (value instanceof type) return value;
  if (!isFieldsOnly(value)) refuse("payload", "is not an object with fields");
  if (!hasOnlyVisibleState(type.prototype as object))
    refuse("payload", "cannot be made of its fields alone; give the class a static fromJSON(payload)");
  return asInstance(value, type);
}

/** Returns what a static of the class returned, unless it is a promise, because envelopes are read synchronously. */
function settled(made: "schema" | "upcast" | "fromJSON", value: unknown): unknown {
  if (!isThenable(value)) return value;
  ignored(value);
  return refuse("payload", `has an asynchronous ${made}; envelopes are read synchronously`);
}
