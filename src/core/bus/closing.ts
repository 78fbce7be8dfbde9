import { LONGEST_TIMEOUT_MS } from "../util/timers.js";
import type { InFlight } from "./in-flight.js";
import type { LiveDelivery } from "../delivery/live-delivery.js";
import type { CloseReport } from "./options.js";
import { isThenable } from "../util/thenable.js";

/** The end of a bus: waits for what is in flight until the shortest deadline, stops the rest, and reports. */
export class Closing {
  readonly report: Promise<CloseReport>;
  /** The deadline has come: not even what is in flight may cause anything more. */
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

  /** A message has ended. */
  ended(): void {
    this.#finished++;
    if (this.#inFlight.count === 0) this.endSoon();
  }

  /** When those who wait for the last message, and those who are being told of its outcome, have been told. */
  endSoon(): void {
    void Promise.resolve().then(() => this.end());
  }

  endAfter(timeoutMs: number): void {
    if (!this.over && !(timeoutMs > LONGEST_TIMEOUT_MS))
      this.#timers.push(setTimeout(() => this.end(), timeoutMs));
  }

  end(): void {
    if (this.over) return;
    // First, so that nothing new is let in by what hears of the end.
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

/** Which of the promises are still pending a moment later. */
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
