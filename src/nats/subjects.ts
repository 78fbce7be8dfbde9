import { headers as natsHeaders, type MsgHdrs } from "@nats-io/transport-node";
import { invalidOption } from "../core/checks.js";
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

/** Returns the address of the subject of a stored message, also of one that no link could have made. */
export function addressOf(prefix: string, subject: string): string {
  const [s, kind, partition, type = ""] = subject.slice(prefix.length + 1).split(".");
  try {
    return [s, kind, partition, decodeURIComponent(type)].join(".");
  } catch {
    return [s, kind, partition, type].join(".");
  }
}

/**
 * Returns the name of a durable consumer. Two groups never share one, because a `_` of theirs is encoded. No `%` is in
 * it, because the server puts the name into a format when it writes the subject of acknowledgements.
 *
 * @throws InvalidOptionsError for a name that is too long for NATS
 */
export function durableOf(group: string, rest = ""): string {
  const parts = token(group).replaceAll("_", "%5F") + (rest === "" ? "" : `_${token(rest)}`);
  const name = parts.replaceAll("%", "=");
  if (name.length <= LONGEST_NAME) return name;
  throw invalidOption(
    "link.serve()",
    "group",
    `so short that NATS can name a consumer by it and the type (${LONGEST_NAME} characters, percent-encoded)`,
    group,
  );
}

/** The longest name of a consumer that the server takes. */
const LONGEST_NAME = 255;

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
