// `npm run chaos -- postgres --seeds 20` runs spec/chaos/postgres/run.ts with the seeds 1 to 20; `--first 7` starts at seed 7.
// Each such file exports `run(seed)`, which resolves to a line about the seed and rejects if a promise was broken.
import { existsSync } from "node:fs";
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seeds: { type: "string", default: "4" }, first: { type: "string", default: "1" } },
});
const [name = ""] = positionals;
const file = new URL(`./${name}/run.ts`, import.meta.url);
const count = Number(values.seeds);
const first = Number(values.first);
if (name === "" || !existsSync(file) || !(count >= 1) || !Number.isInteger(first)) {
  console.log("Usage: npm run chaos -- <postgres | nats | nats-cluster> [--seeds 20] [--first 1]");
  process.exit(1);
}

const { run, end } = await import(file.href);
const failed = [];
for (let seed = first; seed < first + count; seed++) {
  try {
    console.log(`${name}, seed ${seed}: ${await run(seed)}`);
  } catch (error) {
    failed.push(seed);
    console.log(`${name}, seed ${seed}: FAILED`, error);
  }
}
await end?.();
console.log(failed.length === 0 ? "All seeds held." : `Failed seeds: ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
