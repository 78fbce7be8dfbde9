import { readdirSync } from "node:fs";

const byNumber = new Intl.Collator("en", { numeric: true });

/**
 * The scenarios, in order of their file names. Each exports by default:
 * `title`; `contenders`, name to factory (see ../measure.mjs for what it returns); `subject`, the one of them that is judged;
 * `bars`, at most how many times as long as each other contender it may take (and how many are aimed at); perhaps `unit` and `nodeOptions`.
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
