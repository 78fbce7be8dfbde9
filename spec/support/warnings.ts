// Runs in every spec file, by Jest's setupFilesAfterEnv: a warning of Node that this library caused fails the file (case 176).
import { runInThisContext } from "node:vm";
import { afterAll, afterEach, expect } from "@jest/globals";
import { isOurs, restoreListeners } from "./traps.js";

// The real ones: listeners of Jest's copy of `process` are never called, and its timers may be fake.
const real = runInThisContext("({ process, setTimeout })") as Pick<
  typeof globalThis,
  "process" | "setTimeout"
>;
const warnings: Error[] = [];
const warn = (warning: Error): void => void warnings.push(warning);

real.process.on("warning", warn);
afterEach(restoreListeners);
afterAll(async () => {
  await new Promise((resolve) => real.setTimeout(resolve, 0));
  real.process.off("warning", warn);
  expect(warnings.filter(isOurs).map(String)).toEqual([]);
});
