// Runs in every spec file, by Jest's setupFilesAfterEnv: no AsyncLocalStorage outlives its file. Jest runs many files in
// one process, and each storage that stays in use makes every promise of the following files slower.
import { AsyncLocalStorage } from "node:async_hooks";
import { afterAll } from "@jest/globals";

const { run, enterWith } = AsyncLocalStorage.prototype;
const used = new Set<AsyncLocalStorage<unknown>>();

Object.assign(AsyncLocalStorage.prototype, {
  run(this: AsyncLocalStorage<unknown>, ...args: Parameters<typeof run>) {
    used.add(this);
    return run.apply(this, args);
  },
  enterWith(this: AsyncLocalStorage<unknown>, store: unknown) {
    used.add(this);
    enterWith.call(this, store);
  },
});

afterAll(() => {
  Object.assign(AsyncLocalStorage.prototype, { run, enterWith });
  for (const storage of used) storage.disable();
});
