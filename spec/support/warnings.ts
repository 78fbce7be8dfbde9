// Runs in every spec file, by Jest's setupFilesAfterEnv: what Node warns about fails the file (case 176).
import { runInThisContext } from "node:vm";
import { afterAll, expect } from "@jest/globals";

// Jest's copy of `process` hears nothing, and its timers may be fake.
const real = runInThisContext("({ process, setTimeout })") as Pick<
  typeof globalThis,
  "process" | "setTimeout"
>;
const warnings: string[] = [];
const warn = ({ name, message }: Error): void => void warnings.push(`${name}: ${message}`);

real.process.on("warning", warn);
afterAll(async () => {
  await new Promise((resolve) => real.setTimeout(resolve, 0));
  real.process.off("warning", warn);
  // Of Node's own features that are new, a spec may make use.
  expect(warnings.filter((warning) => !warning.startsWith("ExperimentalWarning"))).toEqual([]);
});
