import type { ReplyForm } from "../core/delivery/delivery.js";
import { refuse } from "../core/errors.js";
import { decodeJson, encodeJson } from "../core/messages/json.js";
import { parseJson } from "../core/messages/parse-json.js";
import type { Frame } from "./transport.js";

/*
 * A call is a line of JSON about the call and the JSON text of the envelope. A reply is one letter and a JSON text.
 * Headers of frames stay empty, because engines read and write them slowly.
 *
 * | letter | meaning                        | last |
 * | ------ | ------------------------------ | ---- |
 * | `v`    | the result; nothing for none   | yes  |
 * | `n`    | a value of a stream            | no   |
 * | `d`    | the end, and how many values   | yes  |
 * | `e`    | an error                       | yes  |
 * | `b`    | a sign of life, and as `d`     | no   |
 */
export type ReplyKind = "v" | "n" | "d" | "e" | "b";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true });
const NO_HEADERS = Object.freeze({});

export function textFrame(text: string, headers: Frame["headers"] = NO_HEADERS): Frame {
  return { headers, body: encoder.encode(text) };
}

/** @throws TypeError for bytes that are not UTF-8 */
export function textOf({ body }: Frame): string {
  return decoder.decode(body);
}

export interface CallHead {
  readonly reply: ReplyForm;
  /** How many values of a stream the caller takes before it gives more credit. */
  readonly credit: number;
}

export function callFrame({ reply, credit }: CallHead, envelope: string): Frame {
  return textFrame(`${reply === "one" ? "{}" : JSON.stringify({ reply, credit })}\n${envelope}`);
}

const REPLIES: readonly unknown[] = ["one", "many", "live"];

/** @throws InvalidMessageError for a frame that is not a call, TypeError for bytes that are not UTF-8 */
export function parseCall(frame: Frame): { readonly head: CallHead; readonly envelope: string } {
  const text = textOf(frame);
  const end = text.indexOf("\n");
  if (end < 0) refuse("call", "has no line about itself");
  const head = text.startsWith("{}\n") ? {} : parseJson(text.slice(0, end), "call");
  if (typeof head !== "object" || head === null || Array.isArray(head)) refuse("call", "is not an object");
  const { reply = "one", credit = 0 } = head as Partial<CallHead>;
  if (!REPLIES.includes(reply)) refuse("call.reply", "is not one of one, many, live");
  return { head: { reply, credit: Number(credit) || 0 }, envelope: text.slice(end + 1) };
}

/** @throws InvalidMessageError for a value that JSON cannot keep */
export function valueFrame(kind: "v" | "n", value: unknown): Frame {
  return textFrame(value === undefined ? kind : kind + encodeJson(value));
}

/** @throws InvalidMessageError */
export function valueOf(text: string): unknown {
  return text.length === 1 ? undefined : decodeJson(text.slice(1));
}

/** Returns the size of a frame on the wire, in bytes. */
export function sizeOf({ headers, body }: Frame): number {
  let size = body.length;
  for (const name in headers) size += name.length + headers[name]!.length + 4;
  return size;
}
