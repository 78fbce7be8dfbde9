import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";

const root = join(__dirname, "../..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");

/** The guides of the entry points that have several, or whose report is not named like their folder. */
const GUIDES: Readonly<Record<string, readonly string[]>> = {
  cqrx: ["README.md", "src/core/README.md", "src/reactive/README.md"],
  "inspector-browser": ["src/inspector/browser/README.md"],
};

const entryPoints = readdirSync(join(root, "spec/api")).map((report) => report.replace(/\.api\.md$/, ""));

/** A name is declared where it is exported, or exported as another than its declaration has: `event_2 as event`. */
const EXPORT = /^export (?:(?:abstract )?(?:class|const|function|interface|type) (\w+)|\{ \w+ as (\w+) \})/;

/** Returns the names that a report exports; of a line that is not understood it returns the line. */
function namesIn(report: string): string[] {
  const lines = report.match(/^export .*/gm) ?? [];
  const names = lines.map((line) => {
    const [, declared, renamed] = EXPORT.exec(line) ?? [];
    return declared ?? renamed ?? line;
  });
  return [...new Set(names)];
}

/** Returns the words that a guide sets in code, except for those of its snippets, because an import explains nothing. */
function wordsOf(guide: string): ReadonlySet<string> {
  const text = guide.replace(/^```[^]*?^```$/gm, "");
  return new Set([...text.matchAll(/`([^`\n]+)`/g)].flatMap(([, code]) => code!.match(/\w+/g) ?? []));
}

describe("every public name is explained in a guide of its entry point", () => {
  it.each(entryPoints)("%s", (entryPoint) => {
    const guides = GUIDES[entryPoint] ?? [`src/${entryPoint}/README.md`];
    const words = wordsOf(guides.map(read).join("\n"));
    expect(namesIn(read(`spec/api/${entryPoint}.api.md`)).filter((name) => !words.has(name))).toEqual([]);
  });
});

describe("the check of the guides", () => {
  it("knows all names of a report, renamed ones and constants, too", () => {
    expect(namesIn(read("spec/api/cqrx.api.md"))).toEqual(
      expect.arrayContaining(["around", "Bus", "Envelope", "event", "Headers", "MessageType", "query"]),
    );
    expect(namesIn("export const A: B;\nexport enum C {\n}")).toEqual(["A", "export enum C {"]);
  });

  it("counts a name in code outside of the snippets only", () => {
    const guide = "Next, `Response` of\n\n```ts\nconst a: Before = `A`;\n```\n\n`after(Type, { all: true })`";
    expect([...wordsOf(guide)]).toEqual(["Response", "after", "Type", "all", "true"]);
  });
});
