import type { Observable } from "rxjs";
import type { CommandBus } from "../buses/command-bus.js";
import type { EventBus } from "../buses/event-bus.js";
import type { QueryBus } from "../buses/query-bus.js";
import type { Bus } from "../buses/bus.js";
import type { Fault } from "../core/delivery/outcome.js";
import type { Envelope } from "../core/messages/envelope.js";
import type { MessageKind } from "../core/messages/message.js";
import { isThenable } from "../core/util/thenable.js";

/** A bus that a link routes from or serves on. */
export type LinkedBus = CommandBus | QueryBus | EventBus;

interface RunOptions {
  readonly signal: AbortSignal;
  /** The number of this attempt, for a message that is delivered again. */
  readonly attempt?: number;
}

/** Runs a message on its bus, whichever kind that is. */
export function run(
  bus: LinkedBus,
  kind: MessageKind,
  envelope: Envelope,
  options: RunOptions,
): Promise<unknown> {
  const message = envelope as Envelope<never>;
  if (kind === "command") return (bus as CommandBus).dispatch(message, options);
  if (kind === "query") return (bus as QueryBus).ask(message, options);
  return (bus as EventBus).publish(message, options);
}

/** Returns every value of a query, or its latest for as long as it is subscribed to. */
export function stream(bus: LinkedBus, envelope: Envelope, live: boolean): Observable<unknown> {
  const { headers } = envelope.meta;
  return live
    ? (bus as QueryBus).watch(envelope.payload as never, { headers })
    : (bus as QueryBus).ask$(envelope as Envelope<never>);
}

/**
 * Watches the work of the messages in flight on a bus. Returns a function that tells the ids of those whose work has
 * not ended, which is called after they were aborted.
 */
export function watchWork(bus: LinkedBus): () => ReadonlySet<string> {
  const working = new Set<string>();
  for (const { id, result } of (bus as Bus).engine.pending()) {
    if (!isThenable(result)) continue;
    working.add(id);
    const ended = (): void => void working.delete(id);
    result.then(ended, ended);
  }
  return () => working;
}

/** Reports an error that no promise carries on the `faults$` of a bus. */
export function report(bus: LinkedBus, fault: Omit<Fault, "kind">): void {
  (bus as Bus).engine.report({ kind: "background", ...fault });
}
