// Counts the instructions that a message costs, with callgrind: the figures do not depend on the load of the machine.
//   npm run bench:instructions                       the bars: about three minutes
//   npm run bench:instructions -- --all              every scenario that can be counted
//   npm run bench:instructions -- --all --json FILE  writes the figures
//   npm run bench:instructions -- --all --compare FILE    fails for a scenario that costs over 2 % more than in FILE
//   --source DIR      counts the src of another checkout
//   --only TEXT       of all scenarios those with the text in their title or file name
//   --seeds N         the median of so many runs, each under a seed of its own (1)
//   --jobs N          processes at once (2)
//   --if-available    exits with 0 instead of 2 if valgrind is missing
// The table goes to stdout, the progress to stderr. The exit code is 1 if a bar or the comparison fails.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { isAbsolute, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { bundle } from "./bundle.mjs";
import { compareText, figuresText } from "./figures.mjs";
import { median } from "./measure.mjs";
import { loadScenarios } from "./scenarios/index.mjs";

const WARM_UP = 60_000;
const COUNT = 20_000;
const NODE = 20;

/**
 * Node sizes the young generation by how fast it is filled and collected, so that a busy machine counts up to a tenth more. A fixed size
 * and no collection for idle time leave about half a percent.
 */
const NODE_OPTIONS = [
  "--single-threaded",
  "--min-semi-space-size=16",
  "--max-semi-space-size=16",
  "--no-memory-reducer",
];

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
/** Paths are those of the shell, which npm tells, and not of this folder. */
const given = (path) => (isAbsolute(path) ? path : resolve(process.env.INIT_CWD ?? process.cwd(), path));

const { values: options } = parseArgs({
  options: {
    all: { type: "boolean", default: false },
    json: { type: "string" },
    compare: { type: "string" },
    source: { type: "string" },
    only: { type: "string", default: "" },
    seeds: { type: "string", default: "1" },
    jobs: { type: "string", default: "2" },
    "if-available": { type: "boolean", default: false },
  },
});

if (spawnSync("valgrind", ["--version"], { stdio: "ignore" }).status !== 0) {
  console.log("not counted: valgrind is not installed (apt-get install valgrind)");
  process.exit(options["if-available"] ? 0 : 2);
}
if (Number(process.versions.node.split(".")[0]) !== NODE)
  console.error(
    `The bars hold for Node ${NODE}; this is ${process.versions.node}, whose figures are others.`,
  );

const all = options.all || options.only !== "";
const before =
  options.compare === undefined ? undefined : JSON.parse(readFileSync(given(options.compare), "utf8"));
const source = options.source === undefined ? undefined : join(given(options.source), "src");
const cqrxBundle = await bundle(source, `instructions-${process.pid}`);
process.on("exit", () => rmSync(cqrxBundle, { force: true }));

/**
 * V8 hashes strings and objects under a random seed. A contender that looks much up in maps costs up to 5 % more or less with another
 * one, and the same to the digit with the same one.
 */
const seeds = Array.from({ length: Number(options.seeds) }, (_, index) => index + 1);
const scenarios = await loadScenarios(options.only);
const runs = scenarios.flatMap(runsOf);
if (runs.length === 0)
  console.error(`No scenario with "${options.only}" in its title or file name is counted.`);
let started = 0;
await Promise.all(Array.from({ length: Number(options.jobs) }, worker));

const figures = {
  countedWith: `Node ${process.versions.node} ${NODE_OPTIONS.join(" ")}, seeds: ${seeds.length}`,
  scenarios: scenarios
    .map((scenario) => {
      const { file, title, subject, unit = "instructions", counted } = scenario;
      return { file, title, subject, unit, ...counted, figures: figuresOf(scenario) };
    })
    .filter(({ figures }) => Object.keys(figures).length > 0),
};
const { text, failed } = figuresText(figures);
console.log(text);
const compared = before && compareText(before, figures);
if (compared !== undefined) console.log(`\n${compared.text}`);
if (options.json !== undefined)
  writeFileSync(given(options.json), `${JSON.stringify(figures, undefined, 2)}\n`);
const broken = runs.some(({ error }) => error !== undefined);
process.exitCode = failed || compared?.failed || broken ? 1 : 0;

/** Returns the contenders of a scenario to run: all of them, or those that its bars need. */
function runsOf(scenario) {
  const { counted, contenders } = scenario;
  if (counted === false || (counted === undefined && !all)) return [];
  const names = all
    ? Object.keys(contenders)
    : [counted.subject ?? scenario.subject, ...Object.keys(counted.bars), ...(counted.beside ?? [])];
  return [...new Set(names)].flatMap((contender) =>
    (scenario.unit === "bytes" ? [1] : seeds).map((seed) => ({ scenario, contender, seed })),
  );
}

async function worker() {
  while (started < runs.length) {
    const run = runs[started++];
    const label = `${run.scenario.title}: ${run.contender}${seeds.length > 1 ? `, seed ${run.seed}` : ""}`;
    console.error(`${started} of ${runs.length}, ${label}`);
    try {
      run.result = await (run.scenario.unit === "bytes" ? heapBytes(run) : instructions(run));
    } catch (error) {
      run.error = error;
      console.error(`Failed: ${label}\n${error.message}`);
    }
  }
}

/** A process of its own for each contender, because the JIT compiler would optimize one by the run of another. */
async function instructions({ scenario: { file, warmUp = WARM_UP, count = COUNT }, contender, seed }) {
  const { stdout, stderr } = await run("valgrind", [
    "--tool=callgrind",
    "--instr-atstart=no",
    "--callgrind-out-file=/dev/null",
    process.execPath,
    ...NODE_OPTIONS,
    `--hash-seed=${seed}`,
    `--random-seed=${seed}`,
    here("count.mjs"),
    file,
    contender,
    String(warmUp),
    String(count),
  ]);
  const { messages, cqrx } = JSON.parse(stdout);
  const total = Number(/Collected : (\d+)/.exec(stderr)[1]);
  return { perMessage: total / messages, cqrx };
}

/** The heap is measured without valgrind, as the bench of time does it. */
async function heapBytes({ scenario: { file, nodeOptions = [] }, contender }) {
  const { stdout } = await run(process.execPath, [...nodeOptions, here("contender.mjs"), file, contender]);
  return { perMessage: JSON.parse(stdout).median, cqrx: true };
}

async function run(command, args) {
  const child = spawn(command, args, {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, CQRX_BUNDLE: cqrxBundle },
  });
  const output = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"]) child[stream].on("data", (chunk) => (output[stream] += chunk));
  const [code, signal] = await once(child, "close");
  if (code !== 0) throw new Error(`ended with ${code ?? signal}\n${output.stderr}`);
  return output;
}

/** A contender with a run that failed has no figure. */
function figuresOf({ file, contenders }) {
  const figures = {};
  for (const contender of Object.keys(contenders)) {
    const own = runs.filter((run) => run.scenario.file === file && run.contender === contender);
    if (own.length === 0 || own.some(({ result }) => result === undefined)) continue;
    const perMessage = Math.round(median(own.map(({ result }) => result.perMessage)));
    figures[contender] = { perMessage, cqrx: own[0].result.cqrx };
  }
  return figures;
}
