import { dirname, join, relative } from "node:path";
import { beforeAll, describe, expect, it } from "@jest/globals";
import ts from "typescript";
import { documents, snippetsIn } from "../docs/snippets.js";

const configFile = ts.findConfigFile(__dirname, (path) => ts.sys.fileExists(path))!;
const root = dirname(configFile);
const claims = ts.sys.readDirectory(__dirname, [".ts"], ["*.spec.ts"], ["*.ts"]);

/** The snippets of each document as files that exist in memory only. */
const snippets = new Map(
  documents().map((document) => [
    document,
    new Map(
      snippetsIn(document).map(({ code }, index) => [
        join(root, "spec/docs", `${document.replaceAll("/", "-")}-${index + 1}.ts`),
        code,
      ]),
    ),
  ]),
);
const virtual = new Map([...snippets.values()].flatMap((files) => [...files]));

/** One program for everything, because building it takes most of the time. */
let program: ts.Program;

beforeAll(() => {
  const { config } = ts.readConfigFile(configFile, (path) => ts.sys.readFile(path)) as { config: unknown };
  const parsed = ts.parseJsonConfigFileContent(config, ts.sys, root);
  // A snippet may show a name that it does not use; `npm run typecheck` looks for those in files.
  const options: ts.CompilerOptions = {
    ...parsed.options,
    erasableSyntaxOnly: true,
    noUnusedLocals: false,
    noUnusedParameters: false,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (path) => virtual.has(path) || fileExists.call(host, path);
  host.readFile = (path) => virtual.get(path) ?? readFile.call(host, path);
  host.getSourceFile = (path, ...rest) => {
    const code = virtual.get(path);
    return code === undefined
      ? getSourceFile.call(host, path, ...rest)
      : ts.createSourceFile(path, code, rest[0], true);
  };
  program = ts.createProgram([...claims, ...virtual.keys()], options, host);
});

/** Node removes types and compiles nothing, so that it refuses parameter properties. */
const NOT_ERASABLE = 1294;

function problemsIn(files: Iterable<string>, erasable = false): string[] {
  return [...files].flatMap((file) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)]
      .filter(({ code }) => erasable || code !== NOT_ERASABLE)
      .map(
        ({ start = 0, messageText }) =>
          `${relative(root, file)}:${ts.getLineAndCharacterOfPosition(source!, start).line + 1} ` +
          ts.flattenDiagnosticMessageText(messageText, "\n").split("\n")[0],
      );
  });
}

describe("the public types", () => {
  it("hold as spec/types claims, and refuse what it says they refuse", () => {
    expect(claims.length).toBeGreaterThan(4);
    expect(problemsIn(claims)).toEqual([]);
  });

  it.each([...snippets].filter(([, files]) => files.size > 0).map(([document]) => document))(
    "compile the snippets of %s",
    (document) =>
      // The README's snippets are copied into files that Node runs as they are.
      expect(problemsIn(snippets.get(document)!.keys(), document === "README.md")).toEqual([]),
  );
});
