// Mutation testing: draws mutants of src/core, src/middleware, src/reactive and src/saga, and runs the fast specs that execute each of them.
// All drawn mutants are compiled into one copy of the sources, each behind a switch, so that no mutant costs a build.
//
//   node spec/mutation/run.mjs [--count 600] [--seed 1] [--workers 2] [--only src/core/bus] [--seconds 20] [--first closing] [--results file]
//
// Each mutant meets the specs that execute it, the likeliest to fail first; `--seconds` limits how many, and `--first`, a
// pattern of paths, says which go first.
// Each kill is added to the file of results. A run that finds the file leaves out the mutants that are in it, so that a run
// goes on where another one ended, and meets the survivors with the specs that were written since.
import { fork, execFileSync } from "node:child_process";
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, relative } from "node:path";
import process from "node:process";
import { clearTimeout, setTimeout } from "node:timers";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import ts from "typescript";
import { instrument, mutantsOf, randomOf } from "./mutants.mjs";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const require = createRequire(join(root, "package.json"));
const FOLDERS = ["src/core", "src/middleware", "src/reactive", "src/saga"];
/** Specs that read the sources, start processes, run for long, or have a wing of their own as their subject. */
const LEFT_OUT = new RegExp(
  "^spec/(structure|docs|types|examples|bench|consumers|mutation|reference|support|defaults)/|" +
    "^spec/(inspector|nats|postgres|transport|http|soak|chaos)/|cases-(leaks|process-exit|warnings)|model[.]spec",
);
const EQUIVALENT = JSON.parse(readFileSync(join(root, "spec/mutation/equivalent.json"), "utf8"));

if (process.send !== undefined) work();
else await main();

/** Runs the mutants that the parent sends, one after the other, in this process. */
function work() {
  const { runCLI } = require("jest");
  process.on("message", async ({ id, specs, folder, maxWorkers }) => {
    process.env["CQRX_MUTANT"] = String(id);
    process.env["CQRX_SPECS"] = JSON.stringify(specs);
    delete process.env["CQRX_FAILED"];
    process.send({ id, suites: await run(specs, folder, maxWorkers) });
  });

  async function run(specs, folder, maxWorkers) {
    const { results } = await runCLI(
      {
        config: join(folder, "jest.config.json"),
        runTestsByPath: true,
        _: specs.map((spec) => join(folder, spec)),
        ...(maxWorkers === undefined ? { runInBand: true } : { maxWorkers }),
        silent: true,
        watchman: false,
        reporters: [],
      },
      [folder],
    );
    return results.testResults.map(({ testFilePath, numFailingTests, testExecError, perfStats }) => ({
      spec: relative(folder, testFilePath),
      failed: numFailingTests > 0 || testExecError != null,
      seconds: (perfStats.end - perfStats.start) / 1_000,
    }));
  }
}

async function main() {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "600" },
      seed: { type: "string", default: "1" },
      seconds: { type: "string", default: "Infinity" },
      workers: { type: "string", default: "2" },
      only: { type: "string" },
      first: { type: "string", default: "$^" },
      results: { type: "string" },
    },
  });
  const [count, seed, workers] = [values.count, values.seed, values.workers].map(Number);
  const mutants = draw(count, seed, values.only);
  console.log(`seed ${seed}: ${mutants.length} mutants drawn`);
  readResults(values.results, mutants);
  const open = mutants.filter((mutant) => mutant.killed === undefined && !isEquivalent(mutant));
  const compiler = makeCompiler();
  const folder = copyWith(open);
  const onResult = (mutant) => {
    if (mutant.killed === undefined && compiler.refuses(mutant)) mutant.killed = "tsc";
    if (mutant.killed === undefined) console.log(nameOf(mutant));
    else if (values.results !== undefined)
      appendFileSync(values.results, `${JSON.stringify([keyOf(mutant), mutant.killed])}\n`);
  };
  try {
    const { specs, hits } = await firstRun(folder, workers);
    const jobs = open.map((mutant) => ({
      mutant,
      specs: fitting(specsFor(mutant, open, specs, hits, new RegExp(values.first)), Number(values.seconds)),
    }));
    console.log("\nsurvivors:");
    await runAll(jobs, folder, workers, onResult);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  report(mutants);
}

/** Marks the mutants that an earlier run killed. */
function readResults(file, mutants) {
  if (file === undefined || !existsSync(file)) return;
  const killed = new Map(
    readFileSync(file, "utf8")
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line)),
  );
  for (const mutant of mutants) mutant.killed = killed.get(keyOf(mutant));
}

function keyOf({ file, start, before, text }) {
  return JSON.stringify([file, start, before, text]);
}

