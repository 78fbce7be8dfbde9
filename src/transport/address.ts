import type { MessageKind } from "../core/messages/message.js";

/** Returns the address of the calls of a type. */
export function callAddress(kind: MessageKind, type: string): string {
  return `r.${kind[0]}.${type}`;
}

/** Returns the address of the stored messages of a type. */
export function storedAddress(kind: "command" | "event", partition: number, type: string): string {
  return `s.${kind[0]}.${partition}.${type}`;
}

/** The parts of the address of a stored message, for a transport. */
export interface StoredAddress {
  readonly kind: "command" | "event";
  readonly partition: number;
  readonly type: string;
}

/** Reads the address of a stored message. */
export function parseStoredAddress(address: string): StoredAddress {
  const [, kind, partition, ...type] = address.split(".");
  return { kind: kind === "c" ? "command" : "event", partition: Number(partition), type: type.join(".") };
}

/**
 * Returns the partition of a key, by FNV-1a; messages without a key share partition 0, so that they keep their order.
 */
export function partitionOf(key: string | undefined, partitions: number): number {
  if (key === undefined) return 0;
  let hash = 0x811c9dc5;
  for (let at = 0; at < key.length; at++) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % partitions;
}
