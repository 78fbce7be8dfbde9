// Compares cqrx, bundled from ../../src as it would be shipped, with its peers and with code written by hand.
//   npm run bench                      all scenarios; installs the peers into this folder first
//   npm run bench -- --quick           two short rounds
//   npm start -- --only "around" --rounds 9    in this folder: some scenarios, by a part of their title or file name
// The table goes to stdout, the progress to stderr. The exit code is 0 for any numbers, because they are not a test.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { cpus } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.mjs";
import { loadScenarios } from "./scenarios/index.mjs";
import { markdown } from "./table.mjs";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    rounds: { type: "string" },
  },
});
const rounds = Number(options.rounds ?? (options.quick ? 2 : 5));

await bundle();

const scenarios = await loadScenarios(options.only);
if (scenarios.length === 0) console.error(`No scenario has "${options.only}" in its title or file name.`);
const results = [];
for (const scenario of scenarios) results.push(await runScenario(scenario));
console.log(`${markdown(results)}\n\n${environment()}`);

/** Runs the contenders in turn, A B C A B C, so that a disturbance of the machine affects all of them. */
async function runScenario(scenario) {
  const contenders = Object.keys(scenario.contenders);
  const samples = Object.fromEntries(contenders.map((contender) => [contender, []]));
  const failures = {};
  for (let round = 1; round <= rounds; round++) {
    for (const contender of contenders) {
      if (contender in failures) continue;
      console.error(`round ${round} of ${rounds}, ${scenario.title}: ${contender}`);
      try {
        samples[contender].push(await runProcess(scenario, contender));
      } catch (error) {
        console.error(error.message);
        failures[contender] = error.message.split("\n")[0];
      }
    }
  }
  return { ...scenario, samples, failures };
}

/** A process of its own for each, because the JIT compiler would optimize rxjs and Promise for one by the run of another. */
async function runProcess({ file, nodeOptions = [] }, contender) {
  const args = [...nodeOptions, here("contender.mjs"), file, contender, ...(options.quick ? ["quick"] : [])];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], timeout: 120_000 });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) child[stream].on("data", (chunk) => (output[stream] += chunk));
  const [code, signal] = await once(child, "close");
  if (code !== 0) {
    const reason = /^\w*Error.*$/m.exec(output.stderr)?.[0] ?? `ended with ${code ?? signal}`;
    throw new Error(`${contender} failed: ${reason}\n${output.stderr}`);
  }
  return JSON.parse(output.stdout);
}

function environment() {
  const { devDependencies } = JSON.parse(readFileSync(here("package.json"), "utf8"));
  const [{ model } = { model: "unknown CPU" }, ...others] = cpus();
  return [
    `${rounds} rounds${options.quick ? ", quick" : ""}, Node ${process.versions.node}, ${1 + others.length} × ${model}`,
    Object.entries(devDependencies)
      .map(([name, version]) => `${name} ${version}`)
      .join(", "),
  ].join("\n");
}