function draw(count, seed, only) {
  const random = randomOf(seed);
  const all = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true })
      .map((name) => `${folder}/${name}`)
      .filter((file) => file.endsWith(".ts") && (only === undefined || file.startsWith(only)))
      .sort()
      .flatMap((file) => {
        const code = readFileSync(join(root, file), "utf8");
        return mutantsOf(file, code).map((mutant) => ({
          ...mutant,
          file,
          code,
          before: code.slice(mutant.start, mutant.end),
        }));
      }),
  );
  for (let last = all.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1));
    [all[last], all[other]] = [all[other], all[last]];
  }
  console.log(`${all.length} mutants in all`);
  return all.slice(0, count).map((mutant, index) => ({ ...mutant, id: index + 1 }));
}

/** Makes a copy of the repository whose sources hold the mutants. */
function copyWith(mutants) {
  const folder = mkdtempSync(join(tmpdir(), "cqrx-mutation-"));
  for (const name of ["src", "spec", "examples", "README.md", "package.json", "tsconfig.json"])
    cpSync(join(root, name), join(folder, name), {
      recursive: true,
      filter: (path) => basename(path) !== "node_modules",
    });
  symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  for (const [file, ofFile] of Map.groupBy?.(mutants, ({ file }) => file) ?? groups(mutants))
    writeFileSync(join(folder, file), instrument(readFileSync(join(root, file), "utf8"), ofFile));

  const config = execFileSync(
    join(root, "node_modules/.bin/jest"),
    ["--showConfig", "--selectProjects", "fast"],
    {
      cwd: root,
      encoding: "utf8",
      maxBuffer: 1e8,
    },
  );
  const [{ transform, moduleNameMapper, transformIgnorePatterns }] = JSON.parse(config).configs;
  const moved = (value) => JSON.parse(JSON.stringify(value).replaceAll(root, folder));
  writeFileSync(
    join(folder, "jest.config.json"),
    JSON.stringify({
      rootDir: folder,
      roots: [join(folder, "spec")],
      testEnvironment: join(folder, "spec/mutation/environment.cjs"),
      testSequencer: join(folder, "spec/mutation/sequencer.cjs"),
      runner: join(folder, "spec/mutation/runner.cjs"),
      setupFilesAfterEnv: [join(folder, "spec/support/warnings.ts")],
      testMatch: ["**/*.spec.ts"],
      testTimeout: 20_000,
      transform: Object.fromEntries(transform.map(([pattern, path, options]) => [pattern, [path, options]])),
      moduleNameMapper: Object.fromEntries(moved(moduleNameMapper)),
      transformIgnorePatterns,
    }),
  );
  mkdirSync(join(folder, "hits"));
  return folder;
}

function groups(mutants) {
  const byFile = new Map();
  for (const mutant of mutants) byFile.set(mutant.file, [...(byFile.get(mutant.file) ?? []), mutant]);
  return byFile;
}

/** Runs all specs without a mutant, and finds out which mutants each of them executes. */
async function firstRun(folder, maxWorkers) {
  const paths = readdirSync(join(folder, "spec"), { recursive: true })
    .map((name) => `spec/${name}`)
    .filter((name) => name.endsWith(".spec.ts") && !LEFT_OUT.test(name));
  const worker = fork(fileURLToPath(import.meta.url), {
    env: { ...process.env, CQRX_HITS: join(folder, "hits") },
  });
  const suites = await new Promise((resolve, reject) => {
    worker.once("message", (message) => resolve(message.suites));
    worker.once("exit", (code) => reject(new Error(`The first run ended with ${code}.`)));
    worker.send({ id: 0, specs: paths, folder, maxWorkers });
  });
  worker.removeAllListeners("exit");
  worker.kill("SIGKILL");
  const red = suites.filter(({ failed }) => failed).map(({ spec }) => spec);
  if (red.length > 0) console.log(`left out, because they fail without a mutant: ${red.join(", ")}`);
  const specs = suites.filter(({ failed }) => !failed);
  const hits = new Map(
    specs.map(({ spec }) => {
      const path = join(folder, "hits", `${spec.replaceAll("/", "+")}.json`);
      return [spec, new Set(existsSync(path) ? JSON.parse(readFileSync(path, "utf8")) : [])];
    }),
  );
  return { specs, hits };
}

/**
 * Returns the specs that execute a mutant, the likeliest to fail first: those that the caller named, its own, then those that
 * execute the most mutants of its file, and of these the quick ones.
 */
function specsFor({ id, file }, mutants, specs, hits, first) {
  const name = basename(file, ".ts");
  const ids = mutants.filter((mutant) => mutant.file === file).map((mutant) => mutant.id);
  const isOwn = (spec) => (first.test(spec) ? 2 : basename(spec).startsWith(`${name}.`) ? 1 : 0);
  const share = (spec) => ids.filter((one) => hits.get(spec).has(one)).length;
  return specs
    .filter(({ spec }) => hits.get(spec).has(id))
    .sort((a, b) => isOwn(b.spec) - isOwn(a.spec) || share(b.spec) - share(a.spec) || a.seconds - b.seconds);
}

