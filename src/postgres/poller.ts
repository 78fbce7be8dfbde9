import { startTimer } from "../core/util/timers.js";

/**
 * Runs rounds, one after another: again after the wait that a round returns, or when it is woken.
 *
 * A round that fails is followed by a full wait, whatever wakes meanwhile, so that a database that is down is not
 * asked at full speed.
 */
export class Poller {
  readonly #round: () => Promise<number>;
  readonly #failed: (error: unknown) => number;
  readonly #ended: Promise<void>;
  #closing = false;
  #woken = false;
  #wake: () => void = () => undefined;

  /**
   * @param round - returns the wait until the next round in milliseconds; 0 for none
   * @param failed - takes the error of a round, and returns the wait
   */
  constructor(round: () => Promise<number>, failed: (error: unknown) => number) {
    this.#round = round;
    this.#failed = failed;
    this.#ended = this.#run();
  }

  get closing(): boolean {
    return this.#closing;
  }

  readonly wake = (): void => {
    this.#woken = true;
    this.#wake();
  };

  /** Starts no further round. */
  stop(): void {
    this.#closing = true;
    this.#wake();
  }

  /** Resolves when the last round has ended. */
  get ended(): Promise<void> {
    return this.#ended;
  }

  async #run(): Promise<void> {
    // Behind the constructor of the owner, whose fields the first round reads.
    await Promise.resolve();
    while (!this.#closing) {
      this.#woken = false;
      let waitMs: number;
      try {
        waitMs = await this.#round();
      } catch (error) {
        waitMs = this.#failed(error);
        this.#woken = false;
      }
      if (waitMs > 0 && !this.#woken && !this.#closing) await this.#pause(waitMs);
    }
  }

  #pause(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const stop = startTimer(waitMs, resolve, { keepAlive: true });
      this.#wake = () => {
        stop();
        resolve();
      };
    });
  }
}
