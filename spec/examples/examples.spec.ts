import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import type { Print } from "../../examples/support/run.js";

// UPDATE_EXPECTED=1 npx jest spec/examples/examples.spec.ts writes the present output of the examples.
const updating = process.env["UPDATE_EXPECTED"] === "1";
const folder = join(__dirname, "../../examples");
const examples = namesIn(folder, ".ts");

function namesIn(path: string, extension: string): string[] {
  return readdirSync(path)
    .filter((file) => file.endsWith(extension))
    .map((file) => file.slice(0, -extension.length));
}

async function printedBy(name: string): Promise<string> {
  const { main } = (await import(join(folder, name))) as { main(print: Print): Promise<void> };
  const lines: string[] = [];
  await main((line) => lines.push(line));
  return lines.map((line) => `${line}\n`).join("");
}

describe.each(examples)("%s", (name) => {
  const source = readFileSync(join(folder, `${name}.ts`), "utf8");

  it("prints the expected output", async () => {
    const printed = await printedBy(name);
    const path = join(folder, "expected", `${name}.txt`);
    if (updating) {
      mkdirSync(join(folder, "expected"), { recursive: true });
      writeFileSync(path, printed);
    }
    expect(printed).toBe(existsSync(path) ? readFileSync(path, "utf8") : `nothing: ${path} does not exist`);
    expect(printed).not.toBe("");
  });

  it("has at most 80 lines, with its head and its start in place", () => {
    const lines = source.trimEnd().split("\n");
    expect(lines.length).toBeLessThanOrEqual(80);
    expect(lines.slice(0, 4)).toEqual([
      expect.stringMatching(/^\/\/ [A-Za-z]/),
      `// Run: npm run example ${name.slice(0, 2)}`,
      expect.stringMatching(/^\/\/ Look at: ./),
      expect.stringMatching(/^import /),
    ]);
    expect(lines.at(-1)).toBe(`runWhenStarted("${name}.ts", main);`);
  });

  it("imports the library as its users do", () => {
    const imported = [...source.matchAll(/from "([^"]+)"/g)].map(([, path]) => path!);
    expect(imported.filter((path) => path.startsWith(".") && path !== "./support/run.js")).toEqual([]);
  });
});

describe("the examples", () => {
  it("are numbered without a gap, by two digits", () => {
    expect(examples.map((name) => name.slice(0, 3))).toEqual(
      examples.map((_, index) => `${String(index + 1).padStart(2, "0")}-`),
    );
  });

  it("leave no expected output without an example", () => {
    expect(namesIn(join(folder, "expected"), ".txt")).toEqual(examples);
  });
});
