import { type InspectedMessage } from "../../protocol.js";

/** A kept message on the page. The record is replaced when the message settles. */
export interface Entry {
  message: InspectedMessage;
  /** Time of settlement, `Infinity` while open. */
  end: number;
  /** Track of its lane, `-1` until placed. */
  track: number;
  /** When the page heard that it failed, by `performance.now()`; 0 for failures of before. */
  failed: number;
  /** Version of the filter that decided `matched`. */
  checked: number;
  matched: boolean;
}

/** Returns when a message settled: `Infinity` while open, its acceptance if the duration is unknown. */
export function endOf(message: InspectedMessage): number {
  return message.state === "open" ? Infinity : message.time + (message.durationMs ?? 0);
}

/** @param now when the page heard of it, as `failed` */
export function makeEntry(message: InspectedMessage, now: number): Entry {
  return { message, end: endOf(message), track: -1, failed: now, checked: -1, matched: true };
}
