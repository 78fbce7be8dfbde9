// Uses the package as its users do: packed, installed into projects outside this repository, and run there.
//   node spec/consumers/run.mjs [package.tgz]     without an argument the package is built and packed first
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
  ["CommandBus alone", 'export { CommandBus } from "cqrx";', 15_500],
  ["cqrx", 'export * from "cqrx";', 27_000],
  ["cqrx/middleware", 'export * from "cqrx/middleware";', 18_000],
  ["cqrx/pino", 'export * from "cqrx/pino";', 11_500],
  ["cqrx/opentelemetry", 'export * from "cqrx/opentelemetry";', 11_000],
  ["cqrx/testing", 'export * from "cqrx/testing";', 14_500],
];
const nodeVersions = ["20.19.0", "22", "24"];
const compilers = { "TypeScript 5.4": "typescript-oldest", "TypeScript 7": "typescript-newest" };
const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Runs a program to its end; rejects with everything it wrote when it fails. */
async function run(command, args, cwd) {
  const child = spawn(command, args, { cwd, stdio: ["ignore", "pipe", "pipe"], timeout: 300_000 });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${command} ${args.join(" ")} ended with ${code}\n${output}`);
  return output;
}

/** Makes a project outside the repository: copies the folders and installs the tarball and what else it needs. */
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

/** Runs a script with a Node version taken from the npm package `node`, or with this one. */
function runScript(folder, script, version) {
  return version === undefined
    ? run(process.execPath, [script], folder)
    : run("npx", ["--yes", "--prefer-offline", "--package", `node@${version}`, "--", "node", script], folder);
}

async function openInBrowser(folder) {
  const { build } = await import("esbuild");
  const { chromium: browserType } = await import("playwright-core");
  await build({
    absWorkingDir: folder,
    entryPoints: ["browser/main.mjs"],
    outfile: join(folder, "browser/bundle.js"),
    bundle: true,
    format: "esm",
    platform: "browser",
    logLevel: "silent",
  });
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

async function measure(folder, contents, limit) {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    absWorkingDir: folder,
    stdin: { contents, resolveDir: folder },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    external: ["rxjs", "pino", "@opentelemetry/api", "node:*"],
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
  for (const [title, compiler] of Object.entries(compilers)) {
    for (const config of ["nodenext", "bundler", "pino", "schemas"]) {
      onCompilers[`types with ${title}, ${config}`] = async (folder) => {
        const tsc = join("node_modules", compiler, "bin/tsc");
        await run(process.execPath, [tsc, "-p", `types/tsconfig.${config}.json`], folder);
      };
    }
  }

  const sizes = Object.fromEntries(
    sizeLimits.map(([name, contents, limit]) => [
      `size of ${name}`,
      (folder) => measure(folder, contents, limit),
    ]),
  );

  const peers = {};
  for (const name of ["pino", "@opentelemetry/api"]) peers[name] = devDependencies[name];
  const { typescript, jest } = devDependencies;
  const jestProject = { typescript, jest };
  for (const name of ["ts-jest", "@jest/globals", "@types/node"]) jestProject[name] = devDependencies[name];

  await inPairs([
    () =>
      group("a plain project", () => project("plain", ["esm", "cjs", "mixed", "browser"], peers), {
        ...onNode,
        "esbuild bundle in a browser": openInBrowser,
        ...sizes,
      }),
    () =>
      group("a Jest project", () => project("jest", ["jest"], jestProject), {
        "Jest with ts-jest, CommonJS": async (folder) => {
          const bin = join(folder, "node_modules/jest/bin/jest.js");
          assert.match(
            await run(process.execPath, [bin, "--ci"], join(folder, "jest")),
            /Tests: +1 passed, 1 total/,
          );
        },
      }),
    () =>
      group(
        "compilers",
        () =>
          project("types", ["types"], {
            ...peers,
            "@types/node": devDependencies["@types/node"],
            arktype: devDependencies.arktype,
            valibot: devDependencies.valibot,
            zod: devDependencies.zod,
            "typescript-oldest": "npm:typescript@5.4",
            "typescript-newest": "npm:typescript@7",
          }),
        onCompilers,
      ),
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
