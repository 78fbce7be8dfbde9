import { join } from "node:path";
import { runInThisContext } from "node:vm";
import { expect } from "@jest/globals";
import { CommandBus, EventBus, QueryBus } from "cqrx";

/** Errors and warnings that reached the process, past every promise and every `faults$`. */
export interface Escaped {
  readonly unhandledRejections: unknown[];
  readonly uncaughtExceptions: unknown[];
  readonly warnings: Error[];
}

// The real ones: Jest gives specs a copy of `process` whose listeners are never called, and possibly fake timers.
const real = runInThisContext("({ process, setTimeout, setImmediate })") as Pick<
  typeof globalThis,
  "process" | "setTimeout" | "setImmediate"
>;

/** Waits for one macrotask on the real clock, after which every pending report has been made. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => real.setTimeout(() => real.setImmediate(resolve), 0));
}

/** Collects the errors and warnings that escape during `run` and one macrotask after it. Sets Jest's listeners aside, because they would fail the test. */
export async function escapedFrom(run: () => unknown): Promise<Escaped> {
  const escaped: Escaped = { unhandledRejections: [], uncaughtExceptions: [], warnings: [] };
  const take = (into: unknown[]) => (reason: unknown) => void into.push(reason);
  const restore = [
    listenOnly("unhandledRejection", take(escaped.unhandledRejections)),
    listenOnly("uncaughtException", take(escaped.uncaughtExceptions)),
    listenOnly("warning", take(escaped.warnings)),
  ];
  try {
    await run();
    await macrotask();
  } finally {
    for (const undo of restore) undo();
  }
  return escaped;
}

/** Gives back the listeners that traps have set aside; the latest trap last. */
const restores: (() => void)[] = [];

/** Replaces all listeners of a process event. The returned function gives them back, once. */
function listenOnly(event: string, listener: (reason: unknown) => void): () => void {
  const before = real.process.rawListeners(event) as ((...args: unknown[]) => void)[];
  real.process.removeAllListeners(event);
  real.process.on(event, listener);
  const restore = (): void => {
    const index = restores.indexOf(restore);
    if (index < 0) return;
    restores.splice(index, 1);
    real.process.off(event, listener);
    for (const other of before) real.process.on(event, other);
  };
  restores.push(restore);
  return restore;
}

/** Gives back every listener. After each case, because a case that times out inside a trap never leaves it by itself. */
export function restoreListeners(): void {
  for (const restore of [...restores].reverse()) restore();
}

const src = join(__dirname, "../../src");

/** Returns true if code of this library caused a warning, because warnings of Jest and other packages must fail no spec. */
export function isOurs({ stack = "" }: Error): boolean {
  return stack.includes(src);
}

/** Fails the test when an unhandled rejection, an uncaught exception or a warning of this library escaped. */
export async function withTraps(run: () => Promise<void> | void): Promise<void> {
  const { warnings, ...escaped } = await escapedFrom(run);
  // As text, because the subject of a warning cannot always be printed.
  expect({ ...escaped, warnings: warnings.filter(isOurs).map(String) }).toEqual({
    unhandledRejections: [],
    uncaughtExceptions: [],
    warnings: [],
  });
}

/** Sends canaries through new buses, for tests whose buses are closed or stay occupied. */
export function freshCanaries(): Promise<void> {
  return canaries(new CommandBus(), new QueryBus(), new EventBus());
}

/** Sends a message of a new type through each bus. It must succeed and leave no message in flight, also after faults. */
export async function canaries(...buses: (CommandBus | QueryBus | EventBus | undefined)[]): Promise<void> {
  for (const bus of buses) {
    if (bus === undefined) continue;
    class Canary {
      readonly song = Symbol("song");
    }
    const canary = new Canary();
    const heard: unknown[] = [];
    const handler = (message: Canary): symbol => {
      heard.push(message);
      return message.song;
    };
    if (bus instanceof QueryBus) {
      const registration = bus.register(Canary, handler);
      expect(await bus.ask(canary)).toBe(canary.song);
      registration.unsubscribe();
    } else if (bus instanceof EventBus) {
      const registration = bus.register(Canary, handler);
      expect(await bus.publish(canary)).toBeUndefined();
      registration.unsubscribe();
    } else {
      const registration = bus.register(Canary, handler);
      expect(await bus.dispatch(canary)).toBeUndefined();
      registration.unsubscribe();
    }
    expect(heard).toEqual([canary]);
    expect(bus.inFlight).toBe(0);
  }
}
