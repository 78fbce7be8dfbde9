import {
  createTraceState,
  isSpanContextValid,
  TraceFlags,
  type SpanContext,
  type TraceState,
} from "@opentelemetry/api";

// https://www.w3.org/TR/trace-context: version, trace id, parent id and flags; later versions may add fields.
const TRACEPARENT = /^(?!ff)([\da-f]{2})-([\da-f]{32})-([\da-f]{16})-([\da-f]{2})(-.*)?$/;

/** Reads a `traceparent` header; returns `undefined` if it is not valid. */
export function parseTraceParent(traceparent: string, tracestate?: string): SpanContext | undefined {
  const [, version, traceId = "", spanId = "", flags = "", more] = TRACEPARENT.exec(traceparent.trim()) ?? [];
  if (version === "00" && more !== undefined) return undefined;
  const parsed = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  if (!isSpanContextValid(parsed)) return undefined;
  return tracestate === undefined ? parsed : { ...parsed, traceState: createTraceState(tracestate) };
}

export function formatTraceParent({ traceId, spanId, traceFlags }: SpanContext): string {
  return `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
}

/**
 * Makes a span that is not recorded: a child of `parent`, or the sampled first span of a trace, so that a
 * later process can record.
 */
export function unrecorded(parent: SpanContext | undefined): SpanContext & { traceState?: TraceState } {
  const { traceId = randomHex(16), traceFlags = TraceFlags.SAMPLED, traceState } = parent ?? {};
  const span = { traceId, spanId: randomHex(8), traceFlags };
  return traceState === undefined ? span : { ...span, traceState };
}

// Filled by the thousand, because each call for random bytes can cost more than everything else that a span does.
const pool = new Uint8Array(4_096);
let used = pool.length;

function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    globalThis.crypto.getRandomValues(pool);
    used = 0;
  }
  let hex = "";
  for (const end = used + bytes; used < end; used++) hex += pool[used]!.toString(16).padStart(2, "0");
  return hex;
}
