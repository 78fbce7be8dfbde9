import { dirname, relative } from "node:path";
import { describe, expect, it } from "@jest/globals";
import ts from "typescript";

const configFile = ts.findConfigFile(__dirname, (path) => ts.sys.fileExists(path))!;
const root = dirname(configFile);
const { config } = ts.readConfigFile(configFile, (path) => ts.sys.readFile(path)) as { config: unknown };
const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);

function complaints(files: string[]): string[] {
  const program = ts.createProgram(files, options);
  return files.flatMap((file) => {
    const source = program.getSourceFile(file);
    return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
      ({ start = 0, messageText }) =>
        `${relative(root, file)}:${ts.getLineAndCharacterOfPosition(source!, start).line + 1} ` +
        ts.flattenDiagnosticMessageText(messageText, "\n").split("\n")[0],
    );
  });
}

describe("the public types", () => {
  const files = ts.sys.readDirectory(__dirname, [".ts"], ["*.spec.ts"], ["*.ts"]);

  it("hold as spec/types claims, and refuse what it says they refuse", () => {
    expect(files.length).toBeGreaterThan(4);
    expect(complaints(files)).toEqual([]);
  }, 60_000);
});
