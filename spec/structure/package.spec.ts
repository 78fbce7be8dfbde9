import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "@jest/globals";

const json = (file: string): unknown => JSON.parse(readFileSync(join(__dirname, "../..", file), "utf8"));

it("the package holds no sources, and so no maps that would lead to them", () => {
  const { files } = json("package.json") as { files: string[] };
  expect(files).not.toContain("src");
  for (const format of ["esm", "cjs"]) {
    const { compilerOptions } = json(`.config/tsconfig.${format}.json`) as { compilerOptions: object };
    expect(compilerOptions).not.toMatchObject({ sourceMap: true });
    expect(compilerOptions).not.toMatchObject({ declarationMap: true });
  }
});
