import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** One module of a document: a block with imports, and the blocks without any that continue it. */
export interface Snippet {
  readonly name: string;
  readonly code: string;
  /** The lines that it prints, by the comments `// → text`, in any order. */
  readonly expected: readonly string[];
}

const root = join(__dirname, "../..");
/** Reports that tools write, such as those of the public API, are not meant to run. */
const DOCUMENT = /\/README\.md$|^(examples|\.github)\/.*\.md$/;
const NOT_OURS = /(^|\/)(node_modules|dist)\//;

/** Lists every Markdown document of the repository whose snippets must compile and run, relative to the root. */
export function documents(): readonly string[] {
  const below = ["src", "examples", ".github", "spec"].flatMap((folder) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder), { recursive: true, encoding: "utf8" }).map(
          (path) => `${folder}/${path.replaceAll("\\", "/")}`,
        )
      : [],
  );
  return ["README.md", ...below.filter((path) => DOCUMENT.test(path) && !NOT_OURS.test(path)).sort()];
}

/** Returns the TypeScript blocks of a document as modules that can be compiled and run. */
export function snippetsIn(document: string): readonly Snippet[] {
  const modules: { name: string; code: string }[] = [];
  let heading = document;
  const markdown = readFileSync(join(root, document), "utf8");
  for (const [, title, code] of markdown.matchAll(/^#+ (.+)$|^```ts\n([\s\S]*?)^```$/gm)) {
    const last = modules.at(-1);
    if (title !== undefined) heading = title;
    else if (last === undefined || /^import /m.test(code!)) modules.push({ name: heading, code: code! });
    else last.code += code!;
  }
  return modules.map(({ name, code }, index) => ({
    name: `${index + 1} (${name})`,
    code,
    expected: [...code.matchAll(/\/\/ → (.+)$/gm)].flatMap(([, comment]) => comment!.split(" → ")),
  }));
}
