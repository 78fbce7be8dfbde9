import type { HandlerContext } from "../core/delivery/delivery.js";
import type { Envelope, Headers } from "../core/messages/envelope.js";
import type { Beats } from "./beats.js";
import type { ErrorCatalog } from "./error-catalog.js";
import type { Transport } from "./transport.js";

/** The state that the parts of a link share. */
export interface LinkContext {
  readonly transport: Transport;
  readonly errors: ErrorCatalog;
  readonly beats: Beats;
  readonly source: string;
  readonly partitions: number;
  readonly streamCredit: number;
  readonly streamBuffer: number;
  /** Adds headers to a message that leaves. */
  readonly headers: ((context: HandlerContext) => Headers) | undefined;
  /** The envelopes that this link brought in: it sends none of them out again. */
  readonly incoming: WeakSet<Envelope>;
  /** The calls that wait for a result. */
  readonly calls: Set<{ close(): void }>;
  readonly closed: boolean;
}
