/** What can be cancelled: settles at once and cancels what runs for it. */
export interface Abortable {
  abort(reason: unknown): void;
}

const targets = new WeakMap<AbortSignal, Set<Abortable>>();

/**
 * Aborts `target` with the signal's reason; the returned function takes that back.
 *
 * One listener per signal, however many messages share it: a listener each costs a warning from the eleventh on, and time quadratic in their number.
 */
export function abortOn(signal: AbortSignal, target: Abortable): () => void {
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
