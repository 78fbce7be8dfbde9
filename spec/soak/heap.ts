import type { CommandBus } from "cqrx";

/** Bytes that survive a collection. */
export async function heap(): Promise<number> {
  const { gc } = globalThis as { gc?: () => void };
  if (gc === undefined) throw new Error("Run with --expose-gc.");
  for (let round = 0; round < 4; round++) {
    gc();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

export interface Growth {
  readonly count: number;
  /** Bytes kept for each message, by least squares over the measurements after the first tenth. */
  readonly slope: number;
  /** Bytes kept at the end in excess of those after the first tenth. */
  readonly growth: number;
}

/** Runs `once` so many times, in turns of 500 with a turn of the event loop between them, and measures the kept heap. */
export async function growthOf(count: number, once: (n: number) => unknown): Promise<Growth> {
  const marks = [0.1, 0.25, 0.4, 0.7, 1].map((share) => Math.round(share * count));
  const points: { x: number; y: number }[] = [];
  let done = 0;
  for (const mark of marks) {
    while (done < mark) {
      const turn: unknown[] = [];
      for (const end = Math.min(done + 500, mark); done < end; done++) turn.push(once(done));
      await Promise.all(turn);
      await new Promise((resolve) => setImmediate(resolve));
    }
    points.push({ x: done, y: await heap() });
  }
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map((point) => point.x)), mean(points.map((point) => point.y))];
  const slope =
    mean(points.map((point) => (point.x - x) * (point.y - y))) /
    mean(points.map((point) => (point.x - x) ** 2));
  return { count, slope, growth: points.at(-1)!.y - points[0]!.y };
}

/** Returns the resources that keep the event loop alive, by kind, without the standard streams. */
export function activeResources(): string[] {
  return process
    .getActiveResourcesInfo()
    .filter((name) => !/PipeWrap|TTYWrap|Immediate|FSReq|FileHandle/.test(name));
}

const { setTimeout, clearTimeout } = globalThis;
type Timer = ReturnType<typeof setTimeout>;

/** From now on, the timers that have neither fired nor been cleared: also those that keep no process alive, which `activeResources` does not list. */
export function timersFromNow(): ReadonlySet<Timer> {
  const timers = new Set<Timer>();
  globalThis.setTimeout = ((run: () => void, delayMs?: number) => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      run();
    }, delayMs);
    timers.add(timer);
    return timer;
  }) as typeof setTimeout;
  globalThis.clearTimeout = (timer) => {
    timers.delete(timer as Timer);
    clearTimeout(timer);
  };
  return timers;
}

/** Prints the measurements, and the success of one more message. */
export async function report(result: object, bus: CommandBus): Promise<void> {
  class Canary {}
  let canaries = 0;
  bus.register(Canary, () => void canaries++);
  await bus.dispatch(new Canary());
  console.log(JSON.stringify({ ...result, canaries, inFlight: bus.inFlight }));
}
