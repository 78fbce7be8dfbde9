import { LONGEST_TIMEOUT_MS } from "../util/timers.js";
import type { Closeable } from "../delivery/delivery-host.js";
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
  readonly #closeables: ReadonlySet<Closeable>;
  /** Parts that were asked to complete, and have not. */
  readonly #completing = new Set<Closeable>();
  #asked = false;
  readonly #stop: (left: readonly LiveDelivery[]) => void;
  readonly #timers: ReturnType<typeof setTimeout>[] = [];
  #finished = 0;
  #tell!: (report: CloseReport) => void;

  constructor(
    inFlight: InFlight,
    closeables: ReadonlySet<Closeable>,
    stop: (left: readonly LiveDelivery[]) => void,
  ) {
    this.#inFlight = inFlight;
    this.#closeables = closeables;
    this.#stop = stop;
    this.report = new Promise((resolve) => (this.#tell = resolve));
  }

  /** Counts a message that has settled. */
  ended(): void {
    this.#finished++;
    this.endWhenIdle();
  }

  /** Ends in a microtask, after the callers and observers of the last message have been told, unless sagas still work. */
  endWhenIdle(): void {
    if (this.#inFlight.count > 0) return;
    void Promise.resolve().then(() => {
      if (this.over || this.#inFlight.count > 0) return;
      this.#complete();
      if (this.#completing.size === 0 && this.#inFlight.count === 0) this.end();
    });
  }

  /** Asks each part once to complete. */
  #complete(): void {
    if (this.#asked) return;
    this.#asked = true;
    const parts = [...this.#closeables].filter((part) => "complete" in part);
    // All before the first is asked, because one that completes synchronously would end the bus for the others.
    for (const part of parts) this.#completing.add(part);
    for (const part of parts)
      part.complete!(() => {
        this.#completing.delete(part);
        if (this.#completing.size === 0) this.endWhenIdle();
      });
  }

  endAfter(timeoutMs: number): void {
    if (!this.over && !(timeoutMs > LONGEST_TIMEOUT_MS))
      this.#timers.push(setTimeout(() => this.#endAtDeadline(), timeoutMs));
  }

  #endAtDeadline(): void {
    if (this.over) return;
    this.#complete();
    this.end();
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
    const unfinished = Array.from(this.#completing, ({ name }) => name!);
    this.#stop(left);
    void stillWorking(work).then((working) =>
      this.#tell({
        finished,
        aborted,
        abandoned: aborted.filter((_, index) => working[index]),
        ...(unfinished.length > 0 && { unfinished }),
      }),
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
