// Prints the script of the inspector's page: src/inspector/page/main.ts and all that it imports, in one text.
import { buildSync } from "esbuild";
import { fileURLToPath } from "node:url";

const { outputFiles } = buildSync({
  entryPoints: [fileURLToPath(new URL("../src/inspector/page/main.ts", import.meta.url))],
  bundle: true,
  minify: true,
  write: false,
  format: "iife",
  target: "es2022",
  charset: "utf8",
  legalComments: "none",
});
process.stdout.write(outputFiles[0].text);
