import { readdirSync } from "node:fs";

const byNumber = new Intl.Collator("en", { numeric: true });

/**
 * Loads the scenarios in order of their file names. Each one exports by default:
 * - `title`, and `contenders`: name to factory (see ../measure.mjs for the value that it returns),
 * - `subject`: the contender that is judged,
 * - `bars`: at most how many times as long as each other contender it may take, and the `aim`,
 * - `counted`: for the bench of instructions, `bars` (at most how many times as many as each other contender), the contenders
 *   `beside` them in the table, and another `subject`; `false` if the scenario cannot be counted,
 * - `warmUp` and `count`: the numbers of messages to count with, if one message takes long,
 * - `unit` and `nodeOptions`.
 */
export async function loadScenarios(only) {
  const files = readdirSync(new URL(".", import.meta.url)).filter((file) => /^\d.*\.mjs$/.test(file));
  const scenarios = [];
  for (const file of files.sort(byNumber.compare)) {
    const { default: scenario } = await import(new URL(file, import.meta.url));
    if (`${file} ${scenario.title}`.includes(only)) scenarios.push({ file, ...scenario });
  }
  return scenarios;
}
