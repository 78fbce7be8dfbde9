import type { SchedulerLike } from "rxjs";
import { LONGEST_TIMEOUT_MS } from "../../core/util/clock.js";

/** What all middleware that waits can be told. */
export interface TimerOptions {
  /** Where time passes, such as `asyncScheduler` for virtual time inside `marbles()`. @defaultValue the timers of the platform */
  readonly scheduler?: SchedulerLike | undefined;
}

/** Runs `run` once, later; the returned function takes that back. Without `keepAlive`, a process with nothing else to do may exit before. */
export function startTimer(
  delayMs: number,
  run: () => void,
  { scheduler, keepAlive = false }: TimerOptions & { readonly keepAlive?: boolean },
): () => void {
  if (scheduler !== undefined) {
    const scheduled = scheduler.schedule(run, delayMs);
    return () => scheduled.unsubscribe();
  }
  const timer = setTimeout(run, Math.min(delayMs, LONGEST_TIMEOUT_MS));
  if (!keepAlive) (timer as { unref?(): void }).unref?.();
  return () => clearTimeout(timer);
}
