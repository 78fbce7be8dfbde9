import { runInThisContext } from "node:vm";
import { expect } from "@jest/globals";
import { CommandBus, EventBus, QueryBus } from "cqrx";

/** What went past every promise and every `faults$`. */
export interface Escaped {
  readonly unhandledRejections: unknown[];
  readonly uncaughtExceptions: unknown[];
  readonly warnings: Error[];
}

// Jest gives specs a copy of `process` that hears nothing, and possibly fake timers; these are the real ones.
const real = runInThisContext("({ process, setTimeout, setImmediate })") as Pick<
  typeof globalThis,
  "process" | "setTimeout" | "setImmediate"
>;

/** One macrotask on the real clock: after it, everything has been reported that was waiting to be. */
export function macrotask(): Promise<void> {
  return new Promise((resolve) => real.setTimeout(() => real.setImmediate(resolve), 0));
}

/** Collects what escapes during `run` and one macrotask after it. Jest's own listeners, which would fail the test, are set aside. */
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

function listenOnly(event: string, listener: (reason: unknown) => void): () => void {
  const before = real.process.rawListeners(event) as ((...args: unknown[]) => void)[];
  real.process.removeAllListeners(event);
  real.process.on(event, listener);
  return () => {
    real.process.off(event, listener);
    for (const other of before) real.process.on(event, other);
  };
}

/** Fails the test when anything escaped: an unhandled rejection, an uncaught exception or a process warning. */
export async function withTraps(run: () => Promise<void> | void): Promise<void> {
  const { warnings, ...escaped } = await escapedFrom(run);
  // As text: what a warning is about cannot always be printed.
  expect({ ...escaped, warnings: warnings.map(String) }).toEqual({
    unhandledRejections: [],
    uncaughtExceptions: [],
    warnings: [],
  });
}

/** Canaries where the buses of a test are closed or for good occupied: new buses must work as if nothing had been. */
export function freshCanaries(): Promise<void> {
  return canaries(new CommandBus(), new QueryBus(), new EventBus());
}

/** Sends a fresh message of a fresh type through each bus: whatever happened before, it must succeed, and leave nothing in flight. */
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
