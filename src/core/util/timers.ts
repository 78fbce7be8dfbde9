import type { SchedulerLike } from "rxjs";

/** The longest delay that `setTimeout` takes, in milliseconds; it fires at once for a longer one. */
export const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** The options of everything that waits. */
export interface TimerOptions {
  /**
   * The scheduler that time passes on, such as `asyncScheduler` for virtual time inside `marbles()`.
   *
   * @defaultValue the timers of the platform
   */
  readonly scheduler?: SchedulerLike | undefined;
}

/**
 * Runs `run` once, after `delayMs` milliseconds; a delay above {@link LONGEST_TIMEOUT_MS} is shortened to it.
 *
 * @param options - `keepAlive` keeps a process with nothing else to do alive until then
 * @returns a function that cancels the timer
 */
export function startTimer(
  delayMs: number,
  run: () => void,
  { scheduler, keepAlive = false }: TimerOptions & { readonly keepAlive?: boolean } = {},
): () => void {
  // For a scheduler, too, because the asyncScheduler of RxJS takes no more than the platform.
  const waitMs = Math.min(delayMs, LONGEST_TIMEOUT_MS);
  if (scheduler !== undefined) {
    const scheduled = scheduler.schedule(run, waitMs);
    return () => scheduled.unsubscribe();
  }
  const timer = setTimeout(run, waitMs);
  if (!keepAlive) (timer as { unref?(): void }).unref?.();
  return () => clearTimeout(timer);
}
