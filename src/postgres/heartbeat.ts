import { startTimer } from "../core/util/timers.js";

/** Calls a function again and again, each time so long after the end of the call before. */
export class Heartbeat {
  readonly #everyMs: number;
  readonly #beat: () => Promise<void>;
  #stop: (() => void) | undefined;

  /** @param beat - never rejects */
  constructor(everyMs: number, beat: () => Promise<void>) {
    this.#everyMs = everyMs;
    this.#beat = beat;
  }

  start(): void {
    if (this.#stop !== undefined) return;
    let stopTimer: () => void = () => undefined;
    let stopped = false;
    const next = (): void => {
      stopTimer = startTimer(
        this.#everyMs,
        () => void this.#beat().then(() => (stopped ? undefined : next())),
      );
    };
    next();
    this.#stop = () => {
      stopped = true;
      stopTimer();
    };
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }
}
