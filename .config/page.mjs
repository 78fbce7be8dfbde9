// Bundles the script of the inspector's page: src/inspector/page/main.ts and all that it imports, in one text. Run as a program, it prints the text.
import { createHash } from "node:crypto";
import { fileURLToPath } from "node:url";
import { buildSync } from "esbuild";

export function pageText() {
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
  return outputFiles[0].text;
}

/** Returns the text of the module that takes the place of src/inspector/page-script.ts in the package. */
export function pageModule(format) {
  const text = pageText();
  const hash = createHash("sha256").update(text).digest("base64");
  const script = `const script = { text: ${JSON.stringify(text)}, hash: ${JSON.stringify(hash)} };\n`;
  return format === "esm"
    ? `${script}export function pageScript() {\n  return script;\n}\n`
    : `"use strict";\n${script}exports.pageScript = function () {\n  return script;\n};\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.stdout.write(pageText());
