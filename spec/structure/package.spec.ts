import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "@jest/globals";

const root = join(__dirname, "../..");
const json = (file: string): unknown => JSON.parse(readFileSync(join(root, file), "utf8"));
const {
  exports: entries,
  files,
  typesVersions,
} = json("package.json") as {
  exports: Readonly<Record<string, unknown>>;
  files: readonly string[];
  typesVersions: unknown;
};
const entryPoints = Object.keys(entries).filter((key) => key !== "./package.json");

/** The files of an entry point in one format. */
function filesOf(entryPoint: string, format: string, extension = ""): { types: string; default: string } {
  const path = `./${join("dist", format, entryPoint, "index")}`;
  return { types: `${path}.d.${extension}ts`, default: `${path}.${extension}js` };
}

it("the package holds no sources, and so no maps that would lead to them", () => {
  expect(files).not.toContain("src");
  for (const format of ["esm", "cjs"]) {
    const { compilerOptions } = json(`.config/tsconfig.${format}.json`) as { compilerOptions: object };
    expect(compilerOptions).not.toMatchObject({ sourceMap: true });
    expect(compilerOptions).not.toMatchObject({ declarationMap: true });
  }
});

describe("one instance per process, by the exports of package.json", () => {
  it("there is an entry point for each folder of src with an index.ts and a guide, and no other", () => {
    const src = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
    const sources = src
      .filter((file) => /(^|[\\/])index\.ts$/.test(file) && src.includes(join(dirname(file), "README.md")))
      .map((file) => (dirname(file) === "." ? "." : `./${dirname(file)}`));
    expect(new Set(entryPoints)).toEqual(new Set(sources));
  });

  it.each(entryPoints)(
    "%s: bundlers get the ES module, and Node the CommonJS one, however it loads it",
    (key) => {
      // The order matters: resolvers take the first condition that they know.
      expect(JSON.stringify(entries[key])).toBe(
        JSON.stringify({
          module: filesOf(key, "esm"),
          node: { import: filesOf(key, "node", "m"), default: filesOf(key, "cjs") },
          import: filesOf(key, "esm"),
          require: filesOf(key, "cjs"),
        }),
      );
    },
  );

  it("TypeScript's resolution of before 4.7 finds every entry point by one pattern", () => {
    expect(typesVersions).toEqual({ "*": { "*": ["./dist/cjs/*/index.d.ts", "./*"] } });
  });
});
