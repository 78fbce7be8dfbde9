/** One module of the README: a block with imports, and the blocks without any that continue it. */
export interface Snippet {
  readonly name: string;
  readonly code: string;
  /** What it prints, by the comments `// → text`, in any order. */
  readonly expected: readonly string[];
}

/** The TypeScript blocks of a Markdown text as modules that can be compiled and run. */
export function snippetsOf(markdown: string): readonly Snippet[] {
  const modules: { name: string; code: string }[] = [];
  let heading = "";
  for (const [, title, code] of markdown.matchAll(/^#+ (.+)$|^```ts\n([\s\S]*?)^```$/gm)) {
    if (title !== undefined) heading = title;
    else if (/^import /m.test(code!)) modules.push({ name: heading, code: code! });
    else modules.at(-1)!.code += code!;
  }
  return modules.map(({ name, code }) => ({
    name,
    code,
    expected: [...code.matchAll(/\/\/ → (.+)$/gm)].flatMap(([, comment]) => comment!.split(" → ")),
  }));
}
