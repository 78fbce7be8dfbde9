import {
  createEnvelope,
  isEnvelope,
  type Envelope,
  type EnvelopeJson,
  type Headers,
} from "../core/messages/envelope.js";
import type { Cause } from "../core/delivery/delivery.js";

/** Options of everything that is stored. */
export interface StoreMessageOptions {
  /** The cause, a handler's context or an envelope: the message takes its causation and correlation ids from it. */
  readonly causedBy?: Cause | undefined;
  /** Headers for the envelope. Not for a message that is passed as an envelope. */
  readonly headers?: Headers | undefined;
}

/** The events that were stored. Pass it to `feed.caughtUp`. */
export interface Appended {
  readonly envelopes: readonly Envelope[];
  readonly stream?: string;
  /** The version of the stream after the last of the events. */
  readonly version?: number;
}

/** Returns the envelope of a message, which keeps its own metadata if it is passed as an envelope. */
export function toEnvelope(message: object, { causedBy, headers }: StoreMessageOptions): Envelope {
  if (isEnvelope(message)) return message;
  return createEnvelope(message, {
    ...(causedBy === undefined ? {} : { causedBy: causedBy as Envelope }),
    ...(headers === undefined ? {} : { headers }),
  });
}

/** Returns the message of a row that could not be read, or whose handler failed, as it is stored. */
export function storedJson(text: string): EnvelopeJson {
  return JSON.parse(text) as EnvelopeJson;
}

/** Returns the text of an error for a column; the stack is left out, because it names files of the machine. */
export function errorText(error: unknown): string {
  const { name, message } = (error ?? {}) as { readonly name?: unknown; readonly message?: unknown };
  const text = typeof message === "string" ? `${String(name)}: ${message}` : String(error);
  return text.slice(0, 2_000).replaceAll("\0", "\\0");
}
