import { describe, expect, it } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";

const root = join(__dirname, "../..");

describe("the part of the core to read in one sitting", () => {
  it("is ten files of 1,150 lines of code at most, named by src/README.md", () => {
    const guide = readFileSync(join(root, "src/README.md"), "utf8");
    const [paragraph] = /\*\*The part to read in one sitting\*\*[^]*?\n\n/.exec(guide)!;
    const files = [...paragraph.matchAll(/`([^`]+)`/g)].map(([, name]) => `src/${name}.ts`);
    expect(files).toHaveLength(10);
    const count = execFileSync(process.execPath, ["spec/structure/count-code.mjs", ...files], {
      cwd: root,
      encoding: "utf8",
    });
    expect(Number(/(\d+) lines of code/.exec(count)![1])).toBeLessThanOrEqual(1_150);
  });
});
