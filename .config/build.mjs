// Builds dist/esm and dist/cjs from the same sources by running tsc twice, and dist/node, one line for each entry point.
import { spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { pageModule } from "./page.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

const compile = (format) =>
  new Promise((done) => {
    const args = [tsc, "-p", `.config/tsconfig.${format}.json`];
    spawn(process.execPath, args, { cwd: root, stdio: "inherit" }).on("close", done);
  });

function write(file, text) {
  mkdirSync(`${root}/${dirname(file)}`, { recursive: true });
  writeFileSync(`${root}/${file}`, text);
}

/** On Node, `import` loads what `require` loads, because two copies of the library in one process would not know each other. */
function writeNodeEntryPoints() {
  const { exports } = JSON.parse(readFileSync(`${root}/package.json`, "utf8"));
  for (const { node } of Object.values(exports)) {
    if (node === undefined) continue;
    for (const file of Object.values(node.import))
      write(file, `export * from "${relative(dirname(file), node.default.default)}";\n`);
  }
}

rmSync(`${root}/dist`, { recursive: true, force: true });
// The package is "type": "module"; this tells Node that the second copy is not.
write("dist/cjs/package.json", '{ "type": "commonjs", "sideEffects": false }\n');
writeNodeEntryPoints();

const codes = await Promise.all([compile("esm"), compile("cjs")]);
if (codes.some((code) => code !== 0)) process.exitCode = 1;
// The page of the inspector is served as text, so that no file is read at run time.
for (const format of ["esm", "cjs"]) write(`dist/${format}/inspector/page-script.js`, pageModule(format));
