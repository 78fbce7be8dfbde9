// Builds dist/esm and dist/cjs from the same sources by running tsc twice.
import { spawn } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const tsc = fileURLToPath(new URL("../node_modules/typescript/bin/tsc", import.meta.url));

const compile = (format) =>
  new Promise((done) => {
    const args = [tsc, "-p", `.config/tsconfig.${format}.json`];
    spawn(process.execPath, args, { cwd: root, stdio: "inherit" }).on("close", done);
  });

rmSync(`${root}/dist`, { recursive: true, force: true });
// The package is "type": "module"; this tells Node that the second copy is not.
mkdirSync(`${root}/dist/cjs`, { recursive: true });
writeFileSync(`${root}/dist/cjs/package.json`, '{ "type": "commonjs", "sideEffects": false }\n');

const codes = await Promise.all([compile("esm"), compile("cjs")]);
if (codes.some((code) => code !== 0)) process.exitCode = 1;
