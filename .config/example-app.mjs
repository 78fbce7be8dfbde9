// Installs and starts an application below examples/ that has a package.json of its own.
import { spawn, spawnSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = new URL("../", import.meta.url);

/** Installs what is missing: the packages of the lock file, and cqrx as it is in this clone. */
export async function install(app) {
  const copy = new URL("node_modules/cqrx/", app);
  const built = changedAt(new URL("dist/", root));
  if (built <= changedAt(new URL("src/", root))) {
    console.log("Building cqrx ...");
    run("node", [".config/build.mjs"], root);
  }
  if (!existsSync(new URL("package.json", copy))) {
    console.log("Installing what the example needs, once; this takes up to a minute ...");
    run("npm", ["ci", "--prefer-offline", "--no-audit", "--no-fund", "--loglevel=error"], app);
  } else if (changedAt(new URL("dist/", copy)) < changedAt(new URL("dist/", root))) {
    cpSync(new URL("dist/", root), new URL("dist/", copy), { recursive: true });
    cpSync(new URL("package.json", root), new URL("package.json", copy));
  }
}

/** Runs the start script until it ends or is interrupted. */
export function start(app, args) {
  const child = spawn("npm", ["start", "--silent", "--", ...args], settings(app));
  // The terminal sends Ctrl+C to the child, too; this process ends after it.
  process.on("SIGINT", () => undefined);
  child.on("exit", (code) => (process.exitCode = code ?? 0));
}

function run(command, args, cwd) {
  const { status } = spawnSync(command, args, settings(cwd));
  if (status !== 0) process.exit(status ?? 1);
}

function settings(cwd) {
  // On Windows, npm is a script that only a shell can start.
  return { cwd: fileURLToPath(cwd), stdio: "inherit", shell: process.platform === "win32" };
}

/** Returns the time of the latest change below a folder; 0 if it does not exist. */
function changedAt(folder) {
  if (!existsSync(folder)) return 0;
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return Math.max(...files.map((file) => statSync(new URL(file, folder)).mtimeMs));
}
