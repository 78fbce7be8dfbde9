import type { Outcome } from "../core/delivery/outcome.js";
import { jsonOf, type ServerSentEvent } from "./format-event.js";

/**
 * Returns an outcome as an event: the id and the name of the message, and as data its status (`fulfilled`,
 * `rejected` or `cancelled`), its ids, its time and its duration. A payload, headers and texts of errors are left
 * out, because they may hold secrets; an error is told by its `code`, or by its name.
 *
 * @example
 * const audit$ = commandBus.outcomes$.pipe(map(outcomeEvent), share()); // written once for all clients
 * app.get("/audit", (c) => eventStream(audit$, { request: c.req.raw, map: (event) => event }));
 */
export function outcomeEvent({ envelope: { meta }, durationMs, ...result }: Outcome): ServerSentEvent {
  const { id, name, correlationId, causationId, time } = meta;
  return {
    id,
    event: name,
    data: jsonOf({
      status: result.status === "rejected" && result.cancelled ? "cancelled" : result.status,
      ...(result.status === "rejected" && { error: codeOf(result.reason) }),
      time: new Date(time).toISOString(),
      durationMs: Math.round(durationMs * 1000) / 1000,
      correlationId,
      causationId,
    }),
  };
}

/** Returns the code or name of an error, because its text may quote what a client entered. */
function codeOf(reason: unknown): string {
  try {
    const { code, name } = reason as { code?: unknown; name?: unknown };
    // The code of a DOMException is a number that tells nothing.
    return typeof code === "string" ? code : String(name);
  } catch {
    return "unknown";
  }
}
