/** A delivery, as far as an `AbortSignal` cancels it. */
export interface CancelTarget {
  cancel(reason: unknown): void;
}

const targets = new WeakMap<AbortSignal, Set<CancelTarget>>();

/**
 * Cancels `target` with the signal's reason; the returned function takes that back.
 *
 * Messages that share a signal share one listener, because Node warns from the eleventh on and removes each in
 * linear time.
 */
export function abortOn(signal: AbortSignal, target: CancelTarget): () => void {
  if (signal.aborted) {
    target.cancel(reasonOf(signal));
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
  for (const target of waiting ?? []) target.cancel(reasonOf(this));
}

/**
 * Returns the reason of an aborted signal. The polyfill of React Native has none, and a rejection without a reason
 * tells nothing.
 */
function reasonOf(signal: AbortSignal): unknown {
  return signal.reason === undefined ? abortError("The signal was aborted without a reason.") : signal.reason;
}

/** Makes the abort reason for a caller or subscriber that left. Named `AbortError`, as `fetch` does. */
export function abortError(text: string): DOMException {
  return new DOMException(text, "AbortError");
}

/** Returns whether a reason is an `AbortError`, also of another realm. Never throws. */
export function isAbortError(reason: unknown): boolean {
  try {
    return (reason as Error | null | undefined)?.name === "AbortError";
  } catch {
    return false;
  }
}
