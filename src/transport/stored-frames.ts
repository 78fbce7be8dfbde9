import { InvalidMessageError, PayloadTooLargeError, refuse } from "../core/errors.js";
import { Envelope } from "../core/messages/envelope-reader.js";
import { nameOf, type MessageType } from "../core/messages/message.js";
import { parseJson } from "../core/messages/parse-json.js";
import { partitionOf, storedAddress } from "./address.js";
import { sizeOf, textFrame, textOf } from "./call-frames.js";
import { fromCloudEvent, toCloudEvent } from "./cloud-event.js";
import { LinkClosedError } from "./errors.js";
import type { LinkContext } from "./link-context.js";
import { HALF } from "./names.js";
import { headerText, ID_HEADER, TYPE_HEADER, type AppendResult, type Frame } from "./transport.js";

/** The form of stored messages: the JSON of the envelope, or a CloudEvent for consumers of other kinds. */
export type StoredFormat = "envelope" | "cloudevents";

export interface StoredMessage {
  readonly envelope: Envelope;
  readonly kind: "command" | "event";
  readonly type: MessageType;
  readonly key: string | undefined;
  readonly format: StoredFormat;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Stores a message.
 * @throws NotSentError, OutcomeUnknownError, PayloadTooLargeError, InvalidMessageError, LinkClosedError
 */
export async function storedFrame(link: LinkContext, message: StoredMessage): Promise<AppendResult> {
  const { envelope, kind, type, key, format, timeoutMs, signal } = message;
  const name = nameOf(type);
  if (link.closed) throw new LinkClosedError(name);
  const json = envelope.toJSON();
  const { id, headers } = json.meta;
  const text = JSON.stringify(format === "cloudevents" ? toCloudEvent(json, link.source, key) : json);
  const frame = textFrame(text, {
    [TYPE_HEADER]: encodeURIComponent(name),
    [ID_HEADER]: HALF.test(id) ? refuse("meta.id", "has half of a character") : encodeURIComponent(id),
    ...(format === "cloudevents" ? { "content-type": "application/cloudevents+json" } : {}),
    ...(headers.traceparent === undefined ? {} : { traceparent: headers.traceparent }),
  });
  const size = sizeOf(frame);
  const { maxBytes } = link.transport.features;
  if (size > maxBytes) throw new PayloadTooLargeError(name, size, maxBytes, { messageType: name });
  // The partitions are part of the addresses for ever, so that the order of a key holds across restarts.
  const partition = kind === "command" ? 0 : partitionOf(key, link.partitions);
  return link.transport.append(storedAddress(kind, partition, name), frame, {
    id,
    type: name,
    signal,
    timeoutMs,
  });
}

/**
 * Returns the name of the type of a stored message, or `undefined` if it has none.
 *
 * @throws InvalidMessageError
 */
export function typeNameOf(frame: Frame): string | undefined {
  if (frame.headers[TYPE_HEADER] !== undefined) {
    const name = headerText(frame, TYPE_HEADER);
    return name === "" ? refuse(TYPE_HEADER, "is not a percent-encoded name") : name;
  }
  const data = dataOf(textOf(frame)) as { meta?: { name?: unknown } };
  return typeof data.meta?.name === "string" ? data.meta.name : undefined;
}

/**
 * Reads a stored message as an instance of its class.
 *
 * @throws InvalidMessageError with a text that says what is wrong, never with the message
 */
export function readStored(frame: Frame, type: MessageType): Envelope {
  let text: string;
  try {
    text = textOf(frame);
  } catch {
    throw new InvalidMessageError("The stored message is not UTF-8.");
  }
  return Envelope.fromJSON(text.includes('"specversion"') ? dataOf(text) : text, type);
}

function dataOf(text: string): object {
  const data = parseJson(text, "stored message") as { [name: string]: unknown } | null;
  if (typeof data !== "object" || data === null)
    throw new InvalidMessageError("The stored message is not an object.");
  return typeof data.specversion === "string" ? fromCloudEvent(data) : data;
}
