import { checkOptions, positiveMilliseconds, wholeNumber } from "../core/checks.js";

/**
 * Remembers which messages were handled, so that a message that is delivered twice has one effect. The claim is a
 * lease: a process that dies while it holds one blocks the message for at most `leaseMs`.
 */
export interface Inbox {
  /** Returns `"claimed"` to exactly one caller until it calls `done` or `release`, or its lease ends. */
  claim(key: string, leaseMs: number): Promise<"claimed" | "running" | "done">;
  done(key: string): Promise<void>;
  release(key: string): Promise<void>;
}

export interface MemoryInboxOptions {
  /** How long a handled message is remembered, in milliseconds. @defaultValue 86_400_000 */
  readonly windowMs?: number;
  /** How many handled messages are remembered; the oldest are forgotten first. @defaultValue 100_000 */
  readonly maxEntries?: number;
}

/**
 * Returns an inbox in the memory of this process, for one process that consumes a group, and for tests.
 *
 * @throws InvalidOptionsError
 * @example
 * await link.serve(commandBus, [PlaceOrder], { inbox: memoryInbox() });
 */
export function memoryInbox(options: MemoryInboxOptions = {}): Inbox {
  checkOptions<MemoryInboxOptions>("memoryInbox()", options, {
    windowMs: positiveMilliseconds,
    maxEntries: wholeNumber(1),
  });
  const { windowMs = 86_400_000, maxEntries = 100_000 } = options;
  const running = new Map<string, number>();
  /** In order of time, so that the first entries are the oldest. */
  const done = new Map<string, number>();

  function forgetOld(now: number): void {
    for (const [key, time] of done) {
      if (done.size <= maxEntries && time + windowMs > now) return;
      done.delete(key);
    }
  }

  return {
    claim(key, leaseMs) {
      const now = Date.now();
      forgetOld(now);
      if (done.has(key)) return Promise.resolve("done");
      if ((running.get(key) ?? 0) > now) return Promise.resolve("running");
      running.set(key, now + leaseMs);
      return Promise.resolve("claimed");
    },
    done(key) {
      running.delete(key);
      done.delete(key);
      done.set(key, Date.now());
      forgetOld(Date.now());
      return Promise.resolve();
    },
    release(key) {
      running.delete(key);
      return Promise.resolve();
    },
  };
}
