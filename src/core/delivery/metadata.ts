import {
  checkedHeaders,
  Envelope,
  NO_HEADERS,
  type Headers,
  type MessageMeta,
} from "../messages/envelope.js";
import { nameOf, typeOf, versionOf } from "../messages/message.js";
import { monotonicNow, wallTime } from "../util/clock.js";
import type { DeliveryHost } from "./delivery-host.js";

/** The metadata of a dispatched message as far as it is known before an observer looks. */
export interface MetadataLinks {
  id: string | undefined;
  correlationId: string | undefined;
  causationId: string | undefined;
  headers: Headers | undefined;
}

export interface Described {
  readonly host: DeliveryHost;
  readonly message: object;
  /** The delivery that was dispatched; forks share its metadata. */
  readonly origin: { startedMs: number | undefined; readonly links: MetadataLinks };
  readonly id: string;
  readonly correlationId: string;
  readonly links: MetadataLinks;
  madeEnvelope: Envelope | undefined;
}

export function typeNameOf(message: unknown): string {
  try {
    return nameOf(typeOf(message));
  } catch {
    return "(unreadable message)";
  }
}

/** Makes the metadata for the first reader of an envelope. */
export function metaOf({ host, message, origin, id, correlationId }: Described): MessageMeta {
  const type = typeOf(message);
  const [name, version] = [nameOf(type), versionOf(type)];
  const time = wallTime(host.clock, (origin.startedMs ??= monotonicNow(host.clock)));
  const { causationId, headers = NO_HEADERS } = origin.links;
  return Object.freeze({ id, name, version, time, correlationId, causationId, headers });
}

/** Keeps the metadata of an envelope that a caller sent, perhaps from another process. */
export function adoptEnvelope(delivery: Described, envelope: Envelope): void {
  const { id, correlationId, causationId, headers } = envelope.meta;
  delivery.madeEnvelope = envelope;
  Object.assign(delivery.links, { id, correlationId, causationId, headers });
}

/** Adds headers to those of the envelope that the message came in, if it came in one. */
export function addHeaders(delivery: Described, added: Headers): void {
  const { links } = delivery;
  const headers = checkedHeaders(added);
  links.headers = links.headers === undefined ? headers : checkedHeaders({ ...links.headers, ...headers });
  restate(delivery);
}

/** Takes correlation and causation from the message that caused this one. */
export function inheritIds(delivery: Described, cause: Pick<MessageMeta, "id" | "correlationId">): void {
  delivery.links.causationId = cause.id;
  delivery.links.correlationId = cause.correlationId;
  restate(delivery);
}

/** Renews the envelope that a caller sent, because options of the dispatch add to its metadata. */
function restate(delivery: Described): void {
  if (delivery.madeEnvelope === undefined) return;
  const { causationId, correlationId = delivery.id, headers = NO_HEADERS } = delivery.links;
  const meta = Object.freeze({ ...delivery.madeEnvelope.meta, causationId, correlationId, headers });
  delivery.madeEnvelope = new Envelope(delivery.message, undefined, meta);
}
