import { readFileSync } from "node:fs";
import { join } from "node:path";
import { format } from "node:util";
import { beforeAll, describe, expect, it, jest } from "@jest/globals";
import ts from "typescript";
import { embedded } from "../postgres/support/servers.js";
import { documents, snippetsIn, type Snippet } from "./snippets.js";

// That the snippets compile is shown by spec/types/types.spec.ts.

const withSnippets = documents().filter((document) => snippetsIn(document).length > 0);

it("finds the documents that have snippets", () => {
  expect(withSnippets).toEqual(
    expect.arrayContaining(["README.md", "src/opentelemetry/README.md", "src/pino/README.md"]),
  );
  expect(snippetsIn("README.md").length).toBeGreaterThan(5);
});

describe.each(withSnippets)("%s", (document) => {
  // Each document gets modules of its own, because another may have registered handlers on the default buses.
  beforeAll(() => void jest.resetModules());
  if (document === "src/postgres/README.md")
    beforeAll(async () => void (process.env["DATABASE_URL"] = await embedded.url()));

  it.each(snippetsIn(document).map((snippet) => [snippet.name, snippet] as const))(
    "prints what snippet %s says",
    async (_, snippet) => expect((await run(snippet)).sort()).toEqual([...snippet.expected].sort()),
  );
});

describe("README.md", () => {
  it("shows a first result in at most 12 lines and the first audited outcome in 5 more", () => {
    const markdown = readFileSync(join(__dirname, "../../README.md"), "utf8");
    const [first, audited] = markdown.matchAll(/^```ts\n([\s\S]*?)^```$/gm);
    const lines = (block: RegExpMatchArray | undefined): number =>
      block![1]!.split("\n").filter((line) => line !== "").length;
    expect(lines(first)).toBeLessThanOrEqual(12);
    expect(lines(audited)).toBeLessThanOrEqual(5);
  });

  it("is a door: at most 220 lines and 12 kB", () => {
    const text = readFileSync(join(__dirname, "../../README.md"), "utf8");
    expect(text.split("\n").length - 1).toBeLessThanOrEqual(220);
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(12_000);
  });
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
