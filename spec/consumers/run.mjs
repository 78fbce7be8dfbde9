// Uses the package as its users do: packed, installed into projects outside this repository, and run there.
// Folders with a package.json are projects whose tools, such as runtimes and compilers, their lock file fixes.
//   node spec/consumers/run.mjs [package.tgz [TEXT]]     without an argument the package is built and packed first;
//                                                        TEXT chooses projects by a part of their name
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = fileURLToPath(new URL(".", import.meta.url));
const repository = join(here, "../..");
const { devDependencies } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
const temp = mkdtempSync(join(tmpdir(), "cqrx-consumers-"));

/** The most bytes that each import may cost an application: minified, compressed by gzip -9, without rxjs and the peers. */
const sizeLimits = [
  ["CommandBus alone", 'export { CommandBus } from "cqrx";', 17_200],
  ["CommandBus alone, for Node", 'export { CommandBus } from "cqrx";', 17_200, "node"],
  ["cqrx", 'export * from "cqrx";', 31_800],
  ["cqrx/middleware", 'export * from "cqrx/middleware";', 19_000],
  ["cqrx/pino", 'export * from "cqrx/pino";', 12_000],
  ["cqrx/postgres", 'export * from "cqrx/postgres";', 23_000, "node"],
  ["cqrx/opentelemetry", 'export * from "cqrx/opentelemetry";', 11_600],
  ["cqrx/transport", 'export * from "cqrx/transport";', 20_500],
  ["cqrx/nats", 'export * from "cqrx/nats";', 9_000],
  ["cqrx/inspector", 'export * from "cqrx/inspector";', 32_000],
  ["cqrx/http", 'export * from "cqrx/http";', 3_700],
  ["cqrx/testing", 'export * from "cqrx/testing";', 19_600],
];
const nodeVersions = ["20.19.0", "22", "24"];
/** The configurations by version of TypeScript, which has no node10 any more in its version 7. */
const compilers = {
  5.4: ["nodenext", "bundler", "node10", "pino", "schemas", "decorators", "legacy-decorators"],
  6: ["nodenext", "bundler", "node10", "nats", "schemas", "decorators", "legacy-decorators"],
  7: ["nodenext", "bundler", "pino", "nats", "schemas", "decorators", "legacy-decorators"],
};
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Runs a program to its end; rejects with everything it wrote when it fails. */
async function run(command, args, cwd) {
  const env = { ...process.env, NO_COLOR: "1" };
  delete env.FORCE_COLOR;
  const child = spawn(command, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"], timeout: 300_000 });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}\n${output}`);
  return output;
}

/** Makes a project outside the repository: copies the folders and installs the tarball and its dependencies. */
async function project(name, folders, dependencies = {}) {
  const folder = join(temp, name);
  mkdirSync(folder);
  for (const each of folders) cpSync(join(here, each), join(folder, each), { recursive: true });
  const manifest = {
    private: true,
    dependencies: { cqrx: `file:${tarball}`, rxjs: devDependencies.rxjs, ...dependencies },
  };
  writeFileSync(join(folder, "package.json"), JSON.stringify(manifest));
  await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", "--no-package-lock"], folder);
  return folder;
}

/** Makes a project of a folder that has a lock file, with other folders beside it. */
async function lockedProject(name, others = []) {
  const folder = join(temp, name);
  for (const each of [name, ...others])
    cpSync(join(here, each), join(folder, each), {
      recursive: true,
      filter: (path) => !path.includes("node_modules"),
    });
  for (const file of ["package.json", "package-lock.json"])
    cpSync(join(here, name, file), join(folder, file));
  await run("npm", ["ci", "--no-audit", "--no-fund", "--prefer-offline"], folder);
  await unpack(join(folder, "node_modules/cqrx"));
  return folder;
}

/** Unpacks the package into the folder that npm would install it to. */
async function unpack(folder) {
  mkdirSync(folder, { recursive: true });
  await run("tar", ["-xzf", tarball, "-C", folder, "--strip-components=1"], temp);
}

/** Runs a script with a Node version taken from the npm package `node`, or with this one. */
function runScript(folder, script, version) {
  return version === undefined
    ? run(process.execPath, [script], folder)
    : run("npx", ["--yes", "--prefer-offline", "--package", `node@${version}`, "--", "node", script], folder);
}

/** Bundles a program with everything that it imports, for a platform of esbuild. */
async function bundle(folder, entryPoint, outfile, options = {}) {
  const { build } = await import("esbuild");
  await build({
    absWorkingDir: folder,
    entryPoints: [entryPoint],
    outfile: join(folder, outfile),
    bundle: true,
    format: "esm",
    platform: "browser",
    logLevel: "silent",
    ...options,
  });
}

/** A bundle of both formats holds one copy, also for a bundler that targets a browser. */
async function bundleBoth(folder) {
  for (const platform of ["browser", "node"]) {
    await bundle(folder, "mixed/bundled.mjs", `mixed/${platform}.mjs`, { platform });
    assert.match(await run(process.execPath, [`mixed/${platform}.mjs`], folder), /^done/);
  }
}

/** Adds a copy in a bundle, and another installed version, neither of which the exports of the package can avoid. */
async function runCopies(folder) {
  await bundle(folder, "copies/dependency.mjs", "copies/bundled.mjs");
  const installed = join(folder, "copies/installed");
  await unpack(join(installed, "node_modules/cqrx"));
  cpSync(join(folder, "copies/dependency.mjs"), join(installed, "main.mjs"));
  const file = join(installed, "node_modules/cqrx/dist/cjs/core/util/copy.js");
  writeFileSync(file, readFileSync(file, "utf8").replace(/version: "[^"]+"/, 'version: "99.0.0"'));
  assert.match(await run(process.execPath, ["copies/main.mjs"], folder), /^done/);
}

async function openInBrowser(folder) {
  const { chromium: browserType } = await import("playwright-core");
  await bundle(folder, "browser/main.mjs", "browser/bundle.js");
  const files = { "/": ["index.html", "text/html"], "/bundle.js": ["bundle.js", "text/javascript"] };
  const server = createServer((request, response) => {
    const [file, type] = files[request.url] ?? [];
    if (file === undefined) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": type }).end(readFileSync(join(folder, "browser", file)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const args =
    "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync";
  const browser = await browserType.launch({ executablePath: chromium, args: args.split(" ") });
  try {
    const page = await browser.newPage();
    const errors = [];
    page.on("pageerror", (error) => errors.push(error));
    page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page
      .waitForFunction(() => globalThis.answer !== undefined, null, { timeout: 10_000 })
      .catch((error) => {
        throw errors[0] ?? error;
      });
    assert.deepEqual(await page.evaluate(() => globalThis.answer), {
      changedAtOnce: true,
      email: "x@y.com",
      outcomes: ["CreateUser fulfilled"],
      name: "CommandBus",
    });
    assert.deepEqual(errors, []);
    return `Chromium ${browser.version()}`;
  } finally {
    await browser.close();
    server.close();
  }
}

async function measure(folder, contents, limit, platform = "browser") {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: folder,
    stdin: { contents, resolveDir: folder },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    platform,
    external: ["rxjs", "pino", "@opentelemetry/api", "@nats-io/*", "node:*"],
    write: false,
    logLevel: "silent",
  });
  const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  assert.ok(bytes <= limit, `${bytes} bytes, ${bytes - limit} more than the limit of ${limit}`);
  return `${bytes} of ${limit} bytes`;
}

let passed = 0;
let failed = 0;

/** One check, one line. */
async function check(name, body) {
  const start = performance.now();
  try {
    const remark = await body();
    passed++;
    console.log(`ok    ${name}${remark ? `: ${remark}` : ""} (${Math.round(performance.now() - start)} ms)`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}\n${String(error?.message ?? error).replace(/^/gm, "      ")}`);
  }
}

/** A project and its checks; when the project cannot be installed, every check of it fails. */
async function group(name, install, checks) {
  if (!name.includes(process.argv[3] ?? "")) return;
  console.log(`...   installing ${name}`);
  const folder = install();
  folder.catch(() => {});
  for (const [title, body] of Object.entries(checks)) await check(title, async () => body(await folder));
}

/** Runs the tasks, two at a time. */
async function inPairs(tasks) {
  const worker = async () => {
    for (let task; (task = tasks.shift()) !== undefined;) await task();
  };
  await Promise.all([worker(), worker()]);
}

let tarball = process.argv[2] && resolve(process.argv[2]);

async function main() {
  if (tarball === undefined) {
    console.log("...   building and packing");
    await run("npm", ["pack", "--pack-destination", temp], repository);
    tarball = join(
      temp,
      readdirSync(temp).find((file) => file.endsWith(".tgz")),
    );
  }

  const scripts = { "ES module": "esm/main.mjs", CommonJS: "cjs/main.cjs", "both formats": "mixed/main.mjs" };
  const onNode = {};
  for (const version of [undefined, ...nodeVersions]) {
    for (const [title, script] of Object.entries(scripts)) {
      const node = version === undefined ? `this Node, ${process.version}` : `Node ${version}`;
      onNode[`${title} on ${node}`] = async (folder) => {
        const output = await runScript(folder, script, version);
        assert.ok(
          output.includes(`done on ${version === undefined ? process.version : `v${version}`}`),
          output,
        );
      };
    }
  }

  const onCompilers = {};
  for (const [version, configs] of Object.entries(compilers)) {
    const warned = version === "6" ? ["--ignoreDeprecations", "6.0"] : [];
    for (const config of configs) {
      onCompilers[`types with TypeScript ${version}, ${config}`] = async (folder) => {
        const tsc = join("node_modules", `typescript-${version}`, "bin/tsc");
        const flags = config === "node10" ? warned : [];
        await run(process.execPath, [tsc, "-p", `types/tsconfig.${config}.json`, ...flags], folder);
      };
    }
  }

  const program = (runtime, args, script) => async (folder) => {
    const output = await run(join(folder, "node_modules/.bin", runtime), [...args, script], folder);
    assert.match(output, /^done on .+$/m);
  };
  const deno = ["run", "--allow-all", "--node-modules-dir=manual"];
  const onRuntimes = {
    "TypeScript on Node 24, types stripped": async (folder) =>
      assert.match(await runScript(folder, "runtimes/main.ts", "24"), /done on Node 24/),
    "TypeScript on Bun": program("bun", ["--bun"], "runtimes/main.ts"),
    "both formats on Bun": program("bun", ["--bun"], "mixed/main.mjs"),
    "TypeScript on Deno, checked": program("deno", [...deno, "--check"], "runtimes/main.ts"),
    "both formats on Deno": program("deno", deno, "mixed/main.mjs"),
    "a worker on workerd": async (folder) => {
      await bundle(folder, "runtimes/worker.mjs", "runtimes/bundle.js", {
        conditions: ["workerd", "worker"],
      });
      const workerd = join(folder, "node_modules/.bin/workerd");
      assert.match(await run(workerd, ["test", "runtimes/workerd.capnp"], folder), /done on workerd/);
    },
  };

  const vitest =
    (...args) =>
    async (folder) => {
      const bin = join(folder, "node_modules/vitest/vitest.mjs");
      assert.match(
        await run(process.execPath, [bin, "run", ...args], join(folder, "vitest")),
        /Tests +\d+ passed( \| 1 todo)? \(/,
      );
    };

  const sizes = Object.fromEntries(
    sizeLimits.map(([name, contents, ...limits]) => [
      `size of ${name}`,
      (folder) => measure(folder, contents, ...limits),
    ]),
  );

  const peers = {};
  for (const name of ["pino", "@opentelemetry/api"]) peers[name] = devDependencies[name];
  const { typescript, jest } = devDependencies;
  const jestProject = { typescript, jest };
  for (const name of ["ts-jest", "@jest/globals", "@types/node"]) jestProject[name] = devDependencies[name];

  await inPairs([
    () =>
      group(
        "a plain project",
        () => project("plain", ["esm", "cjs", "mixed", "copies", "threads", "browser"], peers),
        {
          ...onNode,
          "both formats under tsx": async (folder) => {
            const tsx = join(repository, "node_modules/tsx/dist/cli.mjs");
            assert.match(await run(process.execPath, [tsx, "mixed/main.mjs"], folder), /^done/);
          },
          "the transport suite under node:test": async (folder) =>
            assert.match(await run(process.execPath, ["--test", "esm/transport.mjs"], folder), /# fail 0/),
          "worker threads": async (folder) =>
            assert.match(await run(process.execPath, ["threads/main.mjs"], folder), /^done/),
          "two versions, and a copy in a bundle": runCopies,
          "both formats in one bundle": bundleBoth,
          "esbuild bundle in a browser": openInBrowser,
          ...sizes,
        },
      ),
    () =>
      group("a Jest project", () => project("jest", ["jest"], jestProject), {
        "Jest with ts-jest, CommonJS": async (folder) => {
          const bin = join(folder, "node_modules/jest/bin/jest.js");
          assert.match(
            await run(process.execPath, [bin, "--ci"], join(folder, "jest")),
            /Tests: +2 passed, 2 total/,
          );
        },
        "Jest, ES modules": async (folder) => {
          const bin = join(folder, "node_modules/jest/bin/jest.js");
          const args = ["--experimental-vm-modules", bin, "--ci", "--config", "jest.esm.config.mjs"];
          assert.match(await run(process.execPath, args, join(folder, "jest")), /Tests: +1 passed, 1 total/);
        },
      }),
    () => group("compilers", () => lockedProject("types"), onCompilers),
    () => group("runtimes", () => lockedProject("runtimes", ["mixed"]), onRuntimes),
    () =>
      group("a Vitest project", () => lockedProject("vitest"), {
        Vitest: vitest(),
        "Vitest, the package inlined": vitest("--config", "vitest.inline.config.ts"),
      }),
  ]);
}

try {
  await main();
} catch (error) {
  failed++;
  console.log(`FAIL  ${error.message}`);
} finally {
  rmSync(temp, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
