// `npm run example 01` runs examples/01-*.ts; without a number it lists what there is.
import { readdirSync } from "node:fs";

const folder = new URL("../examples/", import.meta.url);
const examples = readdirSync(folder).filter((name) => /^\d.*\.ts$/.test(name));
const wanted = process.argv[2]?.padStart(2, "0");
const found = examples.find((name) => wanted !== undefined && name.startsWith(wanted));

if (found === undefined) {
  console.log(`Usage: npm run example <number>\n\n${examples.map((name) => `  ${name}`).join("\n")}`);
  if (wanted !== undefined) process.exitCode = 1;
} else {
  const { main } = await import(new URL(found, folder).href);
  await main(console.log);
}
