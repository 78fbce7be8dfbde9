/** Runs a function in the async context that it was captured in. */
export type ContextRunner = (run: () => void) => void;

interface AsyncHooks {
  readonly AsyncResource: { bind(fn: ContextRunner): ContextRunner };
}

// Not an import: the core also runs where there is no Node.
const hooks = (
  globalThis as { process?: { getBuiltinModule?(id: "node:async_hooks"): AsyncHooks | undefined } }
).process?.getBuiltinModule?.("node:async_hooks");

const runHere: ContextRunner = (run) => run();

/** Captures the async context (`AsyncLocalStorage`) of now, for a message that has to wait: what releases it runs in somebody else's. */
export function captureContext(): ContextRunner {
  return hooks === undefined ? runHere : hooks.AsyncResource.bind(runHere);
}