/** Returns the first of the specs, as many as fit into the seconds, at least one. */
function fitting(specs, seconds) {
  let sum = 0;
  const end = specs.findIndex((spec) => (sum += spec.seconds) > seconds);
  return end < 0 ? specs : specs.slice(0, Math.max(1, end));
}

async function runAll(jobs, folder, workers, onResult) {
  const waiting = [...jobs];
  let done = 0;
  const total = waiting.length;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      let worker;
      let runs = 0;
      for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
        if (job.specs.length === 0) {
          onResult(job.mutant);
          continue;
        }
        if (worker === undefined || ++runs % 40 === 0) {
          worker?.kill("SIGKILL");
          worker = fork(fileURLToPath(import.meta.url), { stdio: ["ignore", "ignore", "ignore", "ipc"] });
        }
        const { mutant } = job;
        const specs = job.specs.map(({ spec }) => spec);
        const limitS = 15 + 3 * job.specs.reduce((sum, { seconds }) => sum + seconds, 0);
        const suites = await answer(worker, { id: mutant.id, specs, folder }, limitS * 1_000);
        if (suites === undefined) {
          mutant.killed = "no end";
          worker.kill("SIGKILL");
          worker = undefined;
        } else mutant.killed = suites.find(({ failed }) => failed)?.spec;
        onResult(mutant);
        done++;
        if (done % 25 === 0) console.log(`[${done}/${total}]`);
      }
      worker?.kill("SIGKILL");
    }),
  );
}

/** Resolves with the suites that ran, or with `undefined` where the worker took too long or ended. */
function answer(worker, job, limitMs) {
  return new Promise((resolve) => {
    const end = (suites) => {
      clearTimeout(timer);
      worker.removeAllListeners();
      resolve(suites);
    };
    const timer = setTimeout(end, limitMs);
    worker.once("message", ({ suites }) => end(suites));
    worker.once("exit", () => end());
    worker.send(job);
  });
}

/** Returns a compiler that tells whether a mutant has a type error, because such a mutant never reaches a user. */
function makeCompiler() {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options, fileNames } = ts.parseJsonConfigFileContent({ ...config, include: ["src"] }, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const cache = new Map();
  const getSourceFile = host.getSourceFile.bind(host);
  let old;
  return {
    refuses(mutant) {
      const path = join(root, mutant.file);
      const changed = mutant.code.slice(0, mutant.start) + mutant.text + mutant.code.slice(mutant.end);
      host.getSourceFile = (name, ...rest) => {
        if (name === path) return ts.createSourceFile(name, changed, rest[0], true);
        if (!cache.has(name)) cache.set(name, getSourceFile(name, ...rest));
        return cache.get(name);
      };
      old = ts.createProgram(fileNames, options, host, old);
      // Unused names and code that cannot be reached are complaints of style here.
      return old
        .getSemanticDiagnostics(old.getSourceFile(path))
        .some(({ code }) => ![6133, 6196, 6198, 7027].includes(code));
    },
  };
}

/** An entry names a mutant by its texts, and by a part of its line where the texts alone are ambiguous. */
function isEquivalent({ file, code, line, before, text }) {
  const source = code.split("\n")[line - 1];
  return EQUIVALENT.some(
    (one) =>
      one.file === file &&
      one.before === before &&
      one.after === text &&
      (one.in === undefined || source.includes(one.in)),
  );
}

function report(mutants) {
  const survivors = mutants.filter(({ killed }) => killed === undefined);
  const left = survivors.filter((mutant) => !isEquivalent(mutant));
  left.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line));
  console.log("\nsurvivors:");
  for (const mutant of left) console.log(nameOf(mutant));
  const killed = mutants.length - survivors.length;
  console.log(
    `\n${mutants.length} drawn, ${killed} killed ` +
      `(${mutants.filter(({ killed }) => killed === "no end").length} by their time limit, ` +
      `${mutants.filter(({ killed }) => killed === "tsc").length} by the compiler), ` +
      `${survivors.length - left.length} equivalent, ${left.length} survived (${((100 * left.length) / mutants.length).toFixed(1)} %)`,
  );
  if (left.length > mutants.length / 20) process.exitCode = 1;
}

function nameOf(mutant) {
  const short = (text) => text.replace(/\s+/g, " ").slice(0, 160);
  return `${mutant.file}:${mutant.line}  ${short(mutant.before)}  →  ${short(mutant.text) || "(removed)"}`;
}
