// `npm run example 01` runs examples/01-*.ts, `npm run example react` starts the application examples/react, and
// without an argument it lists both. Arguments after the name are passed on: `npm run example react -- --port 4000`.
import { existsSync, readdirSync } from "node:fs";
import { install, start } from "./example-app.mjs";

const folder = new URL("../examples/", import.meta.url);
const programs = readdirSync(folder).filter((name) => /^\d.*\.ts$/.test(name));
const apps = readdirSync(folder).filter((name) => existsSync(new URL(`${name}/package.json`, folder)));
// Applications that need nothing but the development dependencies.
const mains = readdirSync(folder).filter(
  (name) => !apps.includes(name) && existsSync(new URL(`${name}/main.ts`, folder)),
);

const [name, ...rest] = process.argv.slice(2);
const program = programs.find((each) => name !== undefined && each.startsWith(name.padStart(2, "0")));

if (apps.includes(name)) {
  const app = new URL(`${name}/`, folder);
  await install(app);
  if (!rest.includes("--install-only")) start(app, rest);
} else if (mains.includes(name)) {
  await import(new URL(`${name}/main.ts`, folder).href);
} else if (program !== undefined) {
  const { main } = await import(new URL(program, folder).href);
  await main(console.log);
} else {
  const list = [...programs, ...[...mains, ...apps].sort().map((app) => `${app}/`)];
  console.log(`Usage: npm run example <number or name>\n\n${list.map((each) => `  ${each}`).join("\n")}`);
  if (name !== undefined) process.exitCode = 1;
}
