import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "node:util";
import { describe, expect, it } from "@jest/globals";
import ts from "typescript";
import { snippetsOf, type Snippet } from "./snippets.js";

const root = join(__dirname, "../..");
const snippets = snippetsOf(readFileSync(join(root, "README.md"), "utf8"));

describe("the README", () => {
  it("has snippets", () => expect(snippets.length).toBeGreaterThan(5));

  it.each(snippets.map((snippet, index) => [`${index + 1} (${snippet.name})`, snippet] as const))(
    "prints what snippet %s says",
    async (_, snippet) => expect((await run(snippet)).sort()).toEqual([...snippet.expected].sort()),
  );

  it("shows a first result in at most 12 lines and the first audited outcome in 5 more", () => {
    const [first, audited] = readFileSync(join(root, "README.md"), "utf8").matchAll(
      /^```ts\n([\s\S]*?)^```$/gm,
    );
    const lines = (block: RegExpMatchArray | undefined): number =>
      block![1]!.split("\n").filter((line) => line !== "").length;
    expect(lines(first)).toBeLessThanOrEqual(12);
    expect(lines(audited)).toBeLessThanOrEqual(5);
  });

  it("is a door: at most 220 lines and 12 kB", () => {
    const text = readFileSync(join(root, "README.md"), "utf8");
    expect(text.split("\n").length - 1).toBeLessThanOrEqual(220);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(12_000);
  });

  it("has snippets that compile", () => expect(problemsIn(snippets)).toEqual([]), 120_000);
});

async function run({ code }: Snippet): Promise<string[]> {
  const { outputText } = ts.transpileModule(code, {
    compilerOptions: {
      module: ts.ModuleKind.CommonJS,
      target: ts.ScriptTarget.ES2022,
      esModuleInterop: true,
    },
  });
  const printed: string[] = [];
  const console = { log: (...values: unknown[]) => printed.push(format(...values)), error: () => undefined };
  const AsyncFunction = (async () => undefined).constructor as new (
    ...args: string[]
  ) => (...values: unknown[]) => Promise<void>;
  await new AsyncFunction("require", "exports", "console", outputText)(require, {}, console);
  await new Promise(setImmediate); // a snippet that calls its main() does not wait for it
  return printed;
}

function problemsIn(snippets: readonly Snippet[]): string[] {
  const { config } = ts.readConfigFile(join(root, "tsconfig.json"), (path) => ts.sys.readFile(path)) as {
    config: unknown;
  };
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, root);
  // Node removes types and compiles nothing, so a snippet has no parameter properties.
  const options: ts.CompilerOptions = {
    ...parsed.options,
    erasableSyntaxOnly: true,
    noUnusedLocals: false,
    noUnusedParameters: false,
  };
  const files = new Map(
    snippets.map(({ code }, index) => [join(root, `spec/docs/readme-${index + 1}.ts`), code]),
  );
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => files.has(path) || fileExists.call(host, path);
  host.readFile = (path) => files.get(path) ?? readFile.call(host, path);
  host.getSourceFile = (path, ...rest) => {
    const code = files.get(path);
    return code === undefined
      ? getSourceFile.call(host, path, ...rest)
      : ts.createSourceFile(path, code, rest[0], true);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  return [...files.keys()]
    .flatMap((path) => ts.getPreEmitDiagnostics(program, program.getSourceFile(path)))
    .map(
      ({ file, messageText }) =>
        `${file?.fileName.split("/").at(-1) ?? ""}: ${ts.flattenDiagnosticMessageText(messageText, "\n")}`,
    );
}
