import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { buildSync } from "esbuild";

const root = join(__dirname, "../..");
const [environment, recipe] = [
  ...readFileSync(join(root, "src/inspector/README.md"), "utf8").matchAll(/^```typescript\n([^]*?)^```$/gm),
].map(([, code]) => code!);
let folder: string;

/** Writes a module of the recipe as Jest runs it without any configuration of a compiler. */
function write(name: string, code: string): void {
  buildSync({
    stdin: { contents: code, resolveDir: root, loader: "ts" },
    outfile: join(folder, name),
    bundle: true,
    platform: "node",
    external: ["jest-environment-node"],
  });
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "cqrx-recipe-"));
  // The environment is found there; and the page is bundled from the sources by a program below the working folder.
  for (const name of ["node_modules", ".config"]) symlinkSync(join(root, name), join(folder, name));
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("the recipe for Jest", () => {
  it("writes run.html for a test that fails, and none for one that passes", () => {
    write("run-environment.js", environment!);
    const test = (title: string, value: number): string => `
      test(${JSON.stringify(title)}, async () => {
        class PlaceOrder { orderId = ${JSON.stringify(`${title}-order`)}; }
        const unregister = buses.commands.register(PlaceOrder, () => ${value});
        await buses.commands.dispatch(new PlaceOrder());
        expect(${value}).toBe(1);
      });`;
    const run = (title: string, value: number): string => {
      write(`${title}.test.js`, recipe! + test(title, value));
      const { stdout, stderr } = spawnSync(
        process.execPath,
        [
          join(root, "node_modules/jest/bin/jest.js"),
          ...["--env", join(folder, "run-environment.js"), "--testPathPatterns", title],
          ...["--config", JSON.stringify({ rootDir: folder, transform: {}, testPathIgnorePatterns: [] })],
        ],
        { cwd: folder, encoding: "utf8" },
      );
      return stdout + stderr;
    };
    const file = join(folder, "run.html");
    expect(run("passing", 1)).toContain("1 passed");
    expect(existsSync(file)).toBe(false);
    expect(run("failing", 2)).toContain("1 failed");
    expect(readFileSync(file, "utf8")).toContain("failing-order");
  });
});
