import { refuse } from "../errors.js";

/** What can be cancelled: settles at once and cancels what runs for it. */
export interface Abortable {
  abort(reason: unknown): void;
}

/** @throws InvalidMessageError */
export function checkSignal(signal: unknown, path: string): void {
  if (typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== "function")
    refuse(path, "is not an AbortSignal");
}

const targets = new WeakMap<AbortSignal, Set<Abortable>>();

/**
 * Aborts `target` with the signal's reason; the returned function takes that back.
 *
 * One listener per signal, however many messages share it: a listener each costs a warning from the eleventh on, and time quadratic in their number.
 */
export function abortOn(signal: AbortSignal, target: Abortable): () => void {
  if (signal.aborted) {
    target.abort(signal.reason);
    return () => undefined;
  }
  let waiting = targets.get(signal);
  if (waiting === undefined) {
    waiting = new Set();
    targets.set(signal, waiting);
    signal.addEventListener("abort", abortAll, { once: true });
  }
  waiting.add(target);
  return () => {
    waiting.delete(target);
    if (waiting.size === 0 && targets.get(signal) === waiting) {
      targets.delete(signal);
      signal.removeEventListener("abort", abortAll);
    }
  };
}

function abortAll(this: AbortSignal): void {
  const waiting = targets.get(this);
  targets.delete(this);
  for (const target of waiting ?? []) target.abort(this.reason);
}

/** The reason of a cancellation by nobody waiting any more; its name is what `fetch` and others use. */
export function abortError(text: string): DOMException {
  return new DOMException(text, "AbortError");
}

/** Also for errors of other realms; never throws, whatever it is given. */
export function isAbortError(reason: unknown): boolean {
  try {
    return (reason as Error | null | undefined)?.name === "AbortError";
  } catch {
    return false;
  }
}
