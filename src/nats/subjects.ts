import { headers as natsHeaders, type MsgHdrs } from "@nats-io/transport-node";
import type { Frame } from "../transport/transport.js";

/** Returns a text as one token of a subject, so that no character of it widens a subscription or ends a line. */
export function token(text: string): string {
  return encodeURIComponent(text).replace(
    /[.*!'()~]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** Returns the subject of an address: its last part, which may hold any character, becomes one token. */
export function subjectOf(prefix: string, address: string): string {
  const parts = address.split(".");
  const fixed = parts[0] === "s" ? 3 : 2;
  return [prefix, ...parts.slice(0, fixed), token(parts.slice(fixed).join("."))].join(".");
}

/** Returns the address of the subject of a stored message. */
export function addressOf(prefix: string, subject: string): string {
  const [s, kind, partition, type = ""] = subject.slice(prefix.length + 1).split(".");
  return [s, kind, partition, decodeURIComponent(type)].join(".");
}

/** Returns the headers of a frame for NATS, or `undefined` for none, which costs nothing on the wire. */
export function toMsgHeaders(headers: Frame["headers"]): MsgHdrs | undefined {
  const names = Object.keys(headers);
  if (names.length === 0) return undefined;
  const written = natsHeaders();
  for (const name of names) written.set(name, headers[name]!);
  return written;
}

/** Returns the headers of a frame, without those that belong to NATS. */
export function fromMsgHeaders(headers: MsgHdrs | undefined): Frame["headers"] {
  const read: Record<string, string> = {};
  for (const name of headers?.keys() ?? []) if (!name.startsWith("Nats-")) read[name] = headers!.get(name);
  return read;
}
