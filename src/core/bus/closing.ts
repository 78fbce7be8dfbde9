import { LONGEST_TIMEOUT_MS } from "../util/timers.js";
import type { InFlight } from "./in-flight.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import type { CloseReport } from "./options.js";
import { isThenable } from "../util/thenable.js";

/** Closes a bus: waits for the messages in flight until the shortest deadline, aborts the others, and reports. */
export class Closing {
  readonly report: Promise<CloseReport>;
  /** The deadline has passed, so that not even messages in flight may cause more. */
  over = false;
  readonly #inFlight: InFlight;
  readonly #stop: (left: readonly LiveDelivery[]) => void;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  #finished = 0;
  #tell!: (report: CloseReport) => void;

  constructor(inFlight: InFlight, stop: (left: readonly LiveDelivery[]) => void) {
    this.#inFlight = inFlight;
    this.#stop = stop;
    this.report = new Promise((resolve) => (this.#tell = resolve));
  }

  /** Counts a message that has settled. */
  ended(): void {
    this.#finished++;
    if (this.#inFlight.count === 0) this.endSoon();
  }

  /** Ends in a microtask, after the callers and observers of the last message have been told. */
  endSoon(): void {
    void Promise.resolve().then(() => this.end());
  }

  endAfter(timeoutMs: number): void {
    if (!this.over && !(timeoutMs > LONGEST_TIMEOUT_MS))
      this.#timers.push(setTimeout(() => this.end(), timeoutMs));
  }

  end(): void {
    if (this.over) return;
    // First. If observers heard of the end before, a message that they dispatch would be let in.
    this.over = true;
    this.#timers.forEach(clearTimeout);
    const finished = this.#finished;
    const left = this.#inFlight.toArray();
    const work = left.map(({ result }) => result);
    const aborted = left.map(({ id }) => id);
    this.#stop(left);
    void stillWorking(work).then((working) =>
      this.#tell({ finished, aborted, abandoned: aborted.filter((_, index) => working[index]) }),
    );
  }
}

/** Returns which of the promises are still pending one macrotask later, when a handler that heeds its signal has stopped. */
async function stillWorking(work: readonly unknown[]): Promise<readonly boolean[]> {
  const working = work.map(isThenable);
  if (!working.includes(true)) return working;
  for (const [index, promise] of work.entries()) {
    const stopped = (): void => void (working[index] = false);
    if (isThenable(promise)) promise.then(stopped, stopped);
  }
  await new Promise((resolve) => setTimeout(resolve, 0));
  return working;
}
