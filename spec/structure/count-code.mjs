// Counts the lines of TypeScript that hold code: neither blank nor made of comments only. Fails on lines of more than 120 columns.
//   node spec/structure/count-code.mjs [DIR | FILE …]     without an argument: src
import { readFileSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import ts from "typescript";

const LONGEST = 120;
const given = process.argv.length > 2 ? process.argv.slice(2) : ["src"];
const files = given
  .flatMap((path) =>
    statSync(path).isDirectory()
      ? readdirSync(path, { recursive: true }).map((name) => join(path, name))
      : [path],
  )
  .filter((name) => name.endsWith(".ts") && !name.includes("node_modules"));

/** Returns the numbers of the lines that hold a token. */
function codeLines(file, text) {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const lines = new Set();
  const visit = (node) => {
    if (ts.isJSDoc(node)) return;
    const children = node.getChildren(source);
    if (children.length > 0) return children.forEach(visit);
    if (node.getEnd() === node.getStart(source)) return;
    const from = source.getLineAndCharacterOfPosition(node.getStart(source)).line;
    const to = source.getLineAndCharacterOfPosition(node.getEnd()).line;
    for (let line = from; line <= to; line++) lines.add(line);
  };
  visit(source);
  return lines.size;
}

let code = 0;
let all = 0;
const long = [];
for (const file of files) {
  const text = readFileSync(file, "utf8");
  const lines = text.split("\n");
  code += codeLines(file, text);
  all += lines.length - 1;
  lines.forEach((line, index) => {
    if (line.length > LONGEST) long.push(`${file}:${index + 1} has ${line.length} columns`);
  });
}

for (const one of long) console.log(one);
console.log(
  `${code} lines of code, ${all} lines in ${files.length} files, ${long.length} longer than ${LONGEST} columns`,
);
process.exitCode = long.length === 0 ? 0 : 1;
