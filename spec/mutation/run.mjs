// Mutation testing: draws mutants of src/core, src/middleware, src/reactive and src/saga, and runs the fast specs that execute each of them.
// All drawn mutants are compiled into one copy of the sources, each behind a switch, so that no mutant costs a build.
//
//   node spec/mutation/run.mjs [--count 600] [--seed 1] [--workers 2] [--only src/core/bus]
import { fork, execFileSync } from "node:child_process";
import {
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
/** Specs that read the sources, start processes or run for long. */
const LEFT_OUT =
  /^spec\/(structure|docs|types|examples|bench|consumers|mutation|reference|support)\/|cases-(leaks|process-exit|warnings)|model\.spec/;
/** Seconds of specs that a mutant meets in the first round. */
const BUDGET_S = 10;

if (process.send !== undefined) work();
else await main();

/** Runs the mutants that the parent sends, one after the other, in this process. */
function work() {
  const { runCLI } = require("jest");
  process.on("message", async ({ id, specs, folder, maxWorkers }) => {
    process.env["CQRX_MUTANT"] = String(id);
    process.env["CQRX_SPECS"] = JSON.stringify(specs);
    delete process.env["CQRX_FAILED"];
    const suites = [];
    // In parts, because Jest's own way to stop at the first failure ends the process.
    for (const part of id === 0 ? [specs] : [specs.slice(0, 2), specs.slice(2, 8), specs.slice(8)]) {
      if (part.length === 0 || suites.some(({ failed }) => failed)) break;
      suites.push(...(await run(part, folder, maxWorkers)));
    }
    process.send({ id, suites });
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
      workers: { type: "string", default: "2" },
      only: { type: "string" },
    },
  });
  const [count, seed, workers] = [values.count, values.seed, values.workers].map(Number);
  const mutants = draw(count, seed, values.only);
  console.log(`seed ${seed}: ${mutants.length} mutants drawn`);
  const folder = copyWith(mutants);
  try {
    const { specs, hits } = await firstRun(folder, workers);
    const all = mutants.map((mutant) => ({ mutant, specs: specsFor(mutant, specs, hits) }));
    await runAll(
      all.map((job) => likeliest(job, specs)),
      folder,
      workers,
      specs,
    );
    // Survivors of the likeliest specs meet all others that execute them.
    const others = all.filter(({ mutant }) => mutant.killed === undefined);
    await runAll(
      others.map((job) => remaining(job, specs)),
      folder,
      workers,
      specs,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const survivors = refusedByCompiler(mutants.filter(({ killed }) => killed === undefined));
  report(mutants, survivors);
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
  for (const name of ["src", "spec", "examples", "package.json", "tsconfig.json"])
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

/** Returns the specs that execute a mutant, the likeliest to fail first: its own, its neighbours, then the quick ones. */
function specsFor({ id, file }, specs, hits) {
  const name = basename(file, ".ts");
  const folder = dirname(file).replace("src/", "spec/");
  const wing = folder.split("/").slice(0, 2).join("/");
  const ranks = [
    (spec) => basename(spec).startsWith(`${name}.`),
    (spec) => dirname(spec) === folder,
    (spec) => spec.startsWith(`${wing}/`),
    (spec) => spec.startsWith("spec/conformance/"),
    () => true,
  ];
  const rank = (spec) => ranks.findIndex((matches) => matches(spec));
  const covering = specs
    .filter(({ spec }) => hits.get(spec).has(id))
    .sort((a, b) => rank(a.spec) - rank(b.spec) || a.seconds - b.seconds);
  return covering.map(({ spec }) => spec);
}

/** Returns how many of the specs fit into the budget, at least one. */
function fitting(own, specs) {
  let seconds = 0;
  const end = own.findIndex((spec) => (seconds += specs.find((one) => one.spec === spec).seconds) > BUDGET_S);
  return end < 0 ? own.length : Math.max(1, end);
}

function likeliest({ mutant, specs: own }, specs) {
  return { mutant, specs: own.slice(0, fitting(own, specs)) };
}

function remaining({ mutant, specs: own }, specs) {
  return { mutant, specs: own.slice(fitting(own, specs)) };
}

async function runAll(jobs, folder, workers, specs) {
  const secondsOf = new Map(specs.map(({ spec, seconds }) => [spec, seconds]));
  const waiting = jobs.filter(({ specs: own }) => own.length > 0);
  let done = 0;
  const total = waiting.length;
  await Promise.all(
    Array.from({ length: workers }, async () => {
      let worker;
      let runs = 0;
      for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
        if (worker === undefined || ++runs % 40 === 0) {
          worker?.kill("SIGKILL");
          worker = fork(fileURLToPath(import.meta.url), { stdio: ["ignore", "ignore", "ignore", "ipc"] });
        }
        const { mutant, specs: own } = job;
        const limitS = 15 + 3 * own.reduce((sum, spec) => sum + secondsOf.get(spec), 0);
        const suites = await answer(worker, { id: mutant.id, specs: own, folder }, limitS * 1_000);
        if (suites === undefined) {
          mutant.killed = "no end";
          worker.kill("SIGKILL");
          worker = undefined;
        } else mutant.killed = suites.find(({ failed }) => failed)?.spec;
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

/** Counts a mutant that the compiler refuses as killed, and returns the others. */
function refusedByCompiler(survivors) {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: ["src"] }, ts.sys, root);
  const { fileNames } = ts.parseJsonConfigFileContent({ ...config, include: ["src"] }, ts.sys, root);
  const host = ts.createCompilerHost(options);
  const cache = new Map();
  const getSourceFile = host.getSourceFile.bind(host);
  let old;
  return survivors.filter((mutant) => {
    const path = join(root, mutant.file);
    const code = readFileSync(path, "utf8");
    const changed = code.slice(0, mutant.start) + mutant.text + code.slice(mutant.end);
    host.getSourceFile = (name, ...rest) => {
      if (name === path) return ts.createSourceFile(name, changed, rest[0], true);
      if (!cache.has(name)) cache.set(name, getSourceFile(name, ...rest));
      return cache.get(name);
    };
    old = ts.createProgram(fileNames, options, host, old);
    // Unused names and code that cannot be reached are complaints of style here.
    const refused = old
      .getSemanticDiagnostics(old.getSourceFile(path))
      .some(({ code: number }) => ![6133, 6196, 6198, 7027].includes(number));
    if (refused) mutant.killed = "tsc";
    return !refused;
  });
}

function report(mutants, survivors) {
  const equivalent = JSON.parse(readFileSync(join(root, "spec/mutation/equivalent.json"), "utf8"));
  const known = (mutant) =>
    equivalent.some(
      ({ file, before, after }) => file === mutant.file && before === mutant.before && after === mutant.text,
    );
  const excused = survivors.filter(known);
  const left = survivors.filter((mutant) => !known(mutant));
  left.sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line));
  console.log("\nsurvivors:");
  for (const mutant of left) console.log(nameOf(mutant));
  const killed = mutants.length - survivors.length;
  console.log(
    `\n${mutants.length} drawn, ${killed} killed ` +
      `(${mutants.filter(({ killed }) => killed === "no end").length} by their time limit, ` +
      `${mutants.filter(({ killed }) => killed === "tsc").length} by the compiler), ` +
      `${excused.length} equivalent, ${left.length} survived (${((100 * left.length) / mutants.length).toFixed(1)} %)`,
  );
  if (left.length > mutants.length / 20) process.exitCode = 1;
}

function nameOf(mutant) {
  const short = (text) => text.replace(/\s+/g, " ").slice(0, 160);
  return `${mutant.file}:${mutant.line}  ${short(mutant.before)}  →  ${short(mutant.text) || "(removed)"}`;
}
