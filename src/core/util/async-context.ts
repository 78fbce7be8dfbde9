/** A captured async context (`AsyncLocalStorage`), with the method of Node's `AsyncResource` that runs code in it. */
export interface AsyncScope {
  runInAsyncScope<This, Args extends unknown[]>(
    run: (this: This, ...args: Args) => unknown,
    thisArg?: This,
    ...args: Args
  ): unknown;
}

interface AsyncHooks {
  readonly AsyncResource: new (type: string, options: object) => AsyncScope;
}

// Node is not imported, because the core also runs in browsers.
const hooks = (
  globalThis as { process?: { getBuiltinModule?(id: "node:async_hooks"): AsyncHooks | undefined } }
).process?.getBuiltinModule?.("node:async_hooks");

const MANUAL = { requireManualDestroy: true };

/** A scope that changes nothing: it runs code in the context of its caller. */
export const NO_SCOPE: AsyncScope = { runInAsyncScope: (run, thisArg, ...args) => run.apply(thisArg!, args) };

/**
 * Captures the current async context, for a message that has to wait, because the code that releases it runs
 * in the context of another message.
 */
export function captureContext(): AsyncScope {
  // AsyncResource.bind() and AsyncLocalStorage.snapshot() take 18 µs on Node 20; a resource of our own takes
  // a fiftieth of one.
  return hooks === undefined ? NO_SCOPE : new hooks.AsyncResource("cqrx", MANUAL);
}
