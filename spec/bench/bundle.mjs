import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/**
 * Bundles the cqrx of a checkout as it would be shipped, and returns the path of the bundle.
 *
 * The bundle holds the entry points together because they share one core. It lies below node_modules so that it finds the rxjs of this folder.
 */
export async function bundle(source = here("../../src"), name = "index") {
  const outfile = here(`node_modules/.cqrx/${name}.mjs`);
  await build({
    stdin: {
      contents: ["index", "middleware/index", "inspector/index"]
        .filter((entry) => existsSync(`${source}/${entry}.ts`))
        .map((entry) => `export * from "./${entry}.ts";`)
        .join("\n"),
      resolveDir: source,
    },
    outfile,
    bundle: true,
    format: "esm",
    target: "es2022",
    platform: "neutral",
    external: ["rxjs"],
  });
  return outfile;
}
